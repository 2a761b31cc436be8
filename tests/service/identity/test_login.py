"""Login, Refresh, Logout, LogoutEverywhere, ChangePassword."""

import asyncio
import time

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.testing import servers
from chassis.tx import Tx
from crm.identity.v1 import session_pb2 as pb
from crm.identity.v1 import tenant_pb2, user_pb2
from services.identity import saving, signing_in, store
from tests.service.identity.conftest import (
    PASSWORD,
    Company,
    grpc,
    new_email,
    new_peer,
    sign_in,
    stranger,
    until,
)


async def test_a_signed_in_user_knows_who_he_is(company: Company) -> None:
    answer = await sign_in(company.crm, company.email.upper())
    me = await company.stub.GetMe(pb.GetMeRequest())
    assert (answer.user.id, answer.expires_in, answer.refresh_expires_in) == (
        company.admin_id,
        900,
        30 * 86_400,
    )
    assert (me.user.email, me.tenant.name) == (company.email, "Okna Kowalski")
    assert {(g.object, g.action, g.scope) for g in me.rights} >= {
        ("user", "deactivate", 4),
        ("contact", "read", 4),
    }
    assert "api_tokens" in me.features
    assert list(me.hidden_fields) == []


async def test_wrong_password_and_unknown_account_get_the_same_answer(company: Company) -> None:
    async with company.unchanged():
        with pytest.raises(errors.Unauthenticated) as wrong:
            await sign_in(company.crm, company.email, "not-the-password")
        with pytest.raises(errors.Unauthenticated) as unknown:
            await sign_in(company.crm, new_email(), "not-the-password")
    assert wrong.value.reason == unknown.value.reason == "WRONG_CREDENTIALS"
    assert wrong.value.message == unknown.value.message


async def test_an_unknown_account_takes_as_long_as_a_known_one(company: Company) -> None:
    async def taken_s(email: str) -> float:
        began = time.perf_counter()
        with pytest.raises(errors.Unauthenticated):
            await sign_in(company.crm, email, "not-the-password")
        return time.perf_counter() - began

    unknown_email = new_email()
    pairs = [(await taken_s(company.email), await taken_s(unknown_email)) for _ in range(4)]
    known, unknown = (min(times) for times in zip(*pairs, strict=True))
    assert unknown > 0.4 * known, "no short cut tells strangers which accounts exist"


def have_failed(key: str, failures: int) -> None:
    servers.run_sql(
        f"UPDATE attempts SET failures = {failures}, last_time = now() WHERE key = '{key}'",
        "crm_identity",
    )


async def test_an_account_has_to_wait_after_failures_even_with_the_right_password(
    company: Company,
) -> None:
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, company.email, "not-the-password")
    have_failed(signing_in.counter_key("account", company.email), 12)
    async with company.unchanged():
        with pytest.raises(errors.ResourceExhausted) as refusal:
            await sign_in(company.crm, company.email)
    assert refusal.value.reason == "TOO_MANY_ATTEMPTS"
    assert refusal.value.retry_after_s is not None
    assert 60 < refusal.value.retry_after_s <= 128


async def test_guesses_at_the_same_moment_are_all_counted(company: Company) -> None:
    outcomes = await asyncio.gather(
        *(sign_in(company.crm, company.email, f"guess-number-{n}") for n in range(20)),
        return_exceptions=True,
    )
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, errors.CrmError)]
    assert len(reasons) == 20
    # Five are free; on a slow machine the first waits, of one and two seconds, may pass meanwhile.
    assert 5 <= reasons.count("WRONG_CREDENTIALS") <= 7
    assert reasons.count("WRONG_CREDENTIALS") + reasons.count("TOO_MANY_ATTEMPTS") == 20


async def test_an_address_that_guesses_many_accounts_has_to_wait(company: Company) -> None:
    peer = new_peer()
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, new_email(), "not-the-password", peer)
    have_failed(signing_in.counter_key("peer", peer), 36)
    with pytest.raises(errors.ResourceExhausted) as refusal:
        await sign_in(company.crm, company.email, peer=peer)
    assert refusal.value.reason == "TOO_MANY_ATTEMPTS"
    assert (await sign_in(company.crm, company.email)).user.id == company.admin_id  # from elsewhere


async def test_success_forgets_failures(company: Company) -> None:
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(errors.Unauthenticated):
                await sign_in(company.crm, company.email, "not-the-password")
        await sign_in(company.crm, company.email)


async def test_a_user_who_has_not_joined_or_has_left_cannot_sign_in(company: Company) -> None:
    invited = await company.user()
    left, _ = await company.joined()
    await company.stub.DeactivateUser(user_pb2.DeactivateUserRequest(id=left.id))
    for user in (invited, left):
        with pytest.raises(errors.Unauthenticated) as refusal:
            await sign_in(company.crm, user.email)
        assert refusal.value.reason == "WRONG_CREDENTIALS"


async def test_a_refreshed_session_gets_new_tokens_that_work(company: Company) -> None:
    first = await stranger(company.crm).Refresh(
        pb.RefreshRequest(refresh_token=company.refresh_token)
    )
    second = await stranger(company.crm).Refresh(
        pb.RefreshRequest(refresh_token=first.refresh_token)
    )
    assert len({company.refresh_token, first.refresh_token, second.refresh_token}) == 3
    rows = await company.rows("SELECT generation FROM sessions WHERE tenant_id = $1", company.id)
    assert [row["generation"] for row in rows] == [3]


async def test_parallel_tabs_get_the_same_successor(company: Company) -> None:
    answers = await asyncio.gather(
        *(
            stranger(company.crm).Refresh(pb.RefreshRequest(refresh_token=company.refresh_token))
            for _ in range(8)
        )
    )
    assert len({answer.refresh_token for answer in answers}) == 1
    rows = await company.rows("SELECT generation FROM sessions WHERE tenant_id = $1", company.id)
    assert [row["generation"] for row in rows] == [2]


async def test_a_reused_refresh_token_ends_the_session(company: Company) -> None:
    newest = company.refresh_token
    for _ in range(2):
        newest = (
            await stranger(company.crm).Refresh(pb.RefreshRequest(refresh_token=newest))
        ).refresh_token
    with pytest.raises(errors.Unauthenticated) as stolen:
        await stranger(company.crm).Refresh(pb.RefreshRequest(refresh_token=company.refresh_token))
    with pytest.raises(errors.Unauthenticated) as owner:
        await stranger(company.crm).Refresh(pb.RefreshRequest(refresh_token=newest))
    assert (stolen.value.reason, owner.value.reason) == (
        "REFRESH_TOKEN_REUSED",
        "REFRESH_TOKEN_INVALID",
    )
    event = await company.event("SessionRevoked")
    assert (event["userId"], event["reason"]) == (
        company.admin_id,
        "SESSION_REVOKED_REASON_TOKEN_REUSED",
    )
    await company.known("session", event["sessionId"])
    with pytest.raises(errors.Unauthenticated) as access:
        await company.stub.GetMe(pb.GetMeRequest())
    assert access.value.reason == "SIGNED_OUT"


@pytest.mark.parametrize("text", ["nonsense", "akr_AAAA"])
async def test_a_foreign_refresh_token_is_refused(company: Company, text: str) -> None:
    async with company.unchanged():
        with pytest.raises(errors.Unauthenticated) as refusal:
            await stranger(company.crm).Refresh(pb.RefreshRequest(refresh_token=text))
    assert refusal.value.reason == "REFRESH_TOKEN_INVALID"


async def test_signing_out_ends_access_and_refresh_tokens(company: Company) -> None:
    await company.stub.Logout(pb.LogoutRequest())

    async def signed_out() -> bool:
        try:
            await company.stub.GetMe(pb.GetMeRequest())
        except errors.Unauthenticated as refusal:
            return refusal.reason == "SIGNED_OUT"
        return False

    await until(signed_out, 5)
    with pytest.raises(errors.Unauthenticated) as refusal:
        await stranger(company.crm).Refresh(pb.RefreshRequest(refresh_token=company.refresh_token))
    assert refusal.value.reason == "REFRESH_TOKEN_INVALID"
    assert (await company.event("SessionRevoked"))["reason"] == "SESSION_REVOKED_REASON_SIGNED_OUT"


async def test_signing_out_everywhere_ends_every_session(company: Company) -> None:
    others = [await company.person(company.email) for _ in range(2)]
    answer = await company.stub.LogoutEverywhere(pb.LogoutEverywhereRequest())
    assert answer.sessions_ended == 3
    for person in others:

        async def signed_out(person: object = person) -> bool:
            try:
                await person.stub(grpc.IdentityServiceStub).GetMe(pb.GetMeRequest())  # type: ignore[attr-defined]
            except errors.Unauthenticated as refusal:
                return refusal.reason == "SIGNED_OUT"
            return False

        await until(signed_out, 5)


async def test_a_changed_password_ends_the_other_sessions(company: Company) -> None:
    await company.person(company.email)
    answer = await company.stub.ChangePassword(
        pb.ChangePasswordRequest(old_password=PASSWORD, new_password="pintu-kayu-77")
    )
    assert answer.sessions_ended == 1
    assert (await company.stub.GetMe(pb.GetMeRequest())).user.id == company.admin_id
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, company.email, PASSWORD)
    assert (await sign_in(company.crm, company.email, "pintu-kayu-77")).user.id == company.admin_id


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("not-the-password", "pintu-kayu-77", "PASSWORD_WRONG"),
        (PASSWORD, "password1", "PASSWORD_WEAK"),
    ],
)
async def test_a_password_is_changed_by_its_owner_to_a_good_one_only(
    company: Company, old: str, new: str, reason: str
) -> None:
    async with company.unchanged():
        with pytest.raises(errors.CrmError) as refusal:
            await company.stub.ChangePassword(
                pb.ChangePasswordRequest(old_password=old, new_password=new)
            )
    assert refusal.value.reason == reason


async def test_signing_in_ignores_a_stale_bearer_token(company: Company) -> None:
    person = company.admin
    stub = person.stub(
        grpc.IdentityServiceStub, authorization="Bearer stale", **{"crm-peer": new_peer()}
    )
    answer = await stub.Login(pb.LoginRequest(email=company.email, password=PASSWORD))
    assert answer.user.id == company.admin_id


async def test_nobody_signs_in_to_a_suspended_company(company: Company) -> None:
    async def suspend(tx: Tx) -> None:
        tenant = await store.tenants.find(tx, company.id)
        assert tenant is not None
        tenant.state = tenant_pb2.TENANT_STATE_SUSPENDED
        saving.save_tenant(tx, tenant)

    await company.crm.process.runtimes["identity"].run_system(company.id, Cause("setup"), suspend)
    with pytest.raises(errors.Unauthenticated) as login:
        await sign_in(company.crm, company.email)
    with pytest.raises(errors.Unauthenticated):
        await stranger(company.crm).Refresh(pb.RefreshRequest(refresh_token=company.refresh_token))
    assert login.value.reason == "WRONG_CREDENTIALS"
