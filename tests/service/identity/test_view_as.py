"""Looking as somebody else: what he sees and no more, nothing changed, all of it accounted for."""

import asyncio
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.identity.v1 import (
    api_token_pb2,
    role_pb2,
    second_factor_pb2,
    second_factor_service_pb2_grpc,
    session_pb2,
    user_pb2,
)
from crm.identity.v1 import audit_pb2 as pb
from crm.identity.v1 import audit_service_pb2_grpc as grpc
from crm.identity.v1 import identity_service_pb2_grpc as identity_grpc
from tests.service.identity.conftest import Company, grant, sign_in, sign_up, until


def rpcs(person: Person, **metadata: str) -> Any:
    return person.stub(grpc.AuditServiceStub, **metadata)


def looking(person: Person, user_id: str) -> Any:
    """identity as the person sees it who looks as this user."""
    return person.stub(identity_grpc.IdentityServiceStub, **{"crm-view-as": user_id})


async def begin(company: Company, user_id: str, person: Person | None = None) -> Any:
    """The administrator (or the person) looks as the user from now on."""
    viewer = person or company.admin
    await rpcs(viewer).ViewAsUser(pb.ViewAsUserRequest(id=user_id))
    return looking(viewer, user_id)


async def refused(call: Any, reason: str) -> None:
    with pytest.raises(errors.CrmError) as refusal:
        await call
    assert refusal.value.reason == reason


async def test_the_viewer_sees_what_the_user_sees(company: Company) -> None:
    user, person = await company.joined("observer")
    theirs = await person.stub(identity_grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
    view = await begin(company, user.id)

    me = await view.GetMe(session_pb2.GetMeRequest())

    assert (me.user.id, me.viewing_as) == (user.id, user.id)
    assert (theirs.viewing_as, list(me.rights), list(me.hidden_fields)) == (
        "",
        list(theirs.rights),
        list(theirs.hidden_fields),
    )
    assert not me.user.HasField("hourly_cost")
    await refused(
        rpcs(company.admin, **{"crm-view-as": user.id}).ListAuditEntries(
            pb.ListAuditEntriesRequest()
        ),
        "PERMISSION_DENIED",
    )


@pytest.mark.large
async def test_nothing_is_shown_before_it_was_begun(company: Company) -> None:
    user, _ = await company.joined()
    other, _ = await company.joined()
    await begin(company, user.id)

    second = await company.person(company.email)  # another session of the same administrator
    never = [(company.admin, viewed) for viewed in (other.id, uuid7(), "nobody", "*")]
    looks = [
        looking(*look).GetMe(session_pb2.GetMeRequest()) for look in [*never, (second, user.id)]
    ]
    # At once: each is refused only when the entry, which might be on its way, has not come.
    await asyncio.gather(*(refused(look, "VIEWING_NOT_BEGUN") for look in looks))


async def test_every_change_is_refused_by_name(company: Company) -> None:
    user, _ = await company.joined("administrator")
    view = await begin(company, user.id)

    async with company.unchanged():
        for name, request in (
            ("CreateUser", user_pb2.CreateUserRequest()),
            ("UpdateMe", session_pb2.UpdateMeRequest()),
            ("Logout", session_pb2.LogoutRequest()),
            ("RevokeSession", session_pb2.RevokeSessionRequest(id=uuid7())),
            ("RepublishUsers", user_pb2.RepublishUsersRequest()),
        ):
            with pytest.raises(errors.PermissionDenied) as refusal:
                await getattr(view, name)(request)
            assert refusal.value.reason == "VIEWING_CHANGES_NOTHING"
            assert name in refusal.value.message


async def test_what_is_personal_is_not_shown(company: Company) -> None:
    user, _ = await company.joined()
    view = await begin(company, user.id)

    await refused(view.ListSessions(session_pb2.ListSessionsRequest()), "CALLER_IS_TOKEN")
    codes = company.admin.stub(
        second_factor_service_pb2_grpc.SecondFactorServiceStub, **{"crm-view-as": user.id}
    )
    await refused(
        codes.GetSecondFactor(second_factor_pb2.GetSecondFactorRequest()), "CALLER_IS_TOKEN"
    )


async def test_it_is_accounted_for_once_per_session_and_user(company: Company) -> None:
    user, _ = await company.joined()
    other, _ = await company.joined()
    for viewed in (user.id, user.id, other.id):
        await begin(company, viewed)
    await begin(company, user.id, await company.person(company.email))

    async def entries() -> Any:
        request = pb.ListAuditEntriesRequest(kinds=["view_as"])
        found = (await rpcs(company.admin).ListAuditEntries(request)).entries
        return found if len(found) >= 3 else None

    found = await until(entries)
    assert sorted(entry.object_id for entry in found) == sorted([user.id, user.id, other.id])
    assert {entry.actor.user_id for entry in found} == {company.admin_id}
    assert len({entry.session_id for entry in found}) == 2
    assert all(entry.address for entry in found)


async def helper(company: Company, *grants: role_pb2.Grant) -> Person:
    """Somebody with these grants and the right to look as others."""
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(
                name=f"H {uuid7()}",
                grants=[grant("user", "view_as"), grant("user", "read"), *grants],
                hidden_fields=["user.phone"],
            )
        )
    )
    _, person = await company.joined(role_ids=[role.id])
    return person


async def test_a_viewer_who_may_less_never_sees_more_than_himself(company: Company) -> None:
    person = await helper(company, grant("role", "read", role_pb2.SCOPE_OWN))
    view = await begin(company, company.admin_id, person)

    me = await view.GetMe(session_pb2.GetMeRequest())

    held = {(g.object, g.action) for g in me.rights}
    assert held == {("user", "view_as"), ("user", "read")}, "own is not enough: whose own?"
    assert list(me.hidden_fields) == ["user.phone"]
    await refused(view.ListRoles(role_pb2.ListRolesRequest()), "PERMISSION_DENIED")


async def test_nobody_looks_without_the_right_and_no_program_does(company: Company) -> None:
    user, nobody = await company.joined()
    made = await company.stub.CreateApiToken(
        api_token_pb2.CreateApiTokenRequest(api_token=api_token_pb2.ApiToken(name="shop"))
    )
    await company.known("token", made.api_token.id)
    shop = Person(company.crm, company.id, company.admin_id, made.secret)
    await begin(company, user.id)

    async with company.unchanged():
        request = pb.ViewAsUserRequest(id=company.admin_id)
        await refused(rpcs(nobody).ViewAsUser(request), "PERMISSION_DENIED")
        await refused(rpcs(shop).ViewAsUser(pb.ViewAsUserRequest(id=user.id)), "CALLER_IS_TOKEN")
        await refused(
            looking(nobody, company.admin_id).GetMe(session_pb2.GetMeRequest()),
            "VIEWING_NOT_BEGUN",
        )
        await refused(looking(shop, user.id).GetMe(session_pb2.GetMeRequest()), "VIEWING_NOT_BEGUN")


async def test_the_view_ends_with_the_right_the_session_and_the_user(company: Company) -> None:
    user, _ = await company.joined()
    person = await helper(company)
    view = await begin(company, user.id, person)
    assert (await view.GetMe(session_pb2.GetMeRequest())).viewing_as == user.id
    await company.stub.DeactivateUser(user_pb2.DeactivateUserRequest(id=user.id))

    async def over() -> bool:
        try:
            await view.GetMe(session_pb2.GetMeRequest())
        except errors.PermissionDenied as refusal:
            return refusal.reason == "VIEWING_NOT_BEGUN"
        return False

    await until(over, 5)


async def test_nobody_looks_as_himself_as_a_stranger_or_as_somebody_invited(
    company: Company,
) -> None:
    other = await sign_up(company.crm)
    invited = await company.user()

    async with company.unchanged():
        for id, kind in (
            (company.admin_id, errors.FailedPrecondition),
            (invited.id, errors.FailedPrecondition),
            (other.admin_id, errors.NotFound),
            (uuid7(), errors.NotFound),
        ):
            with pytest.raises(kind):
                await rpcs(company.admin).ViewAsUser(pb.ViewAsUserRequest(id=id))


async def test_signing_in_ignores_the_header(company: Company) -> None:
    assert (await sign_in(company.crm, company.email)).user.id == company.admin_id
    stub = company.crm.stranger.stub(
        identity_grpc.IdentityServiceStub, **{"crm-view-as": uuid7(), "crm-peer": uuid7()}
    )
    answer = await stub.Login(
        session_pb2.LoginRequest(email=company.email, password="kaca-jendela-9")
    )
    assert answer.user.id == company.admin_id
