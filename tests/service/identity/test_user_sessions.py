"""Administrators see and end the sessions of others."""

from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.identity.v1 import audit_pb2 as pb
from crm.identity.v1 import audit_service_pb2_grpc as grpc
from crm.identity.v1 import identity_service_pb2_grpc as identity_grpc
from crm.identity.v1 import role_pb2, session_pb2
from tests.service.identity.conftest import Company, grant, sign_in, sign_up, until


def rpcs(person: Person) -> Any:
    return person.stub(grpc.AuditServiceStub)


async def test_an_administrator_sees_who_is_signed_in_where(company: Company) -> None:
    user, _ = await company.joined()
    await sign_in(company.crm, user.email, peer=f"10.0.0.9/{user.id}")

    first = await rpcs(company.admin).ListUserSessions(
        pb.ListUserSessionsRequest(user_id=user.id, page_size=1)
    )
    rest = await rpcs(company.admin).ListUserSessions(
        pb.ListUserSessionsRequest(user_id=user.id, page_token=first.next_page_token)
    )

    assert [s.peer for s in first.sessions] == [f"10.0.0.9/{user.id}"]
    assert (len(rest.sessions), rest.next_page_token) == (1, "")
    assert not any(s.current for s in (*first.sessions, *rest.sessions))


async def test_an_ended_session_is_out_within_five_seconds(company: Company) -> None:
    user, person = await company.joined()
    sessions = await rpcs(company.admin).ListUserSessions(
        pb.ListUserSessionsRequest(user_id=user.id)
    )

    ended = await rpcs(company.admin).RevokeUserSession(
        pb.RevokeUserSessionRequest(user_id=user.id, id=sessions.sessions[0].id)
    )

    assert ended.id == sessions.sessions[0].id

    async def out() -> bool:
        try:
            await person.stub(identity_grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
        except errors.Unauthenticated as refusal:
            return refusal.reason == "SIGNED_OUT"
        return False

    await until(out, 5)
    event = await company.event("SessionRevoked")
    assert event["reason"] == "SESSION_REVOKED_REASON_BY_ADMINISTRATOR"


async def test_a_session_is_ended_only_under_its_own_user(company: Company) -> None:
    user, _ = await company.joined()
    other = await sign_up(company.crm)
    mine = (await company.stub.ListSessions(session_pb2.ListSessionsRequest())).sessions[0]

    async with company.unchanged():
        for user_id, id in ((user.id, mine.id), (user.id, uuid7()), (other.admin_id, mine.id)):
            with pytest.raises(errors.NotFound):
                await rpcs(company.admin).RevokeUserSession(
                    pb.RevokeUserSessionRequest(user_id=user_id, id=id)
                )


async def test_the_right_reaches_as_far_as_its_scope(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(
                name="Own",
                grants=[grant("user", "read"), grant("user_session", "*", role_pb2.SCOPE_OWN)],
            )
        )
    )
    user, person = await company.joined(role_ids=[role.id])
    _, nobody = await company.joined()

    assert (
        await rpcs(person).ListUserSessions(pb.ListUserSessionsRequest(user_id=user.id))
    ).sessions
    for caller, user_id in ((person, company.admin_id), (nobody, user.id)):
        with pytest.raises(errors.PermissionDenied):
            await rpcs(caller).ListUserSessions(pb.ListUserSessionsRequest(user_id=user_id))
