"""Codes at sign-in: setting them up, using each once, recovering, giving them up, and being made to have them."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import pyotp
import pytest
from google.protobuf import struct_pb2

from chassis import errors, keys
from chassis.keys import uuid7
from chassis.testing import servers
from chassis.testing.installation import Installation, Person
from crm.identity.v1 import api_token_pb2, role_pb2, session_pb2, tenant_pb2, user_pb2
from crm.identity.v1 import second_factor_pb2 as pb
from crm.identity.v1 import second_factor_service_pb2_grpc as grpc
from services.identity import signing_in
from tests.service.identity.conftest import (
    PASSWORD,
    Company,
    grant,
    new_peer,
    sign_in,
    until,
)
from tests.service.identity.conftest import (
    grpc as identity_grpc,
)


@dataclass
class Phone:
    """An authenticator app with one account; each code is of a step that was not used yet."""

    secret: str
    user_id: str
    tenant: str

    def code(self, steps: int = 0) -> str:
        """The code shown now, or so many steps later."""
        return pyotp.TOTP(self.secret).at(int(time.time()) + 30 * steps)

    def forget_use(self) -> None:
        """Time passes: the code shown now was not used yet."""
        servers.run_sql(
            f"UPDATE second_factors SET last_step = 0 WHERE user_id = '{self.user_id}'",
            "crm_identity",
        )


def stranger(crm: Installation) -> Any:
    return crm.stranger.stub(grpc.SecondFactorServiceStub, **{"crm-peer": new_peer()})


def own(person: Person) -> Any:
    return person.stub(grpc.SecondFactorServiceStub, **{"crm-peer": new_peer()})


async def with_phone(company: Company, person: Person | None = None) -> tuple[Phone, list[str]]:
    """The person has a phone from now on; also returns the recovery codes."""
    person = person or company.admin
    enrolment = await own(person).EnrolSecondFactor(pb.EnrolSecondFactorRequest())
    phone = Phone(enrolment.secret, person.id, company.id)
    answer = await own(person).ConfirmSecondFactor(pb.ConfirmSecondFactorRequest(code=phone.code()))
    phone.forget_use()
    return phone, list(answer.recovery_codes)


async def verify(crm: Installation, challenge: str, code: str) -> session_pb2.LoginResponse:
    return await stranger(crm).VerifySecondFactor(
        pb.VerifySecondFactorRequest(challenge=challenge, code=code)
    )


async def challenge(company: Company, email: str = "") -> str:
    """Signed in half-way."""
    answer = await sign_in(company.crm, email or company.email)
    assert (answer.access_token, answer.refresh_token) == ("", "")
    return answer.second_factor.challenge


async def refused(call: Any, reason: str) -> None:
    with pytest.raises(errors.CrmError) as refusal:
        await call
    assert refusal.value.reason == reason


async def demand(company: Company, on: bool = True) -> None:
    """The company demands a second factor of everybody."""
    tenant = tenant_pb2.Tenant()
    tenant.settings["identity.second_factor_required"].CopyFrom(struct_pb2.Value(bool_value=on))
    await company.stub.UpdateTenant(
        tenant_pb2.UpdateTenantRequest(tenant=tenant, update_mask={"paths": ["settings"]})
    )


async def test_an_enrolment_shows_what_a_phone_needs(company: Company) -> None:
    made = await own(company.admin).EnrolSecondFactor(pb.EnrolSecondFactorRequest())

    parsed = pyotp.parse_uri(made.uri)
    assert (parsed.secret, parsed.name, parsed.issuer) == (
        made.secret,
        company.email,
        "Okna Kowalski",
    )
    assert made.qr_svg.startswith("<svg")
    assert "</svg>" in made.qr_svg
    answer = await sign_in(company.crm, company.email)
    assert answer.access_token, "until a code has confirmed it, nothing is asked"


async def test_sign_in_takes_two_steps_once_the_phone_is_confirmed(company: Company) -> None:
    phone, codes = await with_phone(company)
    assert len(set(codes)) == 10
    state = await own(company.admin).GetSecondFactor(pb.GetSecondFactorRequest())
    assert (state.active, state.recovery_codes_left, state.required) == (True, 10, False)

    half = await sign_in(company.crm, company.email)
    assert (half.access_token, half.second_factor.enrolment, half.second_factor.expires_in) == (
        "",
        False,
        600,
    )
    whole = await verify(company.crm, half.second_factor.challenge, phone.code())

    assert whole.user.id == company.admin_id
    person = Person(company.crm, company.id, whole.user.id, whole.access_token)
    me = await person.stub(identity_grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
    assert me.user.id == company.admin_id
    await refused(
        verify(company.crm, half.second_factor.challenge, phone.code()), "CHALLENGE_INVALID"
    )


async def test_secrets_rest_sealed_and_recovery_codes_hashed(company: Company) -> None:
    phone, codes = await with_phone(company)

    rows = await company.rows(
        "SELECT sealed::text FROM second_factors WHERE tenant_id = $1"
        " UNION ALL SELECT hash::text FROM recovery_codes WHERE tenant_id = $1",
        company.id,
    )
    stored = " ".join(row["sealed"] for row in rows)
    assert len(rows) == 11
    for secret in (phone.secret, *codes, *(code.replace("-", "") for code in codes)):
        assert secret.encode().hex() not in stored


@pytest.mark.parametrize("steps", [-1, 0, 1])
async def test_a_phone_may_be_one_step_off(company: Company, steps: int) -> None:
    phone, _ = await with_phone(company)
    half = await challenge(company)
    await _early_in_a_step()

    assert (await verify(company.crm, half, phone.code(steps))).access_token


@pytest.mark.parametrize("steps", [-3, 3])
async def test_a_phone_that_is_far_off_is_refused(company: Company, steps: int) -> None:
    phone, _ = await with_phone(company)
    half = await challenge(company)

    async with company.unchanged():
        await refused(verify(company.crm, half, phone.code(steps)), "SECOND_FACTOR_WRONG")


async def _early_in_a_step() -> None:
    """Returns at once unless the step is about to end: a code must not change between making and checking it."""

    async def early() -> bool:
        return time.time() % 30 < 25

    await until(early, 10)


async def test_a_code_is_accepted_once(company: Company) -> None:
    phone, _ = await with_phone(company)
    first, second = await challenge(company), await challenge(company)
    code = phone.code()
    await verify(company.crm, first, code)

    async with company.unchanged():
        await refused(verify(company.crm, second, code), "SECOND_FACTOR_WRONG")


async def test_of_many_who_send_one_code_at_once_one_is_let_in(company: Company) -> None:
    phone, _ = await with_phone(company)
    challenges = [await challenge(company) for _ in range(5)]
    code = phone.code()

    outcomes = await asyncio.gather(
        *(verify(company.crm, each, code) for each in challenges), return_exceptions=True
    )

    assert sum(isinstance(each, session_pb2.LoginResponse) for each in outcomes) == 1
    reasons = {each.reason for each in outcomes if isinstance(each, errors.CrmError)}
    assert reasons <= {"SECOND_FACTOR_WRONG", "TOO_MANY_ATTEMPTS"}


async def test_guessing_has_to_wait_even_with_the_right_code(company: Company) -> None:
    phone, _ = await with_phone(company)
    half = await challenge(company)
    await refused(verify(company.crm, half, "000000"), "SECOND_FACTOR_WRONG")
    key = signing_in.counter_key("code", f"{company.id}/{company.admin_id}")
    servers.run_sql(
        f"UPDATE attempts SET failures = 12, last_time = now() WHERE key = '{key}'", "crm_identity"
    )

    async with company.unchanged():
        await refused(verify(company.crm, half, phone.code()), "TOO_MANY_ATTEMPTS")


async def test_a_recovery_code_signs_in_once_however_it_is_typed(company: Company) -> None:
    _, codes = await with_phone(company)
    typed = codes[3].replace("-", " ").upper()

    assert (await verify(company.crm, await challenge(company), typed)).access_token

    half = await challenge(company)
    async with company.unchanged():
        await refused(verify(company.crm, half, codes[3]), "SECOND_FACTOR_WRONG")
    state = await own(company.admin).GetSecondFactor(pb.GetSecondFactorRequest())
    assert state.recovery_codes_left == 9


async def test_new_recovery_codes_replace_the_old_ones(company: Company) -> None:
    phone, old = await with_phone(company)

    new = await own(company.admin).RenewRecoveryCodes(
        pb.RenewRecoveryCodesRequest(code=phone.code())
    )

    assert set(new.recovery_codes).isdisjoint(old)
    half = await challenge(company)
    await refused(verify(company.crm, half, old[0]), "SECOND_FACTOR_WRONG")
    assert (await verify(company.crm, half, new.recovery_codes[0])).access_token


async def test_an_unconfirmed_phone_can_be_set_up_anew_a_confirmed_one_not(
    company: Company,
) -> None:
    await own(company.admin).EnrolSecondFactor(pb.EnrolSecondFactorRequest())
    await with_phone(company)

    async with company.unchanged():
        await refused(
            own(company.admin).EnrolSecondFactor(pb.EnrolSecondFactorRequest()),
            "SECOND_FACTOR_PRESENT",
        )


async def test_a_wrong_first_code_confirms_nothing(company: Company) -> None:
    await own(company.admin).EnrolSecondFactor(pb.EnrolSecondFactorRequest())

    async with company.unchanged():
        await refused(
            own(company.admin).ConfirmSecondFactor(pb.ConfirmSecondFactorRequest(code="000000")),
            "SECOND_FACTOR_WRONG",
        )
    assert (await sign_in(company.crm, company.email)).access_token


@pytest.mark.parametrize("proof", ["password", "code", "recovery"])
async def test_giving_it_up_needs_a_proof(company: Company, proof: str) -> None:
    phone, codes = await with_phone(company)
    right = {
        "password": pb.DisableSecondFactorRequest(password=PASSWORD),
        "code": pb.DisableSecondFactorRequest(code=phone.code()),
        "recovery": pb.DisableSecondFactorRequest(code=codes[0]),
    }[proof]
    stub = own(company.admin)

    async with company.unchanged():
        for wrong, reason in (
            (pb.DisableSecondFactorRequest(), "VALUE_INVALID"),
            (pb.DisableSecondFactorRequest(password="not-it"), "PASSWORD_WRONG"),
            (pb.DisableSecondFactorRequest(code="000000"), "SECOND_FACTOR_WRONG"),
        ):
            await refused(stub.DisableSecondFactor(wrong), reason)
    await stub.DisableSecondFactor(right)

    assert (await sign_in(company.crm, company.email)).access_token
    await refused(
        stub.DisableSecondFactor(pb.DisableSecondFactorRequest(password=PASSWORD)),
        "SECOND_FACTOR_ABSENT",
    )


async def test_who_must_have_one_sets_it_up_in_the_middle_of_the_sign_in(company: Company) -> None:
    await demand(company)
    half = await sign_in(company.crm, company.email)
    assert (half.access_token, half.second_factor.enrolment) == ("", True)
    token = half.second_factor.challenge
    await refused(verify(company.crm, token, "123456"), "SECOND_FACTOR_ABSENT")

    made = await stranger(company.crm).EnrolAtSignIn(pb.EnrolAtSignInRequest(challenge=token))
    whole = await verify(company.crm, token, pyotp.TOTP(made.secret).now())

    assert whole.access_token
    assert len(whole.recovery_codes) == 10
    again = await sign_in(company.crm, company.email)
    assert (again.access_token, again.second_factor.enrolment) == ("", False)


async def test_a_challenge_does_not_replace_a_phone_that_is_there(company: Company) -> None:
    await with_phone(company)
    half = await challenge(company)

    async with company.unchanged():
        await refused(
            stranger(company.crm).EnrolAtSignIn(pb.EnrolAtSignInRequest(challenge=half)),
            "SECOND_FACTOR_PRESENT",
        )


async def test_a_role_may_demand_it(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(role=role_pb2.Role(name="Cash", second_factor_required=True))
    )
    user = await company.user(role_ids=[role.id])
    link = await company.stub.InviteUser(user_pb2.InviteUserRequest(id=user.id))
    await stub_of_stranger(company).AcceptInvitation(
        session_pb2.AcceptInvitationRequest(token=link.token, password=PASSWORD)
    )

    assert (await sign_in(company.crm, user.email)).second_factor.enrolment
    assert (await sign_in(company.crm, company.email)).access_token


def stub_of_stranger(company: Company) -> Any:
    return company.crm.stranger.stub(identity_grpc.IdentityServiceStub, **{"crm-peer": new_peer()})


async def test_a_challenge_ends_with_a_new_password_and_with_the_user(company: Company) -> None:
    user, person = await company.joined()
    phone, _ = await with_phone(company, person)
    first = await challenge(company, user.email)
    await person.stub(identity_grpc.IdentityServiceStub).ChangePassword(
        session_pb2.ChangePasswordRequest(old_password=PASSWORD, new_password="pintu-kayu-77")
    )
    await refused(verify(company.crm, first, phone.code()), "CHALLENGE_INVALID")
    half = (await sign_in(company.crm, user.email, "pintu-kayu-77")).second_factor.challenge
    await company.stub.DeactivateUser(user_pb2.DeactivateUserRequest(id=user.id))

    async with company.unchanged():
        await refused(verify(company.crm, half, phone.code()), "CHALLENGE_INVALID")


async def test_a_challenge_that_nobody_made_is_refused(company: Company) -> None:
    for token in ("x", keys.new_key(company.id), keys.new_key(uuid7())):
        await refused(verify(company.crm, token, "123456"), "CHALLENGE_INVALID")


async def test_an_administrator_takes_a_lost_phone_away(company: Company) -> None:
    user, person = await company.joined()
    await with_phone(company, person)

    answer = await own(company.admin).ResetUserSecondFactor(
        pb.ResetUserSecondFactorRequest(id=user.id)
    )

    assert answer.sessions_ended == 1
    assert (await sign_in(company.crm, user.email)).access_token
    async with company.unchanged():
        await refused(
            own(company.admin).ResetUserSecondFactor(pb.ResetUserSecondFactorRequest(id=user.id)),
            "SECOND_FACTOR_ABSENT",
        )


async def test_nobody_resets_the_phone_of_somebody_who_may_more(company: Company) -> None:
    await with_phone(company)
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(
                name="Help", grants=[grant("user", "read"), grant("user", "reset_second_factor")]
            )
        )
    )
    _, helper = await company.joined(role_ids=[role.id])
    _, nobody = await company.joined()

    async with company.unchanged():
        request = pb.ResetUserSecondFactorRequest(id=company.admin_id)
        await refused(own(helper).ResetUserSecondFactor(request), "GRANT_NOT_HELD")
        await refused(own(nobody).ResetUserSecondFactor(request), "PERMISSION_DENIED")


async def test_programs_have_no_second_factor(company: Company) -> None:
    made = await company.stub.CreateApiToken(
        api_token_pb2.CreateApiTokenRequest(api_token=api_token_pb2.ApiToken(name="shop"))
    )
    await company.known("token", made.api_token.id)
    shop = Person(company.crm, company.id, company.admin_id, made.secret)

    await refused(own(shop).GetSecondFactor(pb.GetSecondFactorRequest()), "CALLER_IS_TOKEN")
