"""What identity does beside its RPCs: the beat, signing keys, and keeping the directory like the database."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chassis import directory
from chassis.call import Cause
from chassis.waits import first_of
from services.identity import auditing, directory_entries, key_rotation, store
from services.identity.attempts import INSTALLATION
from services.identity.directory_entries import Entry
from services.identity.real_time import real_now
from services.identity.signing_in import ACCESS_TOKEN_S

if TYPE_CHECKING:
    from chassis.runtime import Runtime
    from chassis.tx import Tx

_LOOK_EVERY_S = 5.0
_COMPARE_EVERY_S = 3600.0
_KEEP_ENDED = timedelta(seconds=2 * ACCESS_TOKEN_S)
"""An ended session's entry outlives every access token of that session."""
_CAUSE = Cause("republish")


async def beat(runtime: "Runtime", stop: asyncio.Event) -> None:
    """Shows every process each second that the directory is alive."""
    await directory.beat(runtime.nats, stop)


async def start(runtime: "Runtime") -> None:
    """Before the first call is served: a signing key exists and the directory says what the database says."""
    await _keep_keys(runtime)
    await compare(runtime)


async def watch_over(runtime: "Runtime", stop: asyncio.Event) -> None:
    """Rotates keys when they are due, forgets ended sessions, and mends the directory: hourly, and at once after a loss."""
    waited_s = 0.0
    while not await first_of(stop, timeout_s=_LOOK_EVERY_S):
        waited_s += _LOOK_EVERY_S
        lost = runtime.directory.fresh and not runtime.directory.of(directory.INSTALLATION).entries(
            "key"
        )
        if lost or waited_s >= _COMPARE_EVERY_S:
            waited_s = 0.0
            await _keep_keys(runtime)
            await compare(runtime)


async def _keep_keys(runtime: "Runtime") -> None:
    async def keep(tx: "Tx") -> None:
        await key_rotation.ensure(tx, runtime.settings, real_now())
        known = runtime.directory.of(directory.INSTALLATION).entries("key")
        for key in await store.signing_keys(tx):
            if key.kid not in known:
                key_rotation.put(tx, key)

    await runtime.run_system(INSTALLATION, Cause("timer"), keep)


async def compare(runtime: "Runtime") -> None:
    """Puts right whatever in the directory differs from the database, and forgets old addresses, company by company."""
    after = INSTALLATION

    async def next_page(tx: "Tx") -> list[str]:
        return await store.companies(tx, after)

    while page := await runtime.run_system(INSTALLATION, _CAUSE, next_page):
        for tenant_id in page:
            await runtime.run_system(tenant_id, _CAUSE, _compare_one)
            await runtime.run_system(tenant_id, _CAUSE, auditing.forget_addresses)
        after = page[-1]


async def _compare_one(tx: "Tx") -> None:
    # Under the lock that every change takes: an older state can never follow a newer one into the directory.
    await store.lock_people(tx)
    view = tx.directory
    for kind, wanted in (await _wanted(tx)).items():
        there = view.entries(kind)
        for id, entry in wanted.items():
            if there.get(id) != entry:
                tx.directory_put(kind, id, entry)
        for id in there.keys() - wanted.keys():
            tx.directory_delete(kind, id)


async def _wanted(tx: "Tx") -> dict[str, dict[str, Entry]]:
    """kind -> id -> what the directory should say of this company."""
    tokens = await store.every(tx, store.api_tokens)
    hashes = await store.token_hashes(tx, [token.id for token in tokens])
    ended = await store.recently_ended_sessions(tx, real_now() - _KEEP_ENDED)

    async def entries(resource: Any, entry: Any) -> dict[str, Entry]:
        return {record.id: entry(record) for record in await store.every(tx, resource)}

    return {
        "tenant": await entries(store.tenants, directory_entries.tenant),
        "user": await entries(store.users, directory_entries.user),
        "department": await entries(store.departments, directory_entries.department),
        "role": await entries(store.roles, directory_entries.role),
        "token": {
            token.id: directory_entries.api_token(token, hashes[token.id]) for token in tokens
        },
        "session": {id: {"revoked": int(moment.timestamp())} for id, moment in ended},
        "viewing": {
            f"{session_id}.{user_id}": {"since": int(since.timestamp())}
            for session_id, user_id, since in await store.viewings_of_living_sessions(
                tx, real_now()
            )
        },
    }
