"""How companies and people come in: set-up, signing up, one-time links."""

import hmac

from chassis import errors as refusals
from chassis import keys
from chassis.handlers import Servicer, writes
from chassis.tx import Tx
from crm.identity.v1 import events_pb2, user_pb2
from crm.identity.v1 import session_pb2 as pb
from services.identity import (
    attempts,
    auditing,
    errors,
    founding,
    passwords,
    rules,
    saving,
    signing_in,
    store,
)
from services.identity.real_time import real_now
from services.identity.rpc.signing_in import peer_key
from services.identity.signing_in import LinkKind


def company_of_link(request: pb.AcceptInvitationRequest | pb.CompletePasswordResetRequest) -> str:
    """The company that a link's secret names; LinkInvalid if it is no secret of ours."""
    try:
        return keys.tenant_of(request.token)
    except refusals.NotFound:
        raise errors.LinkInvalid from None


class Joining(Servicer):
    """`/v1/setup`, `POST /v1/tenants`, `/v1/auth:acceptInvitation`, `/v1/auth:resetPassword`."""

    @writes(tenant=None)
    async def Setup(self, request: pb.SetupRequest, tx: Tx) -> pb.SetupResponse:
        expected = self.runtime.settings.setup_token
        peer = await self._counted(tx)
        if not expected or not hmac.compare_digest(expected.encode(), request.token.encode()):
            raise errors.SetupTokenWrong
        founding.check(request.administrator)
        hash = await passwords.hashed(request.administrator.password)
        tenant_id = tx.new_id()
        await tx.enter_tenant(tenant_id)
        await store.claim_installation(tx)
        await attempts.forgiven(tx, peer)
        return await founding.found(tx, tenant_id, request.company, request.administrator, hash)

    @writes(tenant=None)
    async def SignUp(self, request: pb.SignUpRequest, tx: Tx) -> pb.SetupResponse:
        if not self.settings.signup:
            raise errors.SignUpClosed
        peer = await self._counted(tx)
        founding.check(request.administrator)
        hash = await passwords.hashed(request.administrator.password)
        tenant_id = tx.new_id()
        await tx.enter_tenant(tenant_id)
        await attempts.forgiven(tx, peer)
        return await founding.found(tx, tenant_id, request.company, request.administrator, hash)

    async def _counted(self, tx: Tx) -> str:
        """Counts the try against the caller's address, whose name is returned: set-up tokens and taken e-mails are not guessed.

        What succeeds is given back: an office that founds its companies does not use up its people's tries to sign in.
        """
        if peer := peer_key(tx):
            await attempts.begin(tx, {peer: signing_in.PEER}, real_now())
        return peer

    @writes(tenant=company_of_link)
    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, tx: Tx
    ) -> pb.PasswordLinkResponse:
        await store.lock_people(tx)
        user = await _user_of_link(tx, request.token, LinkKind.INVITATION)
        rules.require_state(user, user_pb2.USER_STATE_INVITED)
        await _choose_password(tx, user, request.password)
        user.state = user_pb2.USER_STATE_ACTIVE
        user.name = request.name or user.name
        rules.user(user)
        saving.save_user(tx, user)
        tx.emit(events_pb2.UserJoined(user=user))
        await auditing.note(
            tx,
            "user_joined",
            object="user",
            object_id=user.id,
            actor=auditing.person(user.id),
            details={"by": "invitation"},
        )
        return pb.PasswordLinkResponse(email=user.email)

    @writes(tenant=company_of_link)
    async def CompletePasswordReset(
        self, request: pb.CompletePasswordResetRequest, tx: Tx
    ) -> pb.PasswordLinkResponse:
        user = await _user_of_link(tx, request.token, LinkKind.RESET)
        rules.require_state(user, user_pb2.USER_STATE_ACTIVE)
        await _choose_password(tx, user, request.password)
        reason = events_pb2.SESSION_REVOKED_REASON_PASSWORD_CHANGED
        await saving.end_sessions(tx, user.id, reason, real_now())
        await store.void_links(tx, user.id, real_now())  # a sign-in half-way with the old password
        await auditing.note(
            tx,
            "password_reset",
            object="user",
            object_id=user.id,
            actor=auditing.person(user.id),
        )
        return pb.PasswordLinkResponse(email=user.email)


async def _user_of_link(tx: Tx, token: str, kind: LinkKind) -> user_pb2.User:
    """Uses the link up (with the rest of the transaction) and returns whose it was; LinkInvalid otherwise."""
    user_id = await store.use_link(tx, hash=signing_in.link_hash(token), kind=kind, now=real_now())
    user = await store.users.find(tx, user_id) if user_id else None
    if user is None:
        raise errors.LinkInvalid
    return user


async def _choose_password(tx: Tx, user: user_pb2.User, password: str) -> None:
    passwords.check(password, email=user.email, field="password")
    await store.set_password_hash(tx, user.id, await passwords.hashed(password))
