"""What administrators look after: the audit, other people's sessions, and what somebody else sees."""

from datetime import UTC, datetime
from typing import Any

from chassis.errors import NotFound
from chassis.handlers import Servicer, reads, writes
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.common.v1 import audit_pb2, common_pb2
from crm.identity.v1 import audit_events_pb2, events_pb2, session_pb2, user_pb2
from crm.identity.v1 import audit_pb2 as pb
from services.identity import auditing, errors, rules, saving, store
from services.identity.real_time import real_now
from services.identity.rpc.own import page_of_sessions, shown_session
from services.identity.rpc.signing_in import person

PAGE = 50
_END = datetime(9999, 1, 1, tzinfo=UTC)
_FIRST_ID = "00000000-0000-0000-0000-000000000000"


class Audit(Servicer):
    """`/v1/audit`, `/v1/users/{id}/sessions`, `/v1/users/{id}:viewAs`."""

    service = "crm.identity.v1.AuditService"

    @reads
    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, tx: Tx
    ) -> pb.ListAuditEntriesResponse:
        size, filters = request.page_size or PAGE, _filters(request)
        until = to_datetime(request.to) if request.HasField("to") else _END
        identity = f"{tx.tenant}|audit|{until.isoformat()}|{sorted(filters.items())}"
        time, id = until, _FIRST_ID
        if request.page_token:
            time, id = _place(tx, request.page_token, identity)
        rows = await store.audit_entries_before(tx, filters, time=time, id=id, many=size + 1)
        answer = pb.ListAuditEntriesResponse(entries=[_entry(row) for row in rows[:size]])
        if len(rows) > size:
            last = rows[size - 1]
            answer.next_page_token = tx.runtime.page_tokens.make(
                [last["time"], str(last["id"])], True, identity
            )
        return answer

    @reads
    async def ListUserSessions(
        self, request: pb.ListUserSessionsRequest, tx: Tx
    ) -> session_pb2.ListSessionsResponse:
        user = await store.users.get(tx, request.user_id)
        await tx.require("user_session", "read", owner_id=user.id)
        return await page_of_sessions(tx, user.id, request.page_size, request.page_token)

    @writes
    async def RevokeUserSession(
        self, request: pb.RevokeUserSessionRequest, tx: Tx
    ) -> session_pb2.Session:
        user = await store.users.get(tx, request.user_id)
        await tx.require("user_session", "delete", owner_id=user.id)
        now = real_now()
        row = await store.end_session(tx, request.id, user.id, now)
        if row is None:
            raise NotFound(f"there is no session with id {request.id}")
        reason = events_pb2.SESSION_REVOKED_REASON_BY_ADMINISTRATOR
        saving.session_ended(tx, user.id, request.id, reason, now)
        await auditing.note(
            tx,
            "session_ended",
            object="user",
            object_id=user.id,
            details={"session": request.id},
        )
        return shown_session(row, tx.actor.session_id)

    @writes
    async def ViewAsUser(self, request: pb.ViewAsUserRequest, tx: Tx) -> pb.Viewing:
        viewer_id, session_id = person(tx)
        user = await store.users.get(tx, request.id)
        await tx.require("user", "view_as", owner_id=user.id)
        if user.id == viewer_id:
            raise errors.NotYourself("needs X-View-As to see what he sees")
        rules.require_state(user, user_pb2.USER_STATE_ACTIVE)
        now = real_now()
        if await store.add_viewing(tx, session_id, user.id, now):
            tx.directory_put("viewing", f"{session_id}.{user.id}", {"since": int(now.timestamp())})
            tx.emit(
                audit_events_pb2.ViewingBegan(
                    audited=audit_pb2.AuditedAction(
                        action="view_as", object="user", object_id=user.id, session_id=session_id
                    )
                )
            )
        return pb.Viewing(user_id=user.id)


def _filters(request: pb.ListAuditEntriesRequest) -> dict[str, Any]:
    """The filters that were given, by the store's names."""
    since = getattr(request, "from")  # a Python keyword
    given = {
        "user_id": request.actor_id,
        "kinds": list(request.kinds),
        "since": to_datetime(since) if request.HasField("from") else None,
        "object": request.object,
        "object_id": request.object_id,
    }
    return {name: value for name, value in given.items() if value}


def _place(tx: Tx, token: str, identity: str) -> tuple[datetime, str]:
    time, id = tx.runtime.page_tokens.read(token, shape=identity).values
    assert isinstance(time, datetime)
    return time, str(id)


def _entry(row: Any) -> pb.AuditEntry:
    return pb.AuditEntry(
        id=str(row["id"]),
        time=to_timestamp(row["time"]),
        kind=row["kind"],
        actor=common_pb2.ActorRef(**row["actor"]),
        session_id=str(row["session_id"] or ""),
        address=row["address"] or "",
        object=row["object"],
        object_id=str(row["object_id"] or ""),
        details=row["details"],
    )
