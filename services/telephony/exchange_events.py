"""What providers of exchanges tell by signed calls: whose it is, and what becomes of it."""

import re
from datetime import UTC, datetime
from typing import Any

from chassis import keys, signed_calls
from chassis.call import Actor, Cause
from chassis.rights import Rights
from chassis.tx import Tx
from crm.telephony.v1 import connection_pb2
from services.telephony import connection_secrets, errors, store, taking
from services.telephony.pbx.facts import Fact
from services.telephony.rules import calls as rules
from services.telephony.rules import legs as leg_rules
from services.telephony.rules import webhooks
from services.telephony.rules.legs import LegState

Connection = connection_pb2.Connection

MOST_CALLS = 3000
"""Calls that one address may make for one exchange in a minute: fifty a second, for an exchange that tells each event by itself."""
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")  # as keys.new_key writes them


def tenant_of(request: Any) -> str:
    """The tenant that the key names; SignatureWrong if it is no key."""
    if not _KEY.fullmatch(request.key):
        raise errors.SignatureWrong
    return keys.tenant_of(request.key)


async def heard(tx: Tx, request: Any) -> Connection:
    """The exchange whose provider signed the content; the call goes on with the rights of the system.

    WebhookRateLimited, SignatureWrong, SignatureStale.
    """
    connection, secret = await _signer(tx, request.key)
    at_s = signed_calls.signed_at(secret, request.signature, request.content)
    if at_s is None:
        raise errors.SignatureWrong
    # Both clocks are real ones: a test's clock has no say in how old a signature is.
    if not signed_calls.is_fresh(at_s, datetime.now(UTC)):
        raise errors.SignatureStale(signed_calls.OLDEST_S)
    tx.actor, tx.cause = Actor("link", connection.id), Cause("link", connection.id)
    tx.rights = Rights.of_system()  # what is signed concerns any call of the exchange
    return connection


async def _signer(tx: Tx, key: str) -> tuple[Connection, str]:
    """The exchange whose signature this address wants, and its secret; counts the call. SignatureWrong if it is nobody's.

    In a transaction of its own: a refused call is counted too, and none holds a connection while it waits for another.
    """
    assert tx.tenant is not None

    async def look(own: Tx) -> tuple[Connection, str, datetime | None] | None:
        found = await store.connection_with_key(own, key)
        if found is None or found.retired or found.kind != Connection.KIND_WEBHOOK:
            return None
        late = await store.webhook_counts.beyond(MOST_CALLS, tx, found.id, own)
        return found, await connection_secrets.current(own, found.id), late

    found = await tx.runtime.run_system(tx.tenant, Cause("link"), look)
    if found is None:
        raise errors.SignatureWrong
    connection, secret, late = found
    if late:
        raise errors.WebhookRateLimited(MOST_CALLS, late)
    return connection, secret


async def take(tx: Tx, connection: Connection, content: bytes) -> int:
    """How many of the events said something new; what came before, and comes again, says nothing."""
    host = webhooks.recordings_host(connection.address, connection.recordings_host)
    facts = webhooks.read(content, host)
    known = await _known(tx, connection, facts)
    new = 0
    for fact in facts:
        if fact.leg:
            before = known.get(fact.leg, LegState(fact.leg))
            known[fact.leg] = rules.apply(before, fact)
            new += known[fact.leg] != before
    await taking.take(tx, connection, facts)
    return new


async def _known(tx: Tx, connection: Connection, facts: list[Fact]) -> dict[str, LegState]:
    """What is known of the calls' phones; nobody else takes their events meanwhile."""
    keys_told = sorted({fact.call for fact in facts})
    await tx.lock(*taking.locks(connection, keys_told))
    found = {}
    for key in keys_told:
        id = await store.calls.call_of_key(tx, connection.id, key)
        legs = await store.calls.legs_of(tx, id) if id else {}
        found |= {leg: leg_rules.from_json(leg, known) for leg, known in legs.items()}
    return found
