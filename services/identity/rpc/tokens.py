"""API tokens and signing keys."""

from urllib.parse import urlsplit

from chassis import keys
from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.identity.v1 import api_token_pb2 as pb
from crm.identity.v1 import session_pb2, user_pb2
from services.identity import auditing, errors, key_rotation, nats_access, rules, saving, store
from services.identity.real_time import real_now
from services.identity.rpc.signing_in import person


async def check_token(tx: Tx, new: pb.ApiToken, old: pb.ApiToken | None) -> None:
    """Keeps I3: a token works for somebody whose rights its maker has, and never beyond them."""
    person(tx)  # a program makes no further programs
    await store.lock_people(tx)
    new.id = new.id or tx.new_id()
    if old is None:
        new.owner_id = new.owner_id or tx.actor.user_id
        _settle_start(new, tx)
    rules.api_token(new, old)
    owner = await store.users.find(tx, new.owner_id)
    if owner is None or owner.state != user_pb2.USER_STATE_ACTIVE:
        raise errors.OwnerNotActive
    if owner.id != tx.actor.user_id:
        for role in await store.roles.find_many(tx, list(owner.role_ids)):
            if missing := rules.not_held(tx.rights.scope, rules.grant_rows(role.grants)):
                raise errors.GrantNotHeld(missing, "owner_id")
    if new.nats:
        everything = [{"object": "*", "action": "read", "scope": "all"}]
        if missing := rules.not_held(tx.rights.scope, everything):
            raise errors.GrantNotHeld(missing, "nats")
    if old is not None:
        await saving.put_token(tx, new)
    await auditing.token_saved(tx, new, old)


def _settle_start(new: pb.ApiToken, tx: Tx) -> None:
    """NEW is a moment too: the consumer is made a little later and must miss nothing."""
    if new.nats and new.nats_start in (pb.NATS_START_UNSPECIFIED, pb.NATS_START_NEW):
        new.nats_start = pb.NATS_START_NEW
        new.nats_start_time.CopyFrom(to_timestamp(tx.now))
    elif new.nats_start == pb.NATS_START_ALL:
        new.ClearField("nats_start_time")


async def revoke(tx: Tx, token: pb.ApiToken) -> None:
    """Every process refuses the token as soon as the directory has lost it."""
    await store.lock_people(tx)
    tx.directory_delete("token", token.id)
    await auditing.note(tx, "api_token_deleted", object="api_token", object_id=token.id)


class Tokens(standard(store.api_tokens, on_save=check_token, on_delete=revoke), Servicer):  # type: ignore[misc]
    """`/v1/apiTokens` and `/v1/signingKeys:rotate`."""

    @writes(secret_answer=True)
    async def CreateApiToken(
        self, request: pb.CreateApiTokenRequest, tx: Tx
    ) -> pb.CreateApiTokenResponse:
        assert tx.tenant is not None
        token = request.api_token
        token.id = token.id or tx.new_id()
        text, hash = keys.new_api_token(tx.tenant, token.id)
        made: pb.ApiToken = await super().CreateApiToken(request, tx)
        made.hint = text[-4:]
        await store.add_token_hash(tx, made.id, hash)
        await saving.put_token(tx, made)
        answer = pb.CreateApiTokenResponse(api_token=made, secret=text)
        if made.nats:
            answer.nats.CopyFrom(self._nats_access(tx, made.id, text))
        return answer

    def _nats_access(self, tx: Tx, token_id: str, text: str) -> pb.NatsAccess:
        return pb.NatsAccess(
            server=self.settings.nats_public_url
            or f"nats://{urlsplit(self.runtime.settings.nats_url).netloc.rpartition('@')[2]}",
            user=token_id,
            password=text,
            consumer=token_id,
            inbox_prefix=nats_access.inbox_prefix(token_id),
            subjects=nats_access.subjects_of(tx.tenant or ""),
        )

    @writes
    async def RotateSigningKeys(
        self, request: session_pb2.RotateSigningKeysRequest, tx: Tx
    ) -> session_pb2.RotateSigningKeysResponse:
        person(tx)
        key = await key_rotation.rotate(tx, self.runtime.settings, real_now())
        return session_pb2.RotateSigningKeysResponse(key_id=key.kid)
