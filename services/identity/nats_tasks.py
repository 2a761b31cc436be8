"""NATS for API tokens, at work: answers the server's auth callout, and keeps one durable consumer per stream and token.

Revoking a token deletes its consumers as soon as the directory has lost the token: the connection may still stand, but
nothing more arrives on it and nothing else is allowed to it. The connection ends when its hour is over, for good.
"""

import asyncio
import hmac
import logging
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nats.aio.msg import Msg  # allow publish-or-commit: no events
from nats.errors import Error as NatsError  # allow publish-or-commit: no events
from nats.js.api import (  # allow publish-or-commit: no events
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
)  # allow publish-or-commit: no events
from nats.js.errors import Error as JetStreamError  # allow publish-or-commit: no events
from nats.js.errors import NotFoundError  # allow publish-or-commit: no events

from chassis import errors, keys
from chassis.call import Cause
from chassis.nkey import AccountKey
from chassis.waits import first_of
from services.identity import nats_access, store

if TYPE_CHECKING:
    from chassis.runtime import Runtime

log = logging.getLogger(__name__)
Entry = Mapping[str, Any]  # of the directory

_QUEUE = "identity-callout"  # one of several identity processes answers
_LOOK_EVERY_S = 20.0  # new streams are noticed by looking
_FAILURES = (NatsError, JetStreamError, OSError, TimeoutError)


async def answer_callouts(runtime: "Runtime", stop: asyncio.Event) -> None:
    """Lets API tokens in to NATS until `stop`; does nothing without CRM_NATS_CALLOUT_SEED."""
    seed = runtime.settings.nats_callout_seed
    if not seed:
        return
    issuer = AccountKey(seed)

    async def answer(message: Msg) -> None:
        request = nats_access.parse_request(message.data)
        now_s = int(time.time())
        until_s = _admitted_until(runtime, request, now_s)
        if until_s <= now_s:
            await message.respond(nats_access.refusal(request, issuer=issuer, now_s=now_s))
            return
        streams = await event_streams(runtime)
        await message.respond(
            nats_access.admission(
                request, issuer=issuer, streams=streams, now_s=now_s, until_s=until_s
            )
        )

    await runtime.nats.client.subscribe(nats_access.CALLOUT_SUBJECT, queue=_QUEUE, cb=answer)
    await stop.wait()


def _admitted_until(runtime: "Runtime", request: nats_access.AuthRequest, now_s: int) -> int:
    """Until when (epoch seconds) the client may stay; 0 for one whom we do not know."""
    try:
        tenant_id, token_id, digest = keys.parse_api_token(request.password)
    except errors.NotFound:
        return 0
    entry = runtime.directory.of(tenant_id).token(token_id)
    known = (
        entry is not None
        and hmac.compare_digest(entry["hash"], digest)
        and token_id == request.user
    )
    if entry is None or not known or not _reads(runtime, tenant_id, entry, now_s):
        return 0
    return min(now_s + nats_access.USER_LIFE_S, entry["expires"] or now_s + nats_access.USER_LIFE_S)


def _reads(runtime: "Runtime", tenant_id: str, entry: Entry, now_s: int) -> bool:
    """True if the token is for NATS, has not ended and works for an active user."""
    user = runtime.directory.of(tenant_id).user(entry["user_id"])
    return bool(
        entry.get("nats")
        and (not entry["expires"] or entry["expires"] > now_s)
        and user
        and user["state"] == "active"
    )


async def event_streams(runtime: "Runtime") -> list[str]:
    """The names of the streams that hold companies' events."""
    found = await runtime.nats.js.streams_info()
    return [
        info.config.name
        for info in found
        if _holds_events(info.config.subjects) and info.config.name
    ]


def _holds_events(subjects: list[str] | None) -> bool:
    return bool(subjects) and all(subject.startswith("crm.*.") for subject in subjects or ())


class Consumers:
    """The durable consumers of API tokens in all event streams."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._changed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Keeps them like the directory until `stop`."""
        self._changed.set()
        self._runtime.directory.on_change(
            lambda tenant, kind, id: self._changed.set() if kind == "token" else None
        )
        while not stop.is_set():
            await first_of(self._changed, stop, timeout_s=_LOOK_EVERY_S)
            self._changed.clear()
            if stop.is_set() or not self._runtime.nats.connected:
                continue
            try:
                await self._keep()
            except _FAILURES as error:
                log.warning("consumers of API tokens are kept later: %s", type(error).__name__)

    async def _keep(self) -> None:
        wanted = self._wanted()
        for stream in await event_streams(self._runtime):
            there = {name for name in await self._names(stream) if _is_token_id(name)}
            for token_id, (tenant_id, entry) in wanted.items():
                if token_id not in there:
                    await self._runtime.nats.js.add_consumer(
                        stream, consumer_config(tenant_id, token_id, entry)
                    )
            for name in there - wanted.keys():
                await self._drop_if_ended(stream, name)

    def _wanted(self) -> dict[str, tuple[str, Entry]]:
        directory, now_s = self._runtime.directory, int(time.time())
        return {
            token_id: (tenant_id, entry)
            for tenant_id in directory.tenants()
            for token_id, entry in directory.of(tenant_id).entries("token").items()
            if _reads(self._runtime, tenant_id, entry, now_s)
        }

    async def _names(self, stream: str) -> list[str]:
        found: list[str] = []
        while page := await self._runtime.nats.js.consumers_info(stream, offset=len(found)):
            found += [info.name for info in page]
        return found

    async def _drop_if_ended(self, stream: str, token_id: str) -> None:
        """Only the database says that a token has ended: an empty directory may just be a young one."""
        try:
            info = await self._runtime.nats.js.consumer_info(stream, token_id)
            tenant_id = (info.config.filter_subject or "").split(".")[1]
            token = await self._runtime.run_system(
                tenant_id, Cause("timer"), lambda tx: store.api_tokens.find(tx, token_id)
            )
            if token is None or (
                token.HasField("expire_time") and token.expire_time.seconds <= time.time()
            ):
                await self._runtime.nats.js.delete_consumer(stream, token_id)
        except NotFoundError:
            pass  # another identity process was faster


async def keep_consumers(runtime: "Runtime", stop: asyncio.Event) -> None:
    """Makes and deletes the consumers of API tokens; does nothing without CRM_NATS_CALLOUT_SEED."""
    if runtime.settings.nats_callout_seed:
        await Consumers(runtime).run(stop)


def consumer_config(tenant_id: str, token_id: str, entry: Entry) -> ConsumerConfig:
    """A pull consumer over one company's events from the token's start; it has no deliver_subject and can get none."""
    config = ConsumerConfig(
        durable_name=token_id,
        filter_subject=nats_access.subjects_of(tenant_id),
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        max_ack_pending=1000,
    )
    if entry["nats_start"] is not None:
        config.deliver_policy = DeliverPolicy.BY_START_TIME
        start = datetime.fromtimestamp(entry["nats_start"], UTC)
        config.opt_start_time = start.isoformat().replace("+00:00", "Z")  # type: ignore[assignment]  # the server's format
    return config


def _is_token_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
