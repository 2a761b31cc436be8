"""Calls of others that they sign: anybody may call, and whoever signs is heard."""

import re
from datetime import UTC, datetime
from typing import Any

from chassis import keys
from chassis import signed_calls as signatures
from chassis.call import Actor, Cause
from chassis.rights import Rights
from chassis.tx import Tx
from services.deals import errors, signing_secrets, visitors
from services.deals.store.signers import Signers

_KEY = re.compile(r"[A-Za-z0-9_-]{43}")  # as keys.new_key writes them

_Signer = tuple[Any, str, errors.WebhookRateLimited | None]


async def check(tx: Tx, new: Any, old: Any | None) -> None:
    """A new signer gets his address."""
    assert tx.tenant is not None
    new.id = new.id or tx.new_id()
    if old is None:
        new.key = keys.new_key(tx.tenant)


def tenant_of(request: Any) -> str:
    """The tenant that the key names; WebhookUnsigned if it is no key."""
    if not _KEY.fullmatch(request.key):
        raise errors.WebhookUnsigned
    return keys.tenant_of(request.key)


async def hear(tx: Tx, signers: Signers, request: Any) -> Any:
    """Who signed the call's content and makes it, with the rights of the system; WebhookUnsigned, WebhookStale."""
    signer, secret = await _signer(tx, signers, request.key)
    at_s = signatures.signed_at(secret, request.signature, request.content)
    if at_s is None:
        raise errors.WebhookUnsigned
    # Both clocks are real ones: a test's clock has no say in how old a signature is.
    now = datetime.now(UTC)
    if not signatures.is_fresh(at_s, now):
        now_s = int(now.timestamp())
        limit = signatures.OLDEST_S if at_s < now_s else signatures.SKEW_S
        raise errors.WebhookStale(at_s, now_s, limit)
    tx.actor, tx.cause = Actor("link", signer.id), Cause("link", signer.id)
    tx.rights = Rights.of_system()  # what is signed concerns any record of the company
    return signer


async def _signer(tx: Tx, signers: Signers, key: str) -> tuple[Any, str]:
    """Whose signature this address wants, and his secret; counts the call. WebhookUnsigned if it is nobody's.

    In a transaction of its own: a refused call is counted too, and none holds a connection while it waits for another.
    """
    assert tx.tenant is not None

    async def look(own: Tx) -> _Signer | None:
        signer = await signers.with_key(own, key)
        if signer is None or signer.retired:
            return None
        refusal = await visitors.count_call(tx, own, signer.id)
        return signer, await signing_secrets.current(own, signers, signer.id), refusal

    found: _Signer | None = await tx.runtime.run_system(tx.tenant, Cause("link"), look)
    if found is None:
        raise errors.WebhookUnsigned
    signer, secret, refusal = found
    if refusal is not None:
        raise refusal
    return signer, secret
