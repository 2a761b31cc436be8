"""Events that a consumer could not process: listed, shown, tried again or skipped by an administrator.

A dead letter is the event as it was (body and headers) in the stream DEAD_<SERVICE> of the service whose consumer failed, with
headers that say which consumer, where the event is in its stream, and the last error. Its record's later events went on
without it, so whoever looks at a dead letter must see them: `show` lists them.

    python -m chassis dead-letters list contacts
    python -m chassis dead-letters show contacts 7
    python -m chassis dead-letters redrive contacts 7
    python -m chassis dead-letters skip contacts 7
"""

import argparse
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js.errors import NotFoundError

from chassis.events.nats import Nats, dead_stream_of
from chassis.events.reading import read
from chassis.tx import EventMeta

_PREFIX = "crm-dead-"
_SHOWN_LATER = 1000  # later events of a record that are listed at most
_REDRIVE_S = 60.0


@dataclass(slots=True)
class DeadLetter:
    """One event that a consumer gave up."""

    number: int
    """Its sequence in the dead-letter stream."""
    consumer: str
    event_id: str
    type: str
    tenant: str
    record: str
    stream: str
    sequence: int
    """Its place in the stream it came from."""
    tries: int
    error: str
    at: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Later:
    """A later event of the same record."""

    sequence: int
    type: str
    event_id: str
    state: str
    """processed: it took effect without the dead one before it; waiting: it has not been processed yet."""


class NoSuchLetter(Exception):
    """There is no dead letter of that number: it was re-driven, skipped or has expired."""


class NobodyConsumes(Exception):
    """No running process runs that consumer, so nothing can be re-driven."""


def redrive_subject(durable: str) -> str:
    """Where the process that runs the consumer takes dead letters back."""
    return f"crm-redrive.{durable}"


async def bury(
    nats: Nats,
    service: str,
    durable: str,
    message: Msg,
    meta: EventMeta,
    tries: int,
    error: Exception,
) -> None:
    """Store the event as a dead letter; once, also if the process dies before it tells the original stream."""
    headers = {
        **(message.headers or {}),
        f"{_PREFIX}consumer": durable,
        f"{_PREFIX}tenant": meta.tenant,
        f"{_PREFIX}stream": meta.stream,
        f"{_PREFIX}sequence": str(meta.sequence),
        f"{_PREFIX}tries": str(tries),
        f"{_PREFIX}error": _one_line(f"{type(error).__name__}: {error}"),
        "Nats-Msg-Id": f"{durable}/{meta.id}",
    }
    await nats.js.publish(
        f"crm-dead.{service}.{meta.tenant}.{durable}", message.data, headers=headers
    )


def _one_line(text: str) -> str:
    """Header values end at the line's end."""
    return " ".join(text.split())[:1000]


def meta_of_letter(message: Msg) -> EventMeta:
    """The event's facts out of a dead letter's headers."""
    headers = message.headers or {}
    letter = _letter(headers, message.data, 0, "")
    return EventMeta(
        id=letter.event_id,
        type=letter.type,
        tenant=letter.tenant,
        time=datetime.fromisoformat(headers["ce-time"])
        if "ce-time" in headers
        else datetime.now(UTC),
        subject=letter.record,
        sequence=letter.sequence,
        stream=letter.stream,
    )


async def find(nats: Nats, service: str) -> AsyncIterator[DeadLetter]:
    """All dead letters of a service's consumers, oldest first."""
    async for message in read(nats, dead_stream_of(service)):
        place = message.metadata
        yield _letter(
            message.headers or {},
            message.data,
            place.sequence.stream,
            place.timestamp.isoformat(timespec="seconds"),
        )


async def get(nats: Nats, service: str, number: int) -> DeadLetter:
    """One dead letter; NoSuchLetter if it is gone."""
    try:
        raw = await nats.js.get_msg(dead_stream_of(service), number)
    except NotFoundError:
        raise NoSuchLetter(
            f"{service} has no dead letter {number}; see `dead-letters list {service}`"
        ) from None
    return _letter(raw.headers or {}, raw.data or b"", number, "")


async def later_events(nats: Nats, letter: DeadLetter) -> list[Later]:
    """What the consumer hears of the same record after it: what skipping the letter leaves as it is."""
    try:
        consumer = await nats.js.consumer_info(letter.stream, letter.consumer)
    except NotFoundError:
        return []
    processed = (
        consumer.ack_floor.stream_seq if consumer.ack_floor and consumer.ack_floor.stream_seq else 0
    )
    found: list[Later] = []
    config = consumer.config
    every_tenants = config.filter_subjects or [config.filter_subject or "crm.*.>"]
    subjects = [subject.replace("*", letter.tenant, 1) for subject in every_tenants]
    async for message in read(
        nats, letter.stream, start=letter.sequence + 1, subjects=subjects, headers_only=True
    ):
        headers, sequence = message.headers or {}, message.metadata.sequence.stream
        if headers.get("ce-subject") == letter.record:
            state = "processed" if sequence <= processed else "waiting"
            found.append(
                Later(sequence, headers.get("ce-type", ""), headers.get("ce-id", ""), state)
            )
            if len(found) == _SHOWN_LATER:
                break
    return found


async def redrive(nats: Nats, service: str, number: int) -> str:
    """Have the running consumer process the event now; "done" and "duplicate" remove the letter, a failure keeps it."""
    letter = await get(nats, service, number)
    try:
        answer = await nats.client.request(
            redrive_subject(letter.consumer),
            letter.body,
            timeout=_REDRIVE_S,
            headers=letter.headers,
        )
    except NoRespondersError:
        raise NobodyConsumes(
            f"no running process runs {letter.consumer}; start {service} and try again"
        ) from None
    outcome = answer.data.decode()
    if outcome in ("done", "duplicate"):
        await nats.js.delete_msg(dead_stream_of(service), number)
    return outcome


async def skip(nats: Nats, service: str, number: int) -> DeadLetter:
    """Remove the letter for good: its effect will never happen."""
    letter = await get(nats, service, number)
    await nats.js.delete_msg(dead_stream_of(service), number)
    return letter


def _letter(headers: dict[str, str], body: bytes, number: int, at: str) -> DeadLetter:
    return DeadLetter(
        number=number,
        consumer=headers.get(f"{_PREFIX}consumer", ""),
        event_id=headers.get("ce-id", ""),
        type=headers.get("ce-type", ""),
        tenant=headers.get(f"{_PREFIX}tenant", ""),
        record=headers.get("ce-subject", ""),
        stream=headers.get(f"{_PREFIX}stream", ""),
        sequence=int(headers.get(f"{_PREFIX}sequence", "0")),
        tries=int(headers.get(f"{_PREFIX}tries", "0")),
        error=headers.get(f"{_PREFIX}error", ""),
        at=at,
        body=body,
        headers=headers,
    )


# --- command line -----------------------------------------------------------------------------------------------------------


async def command(nats_url: str, arguments: Sequence[str]) -> int:
    """`dead-letters list|show|redrive|skip <service> [<number>]`; prints, and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="dead-letters", description="Events that a consumer could not process."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    for name, text in _ACTIONS.items():
        action = actions.add_parser(name, help=text)
        action.add_argument("service", help="the service whose consumer failed")
        if name != "list":
            action.add_argument("number", type=int, help="the letter's number in `list`")
    given = parser.parse_args(arguments)
    nats = Nats(nats_url, "akrab dead-letters")
    await nats.connect()
    try:
        return await _run(nats, given)
    except (NoSuchLetter, NobodyConsumes) as refusal:
        print(refusal)
        return 1
    except NotFoundError:
        print(f"{given.service} has no dead-letter stream: is the name right?")
        return 1
    finally:
        await nats.close()


_ACTIONS = {
    "list": "one line each, oldest first",
    "show": "the event, the error, and what happened to its record since",
    "redrive": "try again now; gone if it succeeds",
    "skip": "give the effect up for good",
}


async def _run(nats: Nats, given: argparse.Namespace) -> int:
    if given.action == "list":
        async for letter in find(nats, given.service):
            print(
                f"{letter.number}\t{letter.at}\t{letter.consumer}\t{letter.type}\t{letter.record}\t{letter.error}"
            )
    elif given.action == "show":
        await _show(nats, await get(nats, given.service, given.number))
    elif given.action == "redrive":
        outcome = await redrive(nats, given.service, given.number)
        print(outcome)
        return 0 if outcome in ("done", "duplicate") else 1
    else:
        letter = await get(nats, given.service, given.number)
        await _print_later(nats, letter)
        await skip(nats, given.service, given.number)
        print(f"skipped {letter.type} {letter.event_id}: {letter.consumer} will never process it")
    return 0


async def _show(nats: Nats, letter: DeadLetter) -> None:
    print(
        f"consumer  {letter.consumer}\nevent     {letter.type} {letter.event_id}\ntenant    {letter.tenant}"
    )
    print(
        f"record    {letter.record}\nfrom      {letter.stream} {letter.sequence}\ntries     {letter.tries}"
    )
    print(f"error     {letter.error}\nbody      {letter.body.decode(errors='replace')}")
    await _print_later(nats, letter)


async def _print_later(nats: Nats, letter: DeadLetter) -> None:
    later = await later_events(nats, letter)
    print(
        f"later events of the same record: {len(later)}"
        + (" or more" if len(later) == _SHOWN_LATER else "")
    )
    for event in later:
        print(f"  {event.sequence}\t{event.state}\t{event.type}\t{event.event_id}")
