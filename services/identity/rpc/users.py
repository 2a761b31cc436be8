"""Users: the standard methods with their rules, and the verbs that move a user's state."""

from datetime import timedelta

from chassis import keys
from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.identity.v1 import events_pb2
from crm.identity.v1 import user_pb2 as pb
from services.identity import (
    auditing,
    directory_entries,
    errors,
    handover_rules,
    handovers,
    rules,
    saving,
    signing_in,
    store,
)
from services.identity.real_time import real_now
from services.identity.rpc.signing_in import person
from services.identity.signing_in import LinkKind


async def check_user(tx: Tx, new: pb.User, old: pb.User | None) -> None:
    """What every change of a user must keep (I1, I2, I3, I6); also notes the address and the directory's entry."""
    await store.lock_people(tx)
    new.id = new.id or tx.new_id()
    if old is None:
        new.state = pb.USER_STATE_INVITED
    rules.user(new)
    await _check_references(tx, new)
    await check_roles_given(tx, new, old)
    await keep_an_administrator(tx, new, old)
    key = rules.email_key(new.email)
    if old is None:
        await store.set_login(tx, key, new.id)
    elif rules.email_key(old.email) != key:
        # A provider that vouches for the new address could sign in as this user: as much as resetting the password.
        await check_roles_given(tx, new, None)
        await auditing.note(tx, "email_changed", object="user", object_id=new.id)
        await store.move_login(tx, rules.email_key(old.email), key, new.id)
    tx.directory_put("user", new.id, directory_entries.user(new))
    await auditing.user_saved(tx, new, old)


async def _check_references(tx: Tx, new: pb.User) -> None:
    departments = await store.departments.find_many(
        tx, [new.department_id] if new.department_id else []
    )
    roles = await store.roles.find_many(tx, list(new.role_ids))
    delegates = await store.users.find_many(tx, [new.delegate_id] if new.delegate_id else [])
    unknown = rules.unknown_references(
        new,
        departments=[d.id for d in departments],
        roles=[r.id for r in roles],
        users=[u.id for u in delegates],
    )
    if unknown:
        raise errors.ReferenceUnknown(unknown)


async def check_roles_given(tx: Tx, new: pb.User, old: pb.User | None) -> None:
    given = set(new.role_ids) - set(old.role_ids if old is not None else ())
    for role in await store.roles.find_many(tx, sorted(given)):
        if missing := rules.not_held(tx.rights.scope, rules.grant_rows(role.grants)):
            raise errors.GrantNotHeld(missing, "role_ids")


async def keep_an_administrator(tx: Tx, new: pb.User, old: pb.User | None) -> None:
    """Refuses a change that takes the company's last active administrator away; call under `lock_people`."""
    administrators = await store.role_ids(tx, rules.ADMINISTRATOR)
    loses = rules.loses_administrator(old, new, administrators)
    if loses and not await store.administrators_besides(tx, new.id, administrators):
        raise errors.LastAdministrator


async def deactivate(tx: Tx, user: pb.User) -> None:
    """Ends the user's work: signed out everywhere, links and tokens void; LastAdministrator keeps the last one."""
    old = pb.User()
    old.CopyFrom(user)
    user.state = pb.USER_STATE_DEACTIVATED
    await auditing.note(tx, "user_deactivated", object="user", object_id=user.id)
    await keep_an_administrator(tx, user, old)
    now = real_now()
    await saving.end_sessions(tx, user.id, events_pb2.SESSION_REVOKED_REASON_DEACTIVATED, now)
    await store.void_links(tx, user.id, now)
    for token in await store.tokens_of(tx, user.id):
        store.api_tokens.delete(tx, token)
        tx.directory_delete("token", token.id)
    saving.save_user(tx, user)
    tx.emit(events_pb2.UserDeactivated(user=user))


async def reactivate(tx: Tx, user: pb.User) -> None:
    """Lets the user work again; GrantNotHeld if he has more rights than the caller."""
    await check_roles_given(tx, user, None)
    # Without a password yet, the invitation was never accepted.
    joined = await store.password_hash(tx, user.id) is not None
    user.state = pb.USER_STATE_ACTIVE if joined else pb.USER_STATE_INVITED
    await auditing.note(tx, "user_reactivated", object="user", object_id=user.id)
    # A sign-in that raced with the deactivation may have left a session.
    await saving.end_sessions(
        tx, user.id, events_pb2.SESSION_REVOKED_REASON_DEACTIVATED, real_now()
    )
    saving.save_user(tx, user)
    tx.emit(events_pb2.UserReactivated(user=user))


async def _refuse_with_departments(tx: Tx, user: pb.User) -> None:
    """UserLeadsDepartments if he heads some: they would have nobody, and nobody would notice."""
    led = await store.led_departments(tx, user.id)
    if headed := {d.id: d.name for d in led if d.head_id == user.id}:
        raise errors.UserLeadsDepartments(headed)


async def _refuse_with_records(tx: Tx, user: pb.User) -> None:
    """UserOwnsRecords if a preview of a handover has shown that he owns some."""
    for handover in await store.handovers_under_way(tx, user.id):
        if not handover.HasField("confirm_time") and (counts := handover_rules.owned(handover)):
            raise errors.UserOwnsRecords(handover.id, counts)


class Users(standard(store.users, on_save=check_user), Servicer):  # type: ignore[misc]
    """`/v1/users`."""

    @writes(secret_answer=True)
    async def InviteUser(self, request: pb.InviteUserRequest, tx: Tx) -> pb.OneTimeLink:
        user = await store.users.get(tx, request.id)
        rules.require_state(user, pb.USER_STATE_INVITED)
        tx.emit(events_pb2.UserInvited(user=user))
        return await _new_link(tx, user, LinkKind.INVITATION, signing_in.INVITATION_LIFE, "/join")

    @writes(secret_answer=True)
    async def ResetUserPassword(
        self, request: pb.ResetUserPasswordRequest, tx: Tx
    ) -> pb.OneTimeLink:
        user = await store.users.get(tx, request.id)
        rules.require_state(user, pb.USER_STATE_ACTIVE)
        await check_roles_given(tx, user, None)  # whoever resets a password can become that user
        return await _new_link(tx, user, LinkKind.RESET, signing_in.RESET_LIFE, "/reset-password")

    @writes
    async def DeactivateUser(self, request: pb.DeactivateUserRequest, tx: Tx) -> pb.User:
        await store.lock_people(tx)
        user = await store.users.get(tx, request.id, etag=request.etag)
        rules.require_state(user, pb.USER_STATE_INVITED, pb.USER_STATE_ACTIVE)
        if user.id == tx.actor.user_id:
            raise errors.NotYourself
        if not request.force:
            await _refuse_with_departments(tx, user)
            await _refuse_with_records(tx, user)
        await deactivate(tx, user)
        if not request.force:
            await handovers.propose_for(tx, user)
        return user

    @writes
    async def ReactivateUser(self, request: pb.ReactivateUserRequest, tx: Tx) -> pb.User:
        await store.lock_people(tx)
        user = await store.users.get(tx, request.id, etag=request.etag)
        rules.require_state(user, pb.USER_STATE_DEACTIVATED)
        await reactivate(tx, user)
        return user

    @writes
    async def SignOutUser(self, request: pb.SignOutUserRequest, tx: Tx) -> pb.SignOutUserResponse:
        user = await store.users.get(tx, request.id)
        reason = events_pb2.SESSION_REVOKED_REASON_BY_ADMINISTRATOR
        ended = await saving.end_sessions(tx, user.id, reason, real_now())
        await auditing.note(
            tx, "session_ended", object="user", object_id=user.id, details={"sessions": str(ended)}
        )
        return pb.SignOutUserResponse(sessions_ended=ended)


async def _new_link(
    tx: Tx, user: pb.User, kind: LinkKind, life: timedelta, page: str
) -> pb.OneTimeLink:
    """A fresh link; the user's older ones stop working. The secret stands behind #, so that no server log gets it."""
    person(tx)
    now = real_now()
    assert tx.tenant is not None
    token = keys.new_key(tx.tenant)
    named = "user_invited" if kind is LinkKind.INVITATION else "password_reset_begun"
    await auditing.note(tx, named, object="user", object_id=user.id)
    await store.void_links(tx, user.id, now)
    await store.add_link(
        tx, hash=signing_in.link_hash(token), user_id=user.id, kind=kind, expire_time=now + life
    )
    return pb.OneTimeLink(path=f"{page}#{token}", token=token, expire_time=to_timestamp(now + life))
