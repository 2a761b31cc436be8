"""Identity providers, and signing in through them.

Both halves of a sign-in ask the provider over the network, which no body under `@writes` may do. So they are `@reads` that
change nothing through their own transaction: what must be written is written before and after the network, each in a short
transaction of its own, and no connection is held while the provider is asked.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chassis import errors as refusals
from chassis import keys, sealing
from chassis.call import Cause
from chassis.errors import CrmError, NotFound
from chassis.handlers import Servicer, reads, writes
from chassis.kit.resource import checked_id
from chassis.kit.standard import standard
from chassis.runtime import Runtime
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.identity.v1 import oidc_pb2 as pb
from crm.identity.v1 import session_pb2
from services.identity import (
    attempts,
    auditing,
    errors,
    oidc,
    opening,
    provider_accounts,
    provider_rules,
    rules,
    second_factors,
    signing_in,
    store,
)
from services.identity.opening import Device
from services.identity.real_time import real_now
from services.identity.rpc.signing_in import person
from services.identity.signing_in import PROVIDER

CALLBACK = "/v1/auth/oidc/callback"
LIFE = timedelta(minutes=10)
"""How long somebody may take at the provider's page."""
_SEALING_KEY = "identity:client-secrets"
_STATE_KEY = "identity:provider-sign-ins"
_EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]


async def check_maker(tx: Tx) -> None:
    """Keeps I3: whoever decides which provider vouches for people could have it vouch for an administrator."""
    person(tx)
    if missing := rules.not_held(tx.rights.scope, _EVERYTHING):
        raise errors.GrantNotHeld(missing, "issuer")


async def check_provider(tx: Tx, new: pb.IdentityProvider, old: pb.IdentityProvider | None) -> None:
    """Keeps I3 and I11."""
    assert tx.tenant is not None
    await check_maker(tx)
    new.id = new.id or tx.new_id()
    provider_rules.provider(new, private=tx.runtime.service_settings.oidc_private)
    if old is None:
        new.key = keys.new_key(tx.tenant)
    elif old.issuer != new.issuer:
        await store.drop_client_secret(tx, new.id)  # it was given to us by somebody else
        new.confidential = False
    known = {role.id for role in await store.roles.find_many(tx, list(new.role_ids))}
    unknown = {f"role_ids[{i}]": id for i, id in enumerate(new.role_ids) if id not in known}
    if unknown:
        raise errors.ReferenceUnknown(unknown)
    await _note(tx, "created" if old is None else "updated", new)


async def note_deleted(tx: Tx, provider: pb.IdentityProvider) -> None:
    """Nobody signs in through it any more; who did stays a user."""
    await _note(tx, "deleted", provider)


async def _note(tx: Tx, what: str, provider: pb.IdentityProvider) -> None:
    details = {"issuer": provider.issuer, "off": str(provider.off).lower()}
    kind = f"identity_provider_{what}"
    await auditing.note(
        tx, kind, object="identity_provider", object_id=provider.id, details=details
    )


def company_of_key(request: pb.BeginProviderSignInRequest) -> str:
    """The company whose provider this is; NotFound if the key is none of ours."""
    return keys.tenant_of(request.key)


def company_of_state(request: pb.FinishProviderSignInRequest) -> str:
    """The company in which the sign-in began; ProviderSignInInvalid if the state is none of ours."""
    try:
        return keys.tenant_of(request.state)
    except refusals.NotFound:
        raise errors.ProviderSignInInvalid from None


@dataclass(frozen=True, slots=True)
class _Pending:
    """A sign-in that came back: read once, and taken away in the reading."""

    provider: pb.IdentityProvider
    credentials: oidc.Credentials
    return_path: str


class IdentityProviders(
    standard(store.identity_providers, on_save=check_provider, on_delete=note_deleted),  # type: ignore[misc]
    Servicer,
):
    """`/v1/identityProviders`, `/v1/auth/oidc/...`, `/v1/me/identities`."""

    service = "crm.identity.v1.IdentityProviderService"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._client = oidc.Client(private=self.settings.oidc_private)

    @writes
    async def UndeleteIdentityProvider(
        self, request: pb.UndeleteIdentityProviderRequest, tx: Tx
    ) -> pb.IdentityProvider:
        await check_maker(tx)
        provider: pb.IdentityProvider = await super().UndeleteIdentityProvider(request, tx)
        await _note(tx, "undeleted", provider)
        return provider

    @writes
    async def SetClientSecret(
        self, request: pb.SetClientSecretRequest, tx: Tx
    ) -> pb.IdentityProvider:
        await check_maker(tx)
        provider = await store.identity_providers.get(tx, request.id)
        if request.client_secret:
            sealed = sealing.seal(
                self._derived(_SEALING_KEY), request.client_secret.encode(), provider.id
            )
            await store.set_client_secret(tx, provider.id, sealed)
        else:
            await store.drop_client_secret(tx, provider.id)
        provider.confidential = bool(request.client_secret)
        store.identity_providers.save(tx, provider)
        await _note(tx, "client_changed", provider)
        return provider

    # -- signing in ------------------------------------------------------------------------------

    @reads(tenant=company_of_key)
    async def BeginProviderSignIn(
        self, request: pb.BeginProviderSignInRequest, tx: Tx
    ) -> pb.BeginProviderSignInResponse:
        assert tx.tenant is not None
        now, device = real_now(), opening.device_of(tx.call)
        path = provider_rules.return_path(request.return_path)
        if peer := second_factors.peer_of(device):
            await attempts.begin(tx, {f"{PROVIDER.kind}-{peer}": PROVIDER}, now)
        provider = await self._apart(tx, lambda own: _open_provider(own, request.key))
        discovery = await self._client.discover(provider.issuer)
        state, browser_key = keys.new_key(tx.tenant), keys.new_key(tx.tenant)
        await self._apart(
            tx,
            lambda own: store.add_provider_sign_in(
                own,
                hash=signing_in.link_hash(state),
                provider_id=provider.id,
                browser_hash=signing_in.link_hash(browser_key),
                return_path=path,
                expire_time=now + LIFE,
                now=now,
            ),
        )
        url = oidc.authorization_url(
            discovery,
            provider.client,
            redirect_uri=self._redirect_uri(),
            state=state,
            secrets=oidc.secrets_of(state, self._derived(_STATE_KEY)),
            scopes=provider.scopes,
        )
        return pb.BeginProviderSignInResponse(
            authorization_url=url, browser_key=browser_key, expires_in=int(LIFE.total_seconds())
        )

    @reads(tenant=company_of_state)
    async def FinishProviderSignIn(
        self, request: pb.FinishProviderSignInRequest, tx: Tx
    ) -> pb.FinishProviderSignInResponse:
        now, device = real_now(), opening.device_of(tx.call)
        pending = await self._apart(tx, lambda own: self._take(own, request, now))
        if pending is None:
            raise errors.ProviderSignInInvalid
        try:
            who = await self._ask(request, pending)
            login = await self._apart(
                tx, lambda own: _admit(own, pending.provider, who, device, now)
            )
        except CrmError as refusal:
            await self._note_refusal(tx, pending.provider, refusal.reason, device)
            raise
        if peer := second_factors.peer_of(device):
            await self._apart(tx, lambda own: attempts.forgiven(own, f"{PROVIDER.kind}-{peer}"))
        return pb.FinishProviderSignInResponse(login=login, return_path=pending.return_path)

    async def _take(
        self, tx: Tx, request: pb.FinishProviderSignInRequest, now: datetime
    ) -> _Pending | None:
        """The sign-in that this state began, used up whatever comes of it; None if it is not this browser's, or over."""
        row = await store.take_provider_sign_in(tx, signing_in.link_hash(request.state))
        if row is None or row["expire_time"] <= now:
            return None
        browser_hash = signing_in.link_hash(request.browser_key)
        if not hmac.compare_digest(bytes(row["browser_hash"]), browser_hash):
            return None
        provider = await store.identity_providers.find(tx, str(row["provider_id"]))
        if provider is None or provider.off:
            return None
        sealed = await store.client_secret(tx, provider.id)
        secret = sealing.unseal(self._derived(_SEALING_KEY), sealed, provider.id) if sealed else b""
        return _Pending(
            provider, oidc.Credentials(provider.client, secret.decode()), row["return_path"]
        )

    async def _ask(self, request: pb.FinishProviderSignInRequest, pending: _Pending) -> oidc.Person:
        """Whom the provider vouches for; here, and in discovery, is the network."""
        provider = pending.provider
        discovery = await self._client.discover(provider.issuer)
        oidc.check_return(discovery, request.issuer)
        if request.error or not request.code:
            named = request.error if request.error.replace("_", "").isalnum() else "no code"
            raise errors.ProviderRefused(named[:60])
        proofs = oidc.secrets_of(request.state, self._derived(_STATE_KEY))
        token = await self._client.exchange(
            discovery,
            pending.credentials,
            code=request.code,
            redirect_uri=self._redirect_uri(),
            verifier=proofs.verifier,
        )
        return await self._client.person(
            discovery, token, client=provider.client, nonce=proofs.nonce
        )

    async def _note_refusal(
        self, tx: Tx, provider: pb.IdentityProvider, reason: str, device: Device
    ) -> None:
        await self._apart(
            tx,
            lambda own: auditing.note(
                own,
                "sign_in_refused",
                object="identity_provider",
                object_id=provider.id,
                details={"by": "provider", "reason": reason},
                address=device.address,
            ),
        )

    async def _apart(self, tx: Tx, work: Callable[[Tx], Any]) -> Any:
        """Runs `work` in a transaction of its own."""
        assert tx.tenant is not None
        return await self.runtime.run_system(tx.tenant, Cause("rpc", tx.cause.id), work)

    def _derived(self, purpose: str) -> bytes:
        return self.runtime.settings.derived(purpose)

    def _redirect_uri(self) -> str:
        own = self.settings.public_url or f"http://127.0.0.1:{self.runtime.settings.port}"
        return own.rstrip("/") + CALLBACK

    # -- accounts --------------------------------------------------------------------------------

    @reads
    async def ListLinkedIdentities(
        self, request: pb.ListLinkedIdentitiesRequest, tx: Tx
    ) -> pb.ListLinkedIdentitiesResponse:
        user_id, _ = person(tx)
        size = request.page_size or 50
        before = checked_id("identity", request.page_token) if request.page_token else ""
        rows = await store.linked_identities_of(tx, user_id, before=before, many=size + 1)
        page = [_linked(row) for row in rows[:size]]
        return pb.ListLinkedIdentitiesResponse(
            identities=page, next_page_token=page[-1].id if len(rows) > size else ""
        )

    @writes
    async def UnlinkIdentity(self, request: pb.UnlinkIdentityRequest, tx: Tx) -> pb.LinkedIdentity:
        user_id, _ = person(tx)
        row = await store.drop_linked_identity(tx, request.id, user_id)
        if row is None:
            raise NotFound(f"there is no linked identity with id {request.id}")
        await auditing.note(
            tx,
            "identity_unlinked",
            object="user",
            object_id=user_id,
            details={"provider": str(row["provider_id"])},
        )
        return _linked(row)


async def _open_provider(tx: Tx, key: str) -> pb.IdentityProvider:
    provider = await store.find_provider(tx, key)
    if provider is None or provider.off:
        raise NotFound("nobody signs in at this address; ask your administrator for the right one")
    return provider


async def _admit(
    tx: Tx, provider: pb.IdentityProvider, who: oidc.Person, device: Device, now: datetime
) -> session_pb2.LoginResponse:
    user = await provider_accounts.user_of(tx, provider, who, device, now)
    return await opening.admit(
        tx,
        user,
        device,
        now,
        by="provider",
        second_factor_verified=provider.verifies_second_factor,
    )


def _linked(row: Any) -> pb.LinkedIdentity:
    return pb.LinkedIdentity(
        id=str(row["id"]),
        provider_id=str(row["provider_id"]),
        issuer=row["issuer"],
        create_time=to_timestamp(row["create_time"]),
        use_time=to_timestamp(row["use_time"]),
    )
