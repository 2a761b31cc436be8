"""ListSessions and RevokeSession."""

import pytest

from chassis import errors
from chassis.keys import uuid7
from crm.identity.v1 import session_pb2 as pb
from tests.service.identity.conftest import Company, grpc, sign_in, stranger, until


async def test_sessions_are_listed_newest_first_in_pages(company: Company) -> None:
    for number in range(4):
        stub = company.crm.stranger.stub(
            grpc.IdentityServiceStub,
            **{"crm-peer": f"10.0.0.{number}/{company.id}", "crm-user-agent": f"browser {number}"},
        )
        await stub.Login(pb.LoginRequest(email=company.email, password="kaca-jendela-9"))
    first = await company.stub.ListSessions(pb.ListSessionsRequest(page_size=3))
    rest = await company.stub.ListSessions(
        pb.ListSessionsRequest(page_size=3, page_token=first.next_page_token)
    )
    sessions = [*first.sessions, *rest.sessions]
    assert [s.user_agent for s in sessions] == [
        "browser 3",
        "browser 2",
        "browser 1",
        "browser 0",
        "",
    ]
    assert [s.current for s in sessions] == [False, False, False, False, True]
    assert rest.next_page_token == ""
    assert sessions[0].peer == f"10.0.0.3/{company.id}"


async def test_a_revoked_session_is_out_within_five_seconds(company: Company) -> None:
    answer = await sign_in(company.crm, company.email)
    other = type(company.admin)(company.crm, company.id, company.admin_id, answer.access_token)
    newest = (await company.stub.ListSessions(pb.ListSessionsRequest())).sessions[0]
    assert (await company.stub.RevokeSession(pb.RevokeSessionRequest(id=newest.id))).id == newest.id

    async def out() -> bool:
        try:
            await other.stub(grpc.IdentityServiceStub).GetMe(pb.GetMeRequest())
        except errors.Unauthenticated as refusal:
            return refusal.reason == "SIGNED_OUT"
        return False

    await until(out, 5)
    with pytest.raises(errors.Unauthenticated):
        await stranger(company.crm).Refresh(pb.RefreshRequest(refresh_token=answer.refresh_token))
    assert (await company.stub.GetMe(pb.GetMeRequest())).user.id == company.admin_id


async def test_nobody_revokes_somebody_elses_session(company: Company) -> None:
    _, person = await company.joined()
    mine = (await company.stub.ListSessions(pb.ListSessionsRequest())).sessions[0]
    async with company.unchanged():
        for id in (mine.id, uuid7()):
            with pytest.raises(errors.NotFound):
                await person.stub(grpc.IdentityServiceStub).RevokeSession(
                    pb.RevokeSessionRequest(id=id)
                )
