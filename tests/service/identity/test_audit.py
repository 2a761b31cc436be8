"""The audit: what is accounted for, by whom it may be read, and that it is only added to."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from chassis import errors
from chassis.call import Cause
from chassis.db.names import database_of, roles_of
from chassis.keys import uuid7
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from chassis.tx import EventMeta, Tx
from crm.common.v1 import audit_pb2, common_pb2
from crm.identity.v1 import (
    api_token_pb2,
    audit_events_pb2,
    department_pb2,
    role_pb2,
    session_pb2,
    tenant_pb2,
    user_pb2,
)
from crm.identity.v1 import audit_pb2 as pb
from crm.identity.v1 import audit_service_pb2_grpc as grpc
from crm.identity.v1 import identity_service_pb2_grpc as identity_grpc
from services.identity import auditing
from services.identity.real_time import real_now
from tests.service.identity.conftest import (
    PASSWORD,
    Company,
    grant,
    new_peer,
    sign_in,
    sign_up,
    stranger,
    until,
)


def rpcs(person: Person) -> Any:
    return person.stub(grpc.AuditServiceStub)


async def entries(company: Company, **filters: Any) -> list[pb.AuditEntry]:
    """The newest entries."""
    request = pb.ListAuditEntriesRequest(page_size=200, **filters)
    return list((await rpcs(company.admin).ListAuditEntries(request)).entries)


async def kinds(company: Company, **filters: Any) -> list[str]:
    """The kinds of the newest entries, oldest first."""
    return [entry.kind for entry in reversed(await entries(company, **filters))]


async def test_signing_in_and_out_is_accounted_for_with_its_address(company: Company) -> None:
    peer = new_peer()
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, company.email, "not-the-password", peer)
    answer = await sign_in(company.crm, company.email, peer=peer)
    person = Person(company.crm, company.id, company.admin_id, answer.access_token)
    await person.stub(identity_grpc.IdentityServiceStub, **{"crm-peer": peer}).Logout(
        session_pb2.LogoutRequest()
    )

    found = (await entries(company))[:3]

    assert [entry.kind for entry in found] == ["sign_out", "sign_in", "sign_in_refused"]
    assert {entry.address for entry in found} == {peer}
    assert {(entry.object, entry.object_id) for entry in found} == {("user", company.admin_id)}
    out, into, refused = found
    assert (into.actor.user_id, dict(into.details)) == (company.admin_id, {"by": "password"})
    assert out.session_id == into.session_id != ""
    assert (refused.actor.kind, refused.actor.user_id) == ("system", "")


async def test_a_sign_in_of_nobody_leaves_no_trace_of_the_address(company: Company) -> None:
    rows = "SELECT count(*) AS n FROM audit_entries"
    before = (await company.rows(rows))[0]["n"]
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, f"{uuid7()}@example.com", "not-the-password")
    nobody = await company.rows(
        "SELECT 1 FROM audit_entries WHERE tenant_id = '00000000-0000-0000-0000-000000000000'"
    )
    assert nobody == []
    assert (await company.rows(rows))[0]["n"] >= before


async def test_changes_of_rights_say_what_was_gained_and_lost(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(role=role_pb2.Role(name="R", grants=[grant("contact", "read")]))
    )
    await company.stub.UpdateRole(
        role_pb2.UpdateRoleRequest(
            role=role_pb2.Role(
                id=role.id,
                grants=[grant("company", "read", role_pb2.SCOPE_OWN)],
                hidden_fields=["contact.birthday"],
            ),
            update_mask={"paths": ["grants", "hidden_fields"]},
        )
    )
    user = await company.user()
    await company.stub.UpdateUser(
        user_pb2.UpdateUserRequest(
            user=user_pb2.User(id=user.id, role_ids=[role.id]), update_mask={"paths": ["role_ids"]}
        )
    )

    created, updated = reversed(await entries(company, object_id=role.id))
    assert (created.kind, dict(created.details)) == (
        "role_created",
        {"added": "contact.read (all)"},
    )
    assert (updated.kind, dict(updated.details)) == (
        "role_updated",
        {
            "added": "company.read (own), hides contact.birthday",
            "removed": "contact.read (all)",
        },
    )
    assigned = (await entries(company, object_id=user.id))[0]
    assert (assigned.kind, assigned.actor.id) == ("roles_assigned", company.admin_id)
    assert dict(assigned.details) == {"added": role.id, "removed": user.role_ids[0]}


async def test_what_gives_power_is_accounted_for(company: Company) -> None:
    user, person = await company.joined()
    department = await company.stub.CreateDepartment(
        department_pb2.CreateDepartmentRequest(department=department_pb2.Department(name="D"))
    )
    await company.stub.UpdateDepartment(
        department_pb2.UpdateDepartmentRequest(
            department=department_pb2.Department(id=department.id, head_id=user.id),
            update_mask={"paths": ["head_id"]},
        )
    )
    token = await company.stub.CreateApiToken(
        api_token_pb2.CreateApiTokenRequest(api_token=api_token_pb2.ApiToken(name="shop"))
    )
    await company.stub.DeleteApiToken(api_token_pb2.DeleteApiTokenRequest(id=token.api_token.id))
    await person.stub(identity_grpc.IdentityServiceStub).ChangePassword(
        session_pb2.ChangePasswordRequest(old_password=PASSWORD, new_password="pintu-kayu-77")
    )
    await company.stub.DeactivateUser(user_pb2.DeactivateUserRequest(id=user.id, force=True))

    head = await entries(company, object_id=department.id)
    assert [(e.kind, dict(e.details)) for e in head] == [
        ("department_head_changed", {"from": "", "to": user.id})
    ]
    assert await kinds(company, object="api_token") == ["api_token_created", "api_token_deleted"]
    assert await kinds(company, object_id=user.id) == [
        "roles_assigned",
        "user_invited",
        "user_joined",
        "sign_in",
        "password_changed",
        "user_deactivated",
    ]


async def test_a_refused_change_is_not_accounted_for_as_done(company: Company) -> None:
    before = await kinds(company, object="role")
    with pytest.raises(errors.FailedPrecondition):
        await company.stub.DeleteRole(
            role_pb2.DeleteRoleRequest(id=await company.role_id("administrator"))
        )
    assert await kinds(company, object="role") == before


async def test_filters_and_pages_find_every_entry_once(company: Company) -> None:
    began = real_now()
    user, _ = await company.joined()
    for _ in range(3):
        await sign_in(company.crm, user.email)

    mine = await kinds(company, actor_id=user.id)
    both = await kinds(company, kinds=["user_invited", "user_joined"])
    since = await entries(company, **{"from": to_timestamp(began)})
    until_then = await entries(company, to=to_timestamp(began))

    assert mine == ["user_joined", "sign_in", "sign_in", "sign_in", "sign_in"]
    assert both == ["user_invited", "user_joined"]
    assert not {e.id for e in since} & {e.id for e in until_then}
    assert [*since, *until_then] == await entries(company)
    paged: list[str] = []
    request = pb.ListAuditEntriesRequest(page_size=2, actor_id=user.id)
    while True:
        page = await rpcs(company.admin).ListAuditEntries(request)
        paged += [entry.id for entry in page.entries]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert paged == [entry.id for entry in await entries(company, actor_id=user.id)]


async def test_a_page_token_of_another_list_is_refused(company: Company) -> None:
    await sign_in(company.crm, company.email)
    page = await rpcs(company.admin).ListAuditEntries(pb.ListAuditEntriesRequest(page_size=1))
    assert page.next_page_token

    with pytest.raises(errors.InvalidArgument) as refusal:
        await rpcs(company.admin).ListAuditEntries(
            pb.ListAuditEntriesRequest(object="role", page_token=page.next_page_token)
        )
    assert [v.field for v in refusal.value.violations] == ["page_token"]


async def test_the_audit_is_read_by_right_and_by_nobody_of_another_company(
    company: Company,
) -> None:
    _, person = await company.joined()
    with pytest.raises(errors.PermissionDenied) as refusal:
        await rpcs(person).ListAuditEntries(pb.ListAuditEntriesRequest())
    assert "audit.read" in refusal.value.message

    other = await sign_up(company.crm)
    ours = {entry.id for entry in await entries(company)}
    assert not ours & {entry.id for entry in await entries(other)}


async def test_entries_cannot_be_changed_even_by_the_service_itself(company: Company) -> None:
    settings = company.crm.process.settings
    _, role, _ = roles_of("identity")
    raw = await asyncpg.connect(settings.database_url(database_of("identity"), role))
    try:
        await raw.execute("SELECT set_config('app.tenant', $1, false)", company.id)
        count = "SELECT count(*) FROM audit_entries"
        before = await raw.fetchval(count)
        for statement in ("UPDATE audit_entries SET kind = 'x'", "DELETE FROM audit_entries"):
            with pytest.raises(asyncpg.RaiseError, match="only added"):
                await raw.execute(statement)
        assert await raw.fetchval(count) == before > 0
    finally:
        await raw.close()


async def test_addresses_are_forgotten_after_their_time_entries_stay(company: Company) -> None:
    runtime = company.crm.process.runtimes["identity"]
    await sign_in(company.crm, company.email)
    await company.stub.UpdateTenant(
        tenant_pb2.UpdateTenantRequest(
            tenant=tenant_pb2.Tenant(retention=tenant_pb2.Retention(event_days=7)),
            update_mask={"paths": ["retention"]},
        )
    )
    before = await entries(company)
    assert await runtime.run_system(company.id, Cause("timer"), auditing.forget_addresses) == 0
    assert any(entry.address for entry in before)

    async def later(tx: Tx) -> int:
        tx._draws.now += timedelta(days=8)
        return await auditing.forget_addresses(tx)

    assert await runtime.run_system(company.id, Cause("timer"), later) > 0
    after = await entries(company)
    assert not any(entry.address for entry in after)
    assert [entry.id for entry in after] == [entry.id for entry in before]


async def test_where_an_ended_session_came_from_is_forgotten_after_its_time(
    company: Company,
) -> None:
    runtime = company.crm.process.runtimes["identity"]
    _, person = await company.joined()
    (_, living) = await company.joined()
    await person.stub(identity_grpc.IdentityServiceStub).Logout(session_pb2.LogoutRequest())
    peers = "SELECT peer <> '' AS known FROM sessions WHERE tenant_id = $1 AND user_id = $2"

    async def after(days: int) -> list[bool]:
        async def later(tx: Tx) -> int:
            tx._draws.now += timedelta(days=days)
            return await auditing.forget_addresses(tx)

        await runtime.run_system(company.id, Cause("timer"), later)
        return [
            (await company.rows(peers, company.id, one.id))[0]["known"] for one in (person, living)
        ]

    assert await after(89) == [True, True]
    assert await after(91) == [False, True]


async def test_what_a_service_tells_is_stored_once(company: Company) -> None:
    """Any event with a field `audited`, here one of identity's own."""
    session = (await company.stub.ListSessions(session_pb2.ListSessionsRequest())).sessions[0]
    record = uuid7()

    async def tell(tx: Tx) -> None:
        tx.emit(
            audit_events_pb2.ViewingBegan(
                audited=audit_pb2.AuditedAction(
                    action="export",
                    object="contact",
                    object_id=record,
                    session_id=session.id,
                    details={"rows": "20000"},
                )
            )
        )

    runtime = company.crm.process.runtimes["identity"]
    await runtime.run_system(company.id, Cause("rpc"), tell)

    async def stored() -> list[pb.AuditEntry]:
        return await entries(company, object_id=record)

    (entry,) = await until(stored)
    assert (entry.kind, entry.object, dict(entry.details)) == (
        "export",
        "contact",
        {"rows": "20000"},
    )
    assert (entry.session_id, entry.address) == (session.id, session.peer)


async def test_an_event_that_comes_twice_is_stored_once(company: Company) -> None:
    runtime, record = company.crm.process.runtimes["identity"], uuid7()
    event = audit_events_pb2.ViewingBegan(
        audited=audit_pb2.AuditedAction(action="erasure", object="contact", object_id=record)
    )
    event.change.time.CopyFrom(to_timestamp(real_now()))
    meta = EventMeta(uuid7(), event.DESCRIPTOR.full_name, company.id, real_now(), "")

    outcomes = [
        await runtime.run_event("identity-audit-test", auditing.store_audited, event, meta)
        for _ in range(2)
    ]

    assert outcomes == ["done", "duplicate"]
    assert [e.kind for e in await entries(company, object_id=record)] == ["erasure"]


async def test_a_republished_event_is_no_new_act(company: Company) -> None:
    event = audit_events_pb2.ViewingBegan(
        change=common_pb2.Change(republished=True),
        audited=audit_pb2.AuditedAction(action="export", object_id=uuid7()),
    )

    async def deliver(tx: Tx) -> None:
        await auditing.store_audited(event, tx)

    await company.crm.process.runtimes["identity"].run_system(company.id, Cause("event"), deliver)
    assert await entries(company, object_id=event.audited.object_id) == []


async def test_resetting_a_password_is_accounted_for(company: Company) -> None:
    user, _ = await company.joined()
    link = await company.stub.ResetUserPassword(user_pb2.ResetUserPasswordRequest(id=user.id))
    await stranger(company.crm).CompletePasswordReset(
        session_pb2.CompletePasswordResetRequest(token=link.token, password="pintu-kayu-77")
    )

    assert (await kinds(company, object_id=user.id))[-2:] == [
        "password_reset_begun",
        "password_reset",
    ]
