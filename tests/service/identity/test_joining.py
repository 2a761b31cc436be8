"""Setup, SignUp, InviteUser, AcceptInvitation, ResetUserPassword, CompletePasswordReset."""

import asyncio

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing import servers
from chassis.testing.installation import Installation, installation
from crm.identity.v1 import role_pb2, user_pb2
from crm.identity.v1 import session_pb2 as pb
from services.identity.builtin_roles import BUILT_IN
from tests.service.identity.conftest import (
    PASSWORD,
    Company,
    grant,
    grpc,
    new_company,
    new_email,
    sign_in,
    sign_up,
    stranger,
)  # fmt: skip


def set_up(crm: Installation, token: str, mark: str) -> pb.SetupRequest:
    asked = marked(mark)
    return pb.SetupRequest(token=token, company=asked.company, administrator=asked.administrator)


def marked(mark: str) -> pb.SignUpRequest:
    """A company that can be told from those of tests that run beside this one."""
    request = new_company(new_email(mark))
    request.company.name = mark
    return request


async def traces(crm: Installation, mark: str) -> list[int]:
    """How many companies, users and addresses carry the mark, and to how many companies they belong."""
    found = await crm.rows(
        "identity",
        "SELECT (SELECT count(*) FROM tenants WHERE json LIKE $1),"
        " (SELECT count(*) FROM users WHERE json LIKE $1),"
        " (SELECT count(*) FROM logins WHERE email_key LIKE $1),"
        " (SELECT count(*) FROM companies WHERE company_id IN (SELECT id FROM tenants WHERE json LIKE $1))",
        f"%{mark}%",
    )
    return list(found[0])


async def test_set_up_works_once_and_with_its_token_only(crm: Installation) -> None:
    servers.run_sql("DELETE FROM installation", "crm_identity")  # as new; no other test sets up
    mark, token = uuid7(), crm.process.settings.setup_token
    for wrong in ("guess", token + "x"):
        with pytest.raises(errors.PermissionDenied) as refusal:
            await stranger(crm).Setup(set_up(crm, wrong, mark))
        assert refusal.value.reason == "SETUP_TOKEN_WRONG"
    assert await traces(crm, mark) == [0, 0, 0, 0]

    outcomes = await asyncio.gather(
        *(stranger(crm).Setup(set_up(crm, token, mark)) for _ in range(5)), return_exceptions=True
    )

    made = [o for o in outcomes if isinstance(o, pb.SetupResponse)]
    refused = [o.reason for o in outcomes if isinstance(o, errors.CrmError)]
    assert (len(made), refused) == (1, ["SETUP_DONE"] * 4)
    assert made[0].tenant.country == "PL"
    assert made[0].user.state == user_pb2.USER_STATE_ACTIVE
    assert await traces(crm, mark) == [1, 1, 1, 1]
    assert (await sign_in(crm, made[0].user.email)).user.id == made[0].user.id


async def test_a_new_company_begins_with_its_roles_and_one_administrator(company: Company) -> None:
    roles = (await company.stub.ListRoles(role_pb2.ListRolesRequest())).roles
    users = (await company.stub.ListUsers(user_pb2.ListUsersRequest())).users
    assert {role.built_in for role in roles} == {built_in.key for built_in in BUILT_IN}
    assert [user.id for user in users] == [company.admin_id]
    assert (await company.event("TenantCreated"))["tenant"]["name"] == "Okna Kowalski"
    assert PASSWORD not in str(await company.event("UserCreated"))


async def test_an_address_belongs_to_one_account_of_the_installation(company: Company) -> None:
    mark = uuid7()
    request = marked(mark)
    request.administrator.email = company.email.upper()
    with pytest.raises(errors.AlreadyExists) as refusal:
        await stranger(company.crm).SignUp(request)
    assert refusal.value.reason == "EMAIL_TAKEN"
    assert await traces(company.crm, mark) == [0, 0, 0, 0]


async def test_a_weak_password_founds_no_company(crm: Installation) -> None:
    mark = uuid7()
    request = marked(mark)
    request.administrator.password = "password1"
    with pytest.raises(errors.InvalidArgument) as refusal:
        await stranger(crm).SignUp(request)
    assert refusal.value.reason == "PASSWORD_WEAK"
    assert [v.field for v in refusal.value.violations] == ["administrator.password"]
    assert await traces(crm, mark) == [0, 0, 0, 0]


async def test_signing_up_is_closed_by_default(
    migrated: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CRM_SIGNUP", raising=False)
    mark = uuid7()
    async with installation(["identity"]) as closed:
        with pytest.raises(errors.PermissionDenied) as refusal:
            await stranger(closed).SignUp(marked(mark))
        assert refusal.value.reason == "SIGN_UP_CLOSED"
        assert await traces(closed, mark) == [0, 0, 0, 0]


async def invited(company: Company) -> tuple[user_pb2.User, user_pb2.OneTimeLink]:
    user = await company.user()
    return user, await company.stub.InviteUser(user_pb2.InviteUserRequest(id=user.id))


def accept(token: str, password: str = PASSWORD, name: str = "") -> pb.AcceptInvitationRequest:
    return pb.AcceptInvitationRequest(token=token, password=password, name=name)


async def test_an_invited_user_joins_and_signs_in(company: Company) -> None:
    user, link = await invited(company)
    answer = await stranger(company.crm).AcceptInvitation(accept(link.token, name="Dewi Lestari"))
    assert answer.email == user.email
    assert link.path == f"/join#{link.token}"
    joined = (await company.event("UserJoined"))["user"]
    assert (joined["name"], joined["state"]) == ("Dewi Lestari", "USER_STATE_ACTIVE")
    assert link.token not in str(await company.event("UserInvited"))
    assert (await sign_in(company.crm, user.email)).user.name == "Dewi Lestari"


async def test_a_link_works_once_also_for_ten_at_the_same_moment(company: Company) -> None:
    _, link = await invited(company)
    outcomes = await asyncio.gather(
        *(stranger(company.crm).AcceptInvitation(accept(link.token)) for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(o, pb.PasswordLinkResponse) for o in outcomes) == 1
    assert [o.reason for o in outcomes if isinstance(o, errors.CrmError)] == ["LINK_INVALID"] * 9


async def test_a_newer_link_replaces_the_older(company: Company) -> None:
    user, old = await invited(company)
    new = await company.stub.InviteUser(user_pb2.InviteUserRequest(id=user.id))
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await stranger(company.crm).AcceptInvitation(accept(old.token))
    assert refusal.value.reason == "LINK_INVALID"
    await stranger(company.crm).AcceptInvitation(accept(new.token))


@pytest.mark.parametrize("made_up", ["nonsense", "A" * 43])
async def test_a_link_that_nobody_made_is_refused(company: Company, made_up: str) -> None:
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await stranger(company.crm).AcceptInvitation(accept(made_up))
    assert refusal.value.reason == "LINK_INVALID"


async def test_a_weak_password_leaves_the_link_usable(company: Company) -> None:
    _, link = await invited(company)
    async with company.unchanged():
        with pytest.raises(errors.InvalidArgument):
            await stranger(company.crm).AcceptInvitation(accept(link.token, "password1"))
    await stranger(company.crm).AcceptInvitation(accept(link.token))


async def test_an_ended_link_is_refused(company: Company) -> None:
    user, link = await invited(company)
    servers.run_sql(
        f"UPDATE links SET expire_time = now() - interval '1 second' WHERE user_id = '{user.id}'",
        "crm_identity",
    )
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await stranger(company.crm).AcceptInvitation(accept(link.token))
    assert refusal.value.reason == "LINK_INVALID"


async def test_only_who_has_not_joined_is_invited(company: Company) -> None:
    user, _ = await company.joined()
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await company.stub.InviteUser(user_pb2.InviteUserRequest(id=user.id))
    assert refusal.value.reason == "USER_STATE_WRONG"


async def test_a_secret_is_shown_once_also_to_a_repeated_request(company: Company) -> None:
    user = await company.user()
    request = user_pb2.InviteUserRequest(id=user.id, request_id="invite-1")
    link = await company.stub.InviteUser(request)
    async with company.unchanged():
        with pytest.raises(errors.AlreadyExists) as refusal:
            await company.stub.InviteUser(request)
    assert refusal.value.reason == "SECRET_SHOWN_ONCE"
    assert not await company.rows(
        "SELECT 1 FROM answers WHERE tenant_id = $1 AND answer LIKE '%' || $2::bytea || '%'",
        company.id, link.token.encode(),
    )  # fmt: skip


async def test_a_reset_password_ends_every_session(company: Company) -> None:
    user, _person = await company.joined()
    link = await company.stub.ResetUserPassword(user_pb2.ResetUserPasswordRequest(id=user.id))
    assert link.path == f"/reset-password#{link.token}"
    assert (
        await sign_in(company.crm, user.email)
    ).user.id == user.id  # the old one works until the link is used
    answer = await stranger(company.crm).CompletePasswordReset(
        pb.CompletePasswordResetRequest(token=link.token, password="pintu-kayu-77")
    )
    assert answer.email == user.email
    rows = await company.rows(
        "SELECT count(*) AS n FROM sessions WHERE user_id = $1 AND revoke_time IS NULL", user.id
    )
    assert rows[0]["n"] == 0
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, user.email, PASSWORD)
    assert (await sign_in(company.crm, user.email, "pintu-kayu-77")).user.id == user.id


async def test_an_invitation_is_no_password_reset(company: Company) -> None:
    _, link = await invited(company)
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await stranger(company.crm).CompletePasswordReset(
                pb.CompletePasswordResetRequest(token=link.token, password="pintu-kayu-77")
            )
    assert refusal.value.reason == "LINK_INVALID"


async def test_nobody_resets_the_password_of_somebody_with_more_rights(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(
                name="Desk", grants=[grant("user", "reset_password"), grant("user", "read")]
            )
        )
    )
    _, desk = await company.joined(role_ids=[role.id])
    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied) as refusal:
            await desk.stub(grpc.IdentityServiceStub).ResetUserPassword(
                user_pb2.ResetUserPasswordRequest(id=company.admin_id)
            )
    assert refusal.value.reason == "GRANT_NOT_HELD"


async def test_one_company_never_sees_anothers_users(company: Company) -> None:
    other = await sign_up(company.crm)
    async with other.unchanged():
        for call, request in (
            (company.stub.GetUser, user_pb2.GetUserRequest(id=other.admin_id)),
            (company.stub.ResetUserPassword, user_pb2.ResetUserPasswordRequest(id=other.admin_id)),
            (company.stub.DeactivateUser, user_pb2.DeactivateUserRequest(id=other.admin_id)),
        ):
            with pytest.raises(errors.NotFound):
                await call(request)
