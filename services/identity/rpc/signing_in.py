"""Signing in with a password, renewing a session, signing out, changing the password."""

from datetime import datetime

from chassis.call import Cause
from chassis.handlers import Servicer, writes
from chassis.tx import Tx
from crm.identity.v1 import events_pb2, user_pb2
from crm.identity.v1 import session_pb2 as pb
from services.identity import (
    attempts,
    auditing,
    errors,
    opening,
    passwords,
    rules,
    saving,
    signing_in,
    store,
)
from services.identity.opening import Device
from services.identity.real_time import real_now
from services.identity.signing_in import ACCOUNT, PEER, SESSION_LIFE, RefreshToken, Renewal


class SigningIn(Servicer):
    """`/v1/auth:login`, `:refresh`, `:logout`, `:logoutEverywhere`, `:changePassword`."""

    @writes(tenant=None, secret_answer=True)
    async def Login(self, request: pb.LoginRequest, tx: Tx) -> pb.LoginResponse:
        now, email = real_now(), rules.email_key(request.email)
        account, peer = signing_in.counter_key("account", email), peer_key(tx)
        await attempts.begin(tx, {account: ACCOUNT, **({peer: PEER} if peer else {})}, now)
        tenant_id, user, stored = await self._account(email)
        # No connection is held while the password is hashed.
        right = await passwords.matches(stored, request.password)
        if not right or user is None or user.state != user_pb2.USER_STATE_ACTIVE:
            await self._note_refusal(tx, tenant_id, user, account, now)
            raise errors.WrongCredentials
        await tx.enter_tenant(tenant_id)
        await attempts.succeeded(tx, account, peer, now)
        if stored is not None and passwords.outdated(stored):
            await store.set_password_hash(tx, user.id, await passwords.hashed(request.password))
        return await opening.admit(tx, user, opening.device_of(tx.call), now, by="password")

    async def _note_refusal(
        self, tx: Tx, company_id: str, user: user_pb2.User | None, account: str, now: datetime
    ) -> None:
        """Into the company's audit; an account that does not exist costs a write of the same length (I1)."""
        device = opening.device_of(tx.call)

        async def write(own: Tx) -> None:
            if user is None:
                await store.touch_attempt(own, account, now)
            else:
                await note_refused_sign_in(own, user.id, device, "password")

        await self.runtime.run_system(company_id, Cause("rpc", tx.cause.id), write)

    async def _account(self, email: str) -> tuple[str, user_pb2.User | None, str | None]:
        """(company, user, password hash) of an address; nothing where nobody signs in with it."""
        # Where nobody signs in with it, the same look-ups find nothing in the same time.
        tenant_id, user_id = await self.runtime.run_system(
            attempts.INSTALLATION, Cause("rpc"), lambda tx: store.find_login(tx, email)
        ) or (attempts.INSTALLATION, attempts.INSTALLATION)

        async def read(tx: Tx) -> tuple[user_pb2.User | None, str | None]:
            return await store.users.find(tx, user_id), await store.password_hash(tx, user_id)

        return tenant_id, *await self.runtime.run_system(tenant_id, Cause("rpc"), read)

    @writes(tenant=None, secret_answer=True)
    async def Refresh(self, request: pb.RefreshRequest, tx: Tx) -> pb.LoginResponse:
        token = signing_in.parse_refresh_token(request.refresh_token, self._refresh_key())
        if token is None:
            raise errors.RefreshTokenInvalid
        now = real_now()

        async def renew(own: Tx) -> tuple[Renewal, str]:
            return await _renew(own, token, now)

        # In a transaction of its own: the end of a stolen session must stay although this call is refused.
        outcome, user_id = await self.runtime.run_system(
            token.tenant_id, Cause("rpc", tx.cause.id), renew
        )
        if outcome is Renewal.REUSED:
            raise errors.RefreshTokenReused
        await tx.enter_tenant(token.tenant_id)
        user = await store.users.find(tx, user_id) if outcome is not Renewal.ENDED else None
        if user is None or user.state != user_pb2.USER_STATE_ACTIVE:
            raise errors.RefreshTokenInvalid
        return await opening.tokens(tx, user, token.session_id, token.generation + 1, now)

    @writes
    async def Logout(self, request: pb.LogoutRequest, tx: Tx) -> pb.LogoutResponse:
        user_id, session_id = person(tx)
        now = real_now()
        if await store.end_session(tx, session_id, user_id, now):
            saving.session_ended(
                tx, user_id, session_id, events_pb2.SESSION_REVOKED_REASON_SIGNED_OUT, now
            )
            await auditing.note(tx, "sign_out", object="user", object_id=user_id)
        return pb.LogoutResponse()

    @writes
    async def LogoutEverywhere(
        self, request: pb.LogoutEverywhereRequest, tx: Tx
    ) -> pb.LogoutEverywhereResponse:
        user_id, _ = person(tx)
        ended = await saving.end_sessions(
            tx, user_id, events_pb2.SESSION_REVOKED_REASON_REVOKED, real_now()
        )
        await auditing.note(
            tx, "sign_out", object="user", object_id=user_id, details={"sessions": str(ended)}
        )
        return pb.LogoutEverywhereResponse(sessions_ended=ended)

    @writes
    async def ChangePassword(
        self, request: pb.ChangePasswordRequest, tx: Tx
    ) -> pb.ChangePasswordResponse:
        user_id, session_id = person(tx)
        now, counter = real_now(), signing_in.counter_key("password", f"{tx.tenant}/{user_id}")
        await attempts.begin(tx, {counter: ACCOUNT}, now)
        if not await passwords.matches(
            await store.password_hash(tx, user_id), request.old_password
        ):
            raise errors.PasswordWrong
        user = await store.users.find(tx, user_id)
        assert user is not None, "a signed-in user exists"
        passwords.check(request.new_password, email=user.email, field="new_password")
        await store.set_password_hash(tx, user_id, await passwords.hashed(request.new_password))
        await store.void_links(tx, user_id, now)  # a sign-in half-way, a reset not used
        await attempts.succeeded(tx, counter, "", now)
        await auditing.note(tx, "password_changed", object="user", object_id=user_id)
        reason = events_pb2.SESSION_REVOKED_REASON_PASSWORD_CHANGED
        return pb.ChangePasswordResponse(
            sessions_ended=await saving.end_sessions(tx, user_id, reason, now, besides=session_id)
        )

    def _refresh_key(self) -> bytes:
        return self.runtime.settings.derived(opening.REFRESH_KEY)


def person(tx: Tx) -> tuple[str, str]:
    """(user, session) of a signed-in person; CallerIsToken for a program."""
    if tx.actor.kind != "user":
        raise errors.CallerIsToken
    return tx.actor.user_id, tx.actor.session_id


def peer_key(tx: Tx) -> str:
    """The name under which attempts from the caller's address are counted; empty where the address is not known."""
    return signing_in.counter_key("peer", tx.call.peer) if tx.call and tx.call.peer else ""


async def note_refused_sign_in(tx: Tx, user_id: str, device: Device, by: str) -> None:
    """Somebody who knew an address, and perhaps no more, tried to be this user."""
    await auditing.note(
        tx,
        "sign_in_refused",
        object="user",
        object_id=user_id,
        details={"by": by},
        address=device.address,
    )


async def _renew(tx: Tx, token: RefreshToken, now: datetime) -> tuple[Renewal, str]:
    """Decides about the token under the session's lock and writes what follows; also says whose session it is."""
    row = await store.session_for_update(tx, token.session_id)
    if row is None:
        return Renewal.ENDED, ""
    outcome = signing_in.renewal(
        token.generation,
        newest=row["generation"],
        renewed=row["refresh_time"],
        expires=row["expire_time"],
        revoked=row["revoke_time"] is not None,
        now=now,
    )
    user_id = str(row["user_id"])
    if outcome is Renewal.ROTATE:
        await store.set_generation(
            tx, token.session_id, token.generation + 1, now=now, ends=now + SESSION_LIFE
        )
    elif outcome is Renewal.REUSED:
        await store.end_session(tx, token.session_id, user_id, now)
        saving.session_ended(
            tx, user_id, token.session_id, events_pb2.SESSION_REVOKED_REASON_TOKEN_REUSED, now
        )
    return outcome, user_id
