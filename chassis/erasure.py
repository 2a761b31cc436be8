"""What every service does alike when somebody is to be erased: plumbing, stream, dead letters, database files.

A service is told ids: the erased record's and those of what stood on it. What tells of one of them goes:

    stored answers and finished operations    emptied where they hold an id or a value
    files that operations left                removed where they hold an id or a value (erasure_files.py)
    the service's stream and its dead letters the messages removed by sequence, their bytes overwritten by the server
    the database's files                      rewritten (chassis.db.cleaning)

erasure_part.py is the frame in which a service does so.

A message tells of a record if it is about it (`ce-subject`), or if it names it at its top or at the top of the record that it
carries. One that only refers, deeper inside, tells of somebody else and stays. So do messages that the erasure itself made.

Everything here may be done twice: an operation that was killed begins its step again.
"""

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf import any_pb2, empty_pb2
from google.rpc import code_pb2, status_pb2
from nats.errors import Error as NatsError
from nats.js.errors import BadRequestError, NotFoundError
from nats.js.errors import Error as JetStreamError
from sqlalchemy import bindparam, text

from chassis import contracts, errors
from chassis.db import cleaning
from chassis.db.statement import Statement
from chassis.events.nats import Nats, dead_stream_of, stream_of
from chassis.events.reading import read
from chassis.handlers import on
from chassis.waits import first_of
from crm.common.v1 import privacy_pb2

if TYPE_CHECKING:
    from chassis.operation_runs import OperationRun
    from chassis.runtime import Runtime
    from chassis.tx import Tx

CAUSE = "erasure"
"""The cause's kind of everything that an erasure writes and publishes."""

Counts = dict[str, int]
"""Place -> how much was erased there."""

UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOOK_S = 0.2
_YIELD = 200
_NIGHT = time(2, 0)  # UTC, as old versions go


async def runtime_of(run: "OperationRun") -> "Runtime":
    """The service's parts, for the steps of an operation that are no transaction."""

    async def here(tx: "Tx") -> "Runtime":
        return tx.runtime

    return await run.write(here)


# -- answers and operations ----------------------------------------------------------------------------


def _sql(sql: str, *names: str) -> Statement:
    return Statement(text(sql).bindparams(*(bindparam(n) for n in ("tenant_id", *names))))


_HOLDS = "EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n WHERE {})"
_ANSWERS = _sql(
    "UPDATE answers SET answer = '' WHERE tenant_id = :tenant_id AND answer <> '' AND "
    + _HOLDS.format("position(n IN answer) > 0"),
    "needles",
)
# Where one of the texts is, and wherever the caller says so by id.
_OPERATIONS = _sql(
    "UPDATE operations SET request = CAST(:empty AS bytea), position = '{}',"
    " result = CASE WHEN result IS NULL THEN NULL ELSE CAST(:empty AS bytea) END,"
    " error = CASE WHEN error IS NULL THEN NULL ELSE CAST(:error AS bytea) END"
    " WHERE tenant_id = :tenant_id AND state NOT IN ('queued', 'running') AND id <> CAST(:keep AS uuid)"
    " AND request <> CAST(:empty AS bytea) AND (id = ANY(CAST(:ids AS uuid[])) OR "
    + _HOLDS.format(
        "position(n IN request) > 0 OR position(n IN coalesce(result, '')) > 0 OR position(n IN coalesce(error, '')) > 0"
        " OR position(n IN convert_to(CAST(position AS text), 'UTF8')) > 0"
    )
    + ")",
    "empty", "error", "keep", "ids", "needles",
)  # fmt: skip
_LEFT_BEHIND = _sql(
    "SELECT id, coalesce(result, '') AS result, CAST(position AS text) AS place, request FROM operations"
    " WHERE tenant_id = :tenant_id AND state NOT IN ('queued', 'running')"
)
_UNDER_WAY = _sql(
    "SELECT id FROM operations WHERE tenant_id = :tenant_id AND state IN ('queued', 'running') AND NOT starts_with(kind, :mine)",
    "mine",
)


def _packed(message: Any) -> bytes:
    box = any_pb2.Any()
    box.Pack(message)
    return bytes(box.SerializeToString())


_EMPTY = _packed(empty_pb2.Empty())
_ERROR = status_pb2.Status(
    code=code_pb2.UNKNOWN, message="what was said here has been erased"
).SerializeToString()
_NO_ID = "00000000-0000-0000-0000-000000000000"


async def empty_plumbing(
    tx: "Tx", texts: Iterable[str], *, keep: str = "", operations: Sequence[str] = ()
) -> Counts:
    """Empties stored answers and finished operations that hold one of the texts, and the named operations; `keep` stays.

    A key stays with an empty answer: a late repetition of the request must not make the record anew.
    """
    needles = [text.encode() for text in sorted(set(texts))]
    await tx.begin()
    return {
        "answers": await tx.execute(_ANSWERS, needles=needles),
        "operations": await tx.execute(
            _OPERATIONS, needles=needles, empty=_EMPTY, error=_ERROR, keep=keep or _NO_ID, ids=list(operations),
        ),
    }  # fmt: skip


async def files_of_operations(tx: "Tx", late: Collection[str] | None = None) -> dict[str, set[str]]:
    """Finished operation -> ids that it names, among them its files; of `late` ones only what they made themselves."""
    found = {}
    for row in await tx.fetch(_LEFT_BEHIND):
        id = str(row["id"])
        if late is None or id in late:
            said = (
                row["result"]
                if late is not None
                else row["result"] + row["place"].encode() + row["request"]
            )
            found[id] = {each.decode() for each in UUID.findall(said)}
    return found


async def operations_under_way(tx: "Tx", mine: str = CAUSE) -> list[str]:
    """The operations that may be reading what is erased; not those whose kind begins with `mine`."""
    return [str(row["id"]) for row in await tx.fetch(_UNDER_WAY, mine=mine)]


async def until_over(run: "OperationRun", ids: Collection[str]) -> None:
    """Returns when none of these operations is queued or running any more."""

    async def left(tx: "Tx") -> set[str]:
        return set(ids) & set(await operations_under_way(tx))

    while ids and await run.write(left):
        await first_of(asyncio.Event(), timeout_s=_LOOK_S)


# -- streams -------------------------------------------------------------------------------------------


def tells_of(headers: Mapping[str, str], body: bytes, ids: Collection[str]) -> bool:
    """True if the event is about one of the records, by the rule at the top of this file."""
    if (
        not any(id.decode() in ids for id in UUID.findall(body))
        and headers.get("ce-subject") not in ids
    ):
        return False
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return True  # nobody could read it anyway
    change = event.get("change") or {}
    if (change.get("cause") or {}).get("kind") == CAUSE or "audited" in event:
        return False  # the erasure's own, and the audit's, hold nothing but ids
    if headers.get("ce-subject") in ids:
        return True
    for name, value in event.items():
        named = value if isinstance(value, list) else [value]
        if isinstance(value, dict) and name != "change":
            named = list(value.values())
        if any(isinstance(one, str) and one in ids for one in named):
            return True
    return False


Tells = Callable[[Mapping[str, str], bytes], bool]


async def erase_streams(nats: Nats, tenant: str, services: Iterable[str], tells: Tells) -> Counts:
    """Reads the tenant's messages in the streams and dead letters of these services once and removes those that tell."""
    counts: Counts = {}
    for service in services:
        for stream, subject in (
            (stream_of(service), f"crm.{tenant}.>"),
            (dead_stream_of(service), f"crm-dead.{service}.{tenant}.>"),
        ):
            counts[f"stream:{stream}"] = await _erase(nats, stream, subject, tells)
    return counts


async def _erase(nats: Nats, stream: str, subject: str, tells: Tells) -> int:
    try:
        found = await _telling(nats, stream, subject, tells)
        for sequence in found:
            with suppress(NotFoundError, BadRequestError):  # an earlier try, or its time was over
                await nats.js.delete_msg(stream, sequence)  # overwrites the bytes too
    except NotFoundError:
        return 0  # the service has never published
    except (NatsError, JetStreamError) as error:  # the operation begins its step again
        raise errors.Unavailable("the event streams do not answer; try again") from error
    return len(found)


async def _telling(nats: Nats, stream: str, subject: str, tells: Tells) -> list[int]:
    found, seen = list[int](), 0
    async for message in read(nats, stream, subjects=[subject]):
        if tells(message.headers or {}, message.data):
            found.append(message.metadata.sequence.stream)
        seen += 1
        if seen % _YIELD == 0:
            await asyncio.sleep(0)  # others' turn: what is buffered comes without waiting
    return found


async def until_published(runtime: "Runtime", tenant: str) -> None:
    """Returns when everything of the tenant that is committed now has left the outbox."""
    (row,) = await runtime.fetch_in_background(
        "SELECT coalesce(max(seq), 0) AS last FROM outbox WHERE tenant_id = $1", tenant
    )
    left = "SELECT 1 FROM outbox WHERE tenant_id = $1 AND seq <= $2 LIMIT 1"
    while await runtime.fetch_in_background(left, tenant, row["last"]):
        await first_of(asyncio.Event(), timeout_s=_LOOK_S)


async def sweep(
    run: "OperationRun",
    ids: Collection[str],
    *,
    operations: Sequence[str] = (),
    also: Tells | None = None,
) -> Counts:
    """Empties what is stored of requests, and removes the messages of the service's stream that tell of one of the ids.

    `operations` are emptied whatever they hold; `also` says of a message whether it is to go although it tells of none of them.
    """
    runtime = await runtime_of(run)
    counts = await run.write(lambda tx: empty_plumbing(tx, ids, keep=run.id, operations=operations))
    await until_published(runtime, run.tenant)

    def tells(headers: Mapping[str, str], body: bytes) -> bool:
        return tells_of(headers, body, ids) or (also is not None and also(headers, body))

    await added(counts, erase_streams(runtime.nats, run.tenant, [runtime.service.name], tells))
    return counts


# -- the database's files ------------------------------------------------------------------------------


async def clean_at_once(runtime: "Runtime") -> bool:
    """True if the database is small enough to be rewritten while people work."""
    return await cleaning.is_small(runtime.background_url)


def tonight(now: datetime) -> datetime:
    """When a larger one is rewritten next."""
    day = now.date() + timedelta(days=1 if now.time() >= _NIGHT else 0)
    return datetime.combine(day, _NIGHT, UTC)


def cleaning_turn(runtime: "Runtime") -> AbstractAsyncContextManager[cleaning.Clean]:
    """`async with cleaning_turn(runtime) as clean`: nobody else's `clean()` rewrites the service's database meanwhile.

    Who looks within his turn for whatever waits for it, and confirms all of that, spares the others theirs.
    """
    return cleaning.turn(runtime.background_url)


# -- who must answer -----------------------------------------------------------------------------------


def answering(field: str, part: type[Any]) -> dict[str, str]:
    """Service -> the full name of the event by which it answers: the one with this field of this type."""
    return {
        contracts.service_of(name): name
        for name, event in sorted(contracts.events().items())
        if (found := event.fields_by_name.get(field)) is not None
        and found.message_type is part.DESCRIPTOR
    }


def answer_of(package: str, field: str, part: type[Any]) -> type[Any]:
    """The event by which the service of this package answers; LookupError if it declares none."""
    name = answering(field, part).get(contracts.service_of(package))
    if name is None:
        raise LookupError(
            f"{package} declares no event with a field {field} of {part.DESCRIPTOR.full_name}; declare the one by which it answers"
        )
    return _message(name)


def hearing(
    field: str, part: type[Any], body: Callable[[Any, "Tx"], Awaitable[None]], *, durable: str
) -> list[Callable[..., Any]]:
    """Consumers of the events by which services answer, one for each, named `<durable>-<service>`."""
    return [
        on(_message(name), durable=f"{durable}-{service}")(functools.partial(body))
        for service, name in answering(field, part).items()
    ]


def _message(name: str) -> type[Any]:
    message = contracts.message_class(name)
    assert message is not None, "it was found among the contracts"
    return message


# -- counts --------------------------------------------------------------------------------------------


def places(counts: Mapping[str, int]) -> list[privacy_pb2.ErasedPlace]:
    """The counts as they are told."""
    return [privacy_pb2.ErasedPlace(name=name, count=n) for name, n in sorted(counts.items())]


async def added(one: Counts, more: Mapping[str, int] | Awaitable[Mapping[str, int]]) -> None:
    """Adds up, in place."""
    counts = await more if isinstance(more, Awaitable) else more
    for place, count in counts.items():
        one[str(place)] = one.get(str(place), 0) + count  # a table's name is a str of its own kind
