"""What a caller sees and changes of himself: who he is, his profile, his sessions."""

from functools import cache
from typing import Any

from chassis import codec, contracts
from chassis.errors import NotFound, PermissionDenied, Violation
from chassis.handlers import Servicer, reads, writes
from chassis.kit import files, late, showing
from chassis.kit.resource import checked_id
from chassis.kit.standard import checked_mask
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.identity.v1 import events_pb2, role_pb2, user_pb2
from crm.identity.v1 import session_pb2 as pb
from services.identity import auditing, rules, saving, store
from services.identity.features import FEATURES
from services.identity.real_time import real_now
from services.identity.rpc.signing_in import person
from services.identity.rpc.users import check_user


class NotOwnToChange(PermissionDenied):
    """A field of the profile that only others may change."""

    reason = "PERMISSION_DENIED"

    def __init__(self, fields: list[str]) -> None:
        super().__init__(
            f"you cannot change {', '.join(fields)} yourself; ask an administrator",
            [Violation(field, "is changed by an administrator") for field in fields],
        )


class Own(Servicer):
    """`/v1/me` and `/v1/sessions`."""

    @reads
    async def GetMe(self, request: pb.GetMeRequest, tx: Tx) -> pb.Me:
        assert tx.tenant is not None
        user, tenant = (
            await store.users.find(tx, tx.actor.user_id),
            await store.tenants.find(tx, tx.tenant),
        )
        off = tx.directory.features_off()
        return pb.Me(
            user=showing.limited(tx, store.users, user),
            tenant=showing.limited(tx, store.tenants, tenant),
            rights=_rights(tx),
            features=[key for key in FEATURES if key not in off],
            hidden_fields=_hidden(tx),
            session_id=tx.actor.session_id,
            viewing_as=tx.actor.user_id if tx.actor.kind == "viewer" else "",
        )

    @writes
    async def UpdateMe(self, request: pb.UpdateMeRequest, tx: Tx) -> user_pb2.User:
        user_id, _ = person(tx)
        mask = checked_mask(store.users, request.update_mask.paths)
        if others := [path for path in mask if path.partition(".")[0] not in rules.OWN_PROFILE]:
            raise NotOwnToChange(others)
        allowed = await files.uploaded(tx, store.users, request.user)
        old = await store.users.find(tx, user_id)
        assert old is not None, "a signed-in user exists"
        if request.etag and request.etag != old.etag:
            await late.check(tx, store.users, old, request.user, mask, request.etag)
        new = user_pb2.User()
        new.CopyFrom(old)
        codec.merge(new, request.user, mask)
        files.check(new, old, allowed)
        await check_user(tx, new, old)
        saving.save_user(tx, new)
        return new

    @reads
    async def ListSessions(
        self, request: pb.ListSessionsRequest, tx: Tx
    ) -> pb.ListSessionsResponse:
        user_id, _ = person(tx)
        return await page_of_sessions(tx, user_id, request.page_size, request.page_token)

    @writes
    async def RevokeSession(self, request: pb.RevokeSessionRequest, tx: Tx) -> pb.Session:
        user_id, session_id = person(tx)
        now = real_now()
        row = await store.end_session(tx, request.id, user_id, now)
        if row is None:
            raise NotFound(f"there is no session with id {request.id}")
        saving.session_ended(
            tx, user_id, request.id, events_pb2.SESSION_REVOKED_REASON_REVOKED, now
        )
        await auditing.note(
            tx, "session_ended", object="user", object_id=user_id, details={"session": request.id}
        )
        return shown_session(row, session_id)


async def page_of_sessions(
    tx: Tx, user_id: str, page_size: int, page_token: str
) -> pb.ListSessionsResponse:
    """A page of somebody's sessions that have not ended, newest first."""
    size = page_size or 50
    before = checked_id("session", page_token) if page_token else ""
    rows = await store.sessions_of(tx, user_id, real_now(), before=before, many=size + 1)
    page = [shown_session(row, tx.actor.session_id) for row in rows[:size]]
    return pb.ListSessionsResponse(
        sessions=page, next_page_token=page[-1].id if len(rows) > size else ""
    )


def shown_session(row: Any, current_id: str) -> pb.Session:
    """A session as its list shows it."""
    return pb.Session(
        id=str(row["id"]),
        create_time=to_timestamp(row["create_time"]),
        refresh_time=to_timestamp(row["refresh_time"]),
        expire_time=to_timestamp(row["expire_time"]),
        user_agent=row["user_agent"],
        peer=row["peer"],
        current=str(row["id"]) == current_id,
    )


@cache
def _all_rights() -> tuple[tuple[str, str], ...]:
    """Every (object, action) that some call of some service asks for."""
    methods = [contracts.method_of(m) for service in contracts.services() for m in service.methods]
    return tuple(
        sorted({(m.permission.object, m.permission.action) for m in methods if m.permission.object})
    )


def _rights(tx: Tx) -> list[role_pb2.Grant]:
    rows = [
        {"object": object, "action": action, "scope": scope}
        for object, action in _all_rights()
        if (scope := tx.rights.scope(object, action))
    ]
    return rules.grants(rows)


def _hidden(tx: Tx) -> list[str]:
    objects = {object for object, _ in _all_rights()}
    return sorted(f"{object}.{path}" for object in objects for path in tx.rights.hidden(object))
