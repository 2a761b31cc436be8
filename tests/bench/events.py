"""B8 and B9: how soon events arrive, and how fast a backlog of them leaves."""

import asyncio
import json
import random
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import nats
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from chassis import codec, keys
from chassis.call import SYSTEM, Cause
from chassis.kit import facts
from chassis.rights import Rights
from chassis.times import to_timestamp
from chassis.tx import Draws, Tx
from crm.common.v1 import common_pb2
from crm.contacts.v1 import events_pb2
from tests.bench import contacts, load
from tests.bench.company import Company
from tests.bench.installation import Installation, moment
from tests.bench.rates import settled
from tests.bench.report import Result, at_least, at_most, told

_PER_S = 100
_VERSIONS = 10
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STREAM = "CONTACTS"


# -- B8 ----------------------------------------------------------------------------------------------------------------------


class Arrivals:
    """When each creation was answered, and when its event reached the subscriber and the SSE client."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.answered: dict[str, float] = {}
        self.subscriber: dict[str, float] = {}
        self.live: dict[str, float] = {}

    async def on_message(self, message: Msg) -> None:
        self.subscriber.setdefault(
            (message.headers or {}).get("ce-subject", ""), time.perf_counter()
        )

    async def read_live(self, reader: asyncio.StreamReader, opened: asyncio.Event) -> None:
        """Notes every id that an event of the stream names, until cancelled."""
        while line := await reader.readline():
            if b"welcome" in line:
                opened.set()
            if line.startswith(b"data:"):
                now = time.perf_counter()
                for id in _ID.findall(line):
                    self.live.setdefault(id.decode(), now)

    def delays_ms(self, arrived: dict[str, float]) -> list[float]:
        """From the answer to the arrival, sorted; an event may be quicker than the answer."""
        return sorted(
            max(0.0, arrived[id] - at) * 1e3 for id, at in self.answered.items() if id in arrived
        )

    @property
    def complete(self) -> bool:
        return all(
            len(set(self.answered) & set(a)) == self.count for a in (self.subscriber, self.live)
        )


def delays(installation: Installation, company: Company, seconds: float) -> list[Result]:
    """B8: 100 creations a second, half of them by each process; one of the two is not the one with the relay.

    It begins when consumers have nothing left of what was measured before.
    """
    asyncio.run(settled(installation))
    arrivals = asyncio.run(
        _deliver(installation, company.sign_in(installation).token, int(_PER_S * seconds))
    )
    heard, live = arrivals.delays_ms(arrivals.subscriber), arrivals.delays_ms(arrivals.live)
    return [
        at_most("B8", "HTTP answer -> JetStream subscriber, p50", _at(heard, 50), "ms", 3),
        at_most("B8", "HTTP answer -> JetStream subscriber, p99", _at(heard, 99), "ms", 15),
        at_most("B8", "HTTP answer -> SSE client, p99", _at(live, 99), "ms", 100),
        told("B8", "HTTP answer -> SSE client, p50", _at(live, 50), "ms"),
    ]


def _at(values: list[float], percent: int) -> float:
    return values[min(len(values) - 1, len(values) * percent // 100)]


async def _deliver(installation: Installation, token: str, count: int) -> Arrivals:
    arrivals, opened = Arrivals(count), asyncio.Event()
    client = await nats.connect(installation.nats_url)
    await client.jetstream().subscribe(
        "crm.*.contacts.>",
        stream=_STREAM,
        cb=arrivals.on_message,
        ordered_consumer=True,
        deliver_policy=DeliverPolicy.NEW,
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", installation.port)
    writer.write(load.request("GET", "/v1/events", token).encode())
    listening = asyncio.create_task(arrivals.read_live(reader, opened))
    try:
        await asyncio.wait_for(opened.wait(), 30)
        pids = installation.app_pids
        sockets = load.connected(installation.port, pids, len(pids))
        began = time.perf_counter() + 0.2
        async with asyncio.TaskGroup() as group:
            for at, endpoint in enumerate(sockets):
                group.create_task(
                    _create(endpoint, token, arrivals, began, range(at, count, len(sockets)))
                )
        async with asyncio.timeout(30):
            while not arrivals.complete:
                await moment()
    finally:
        listening.cancel()
        writer.close()
        await client.close()
    return arrivals


async def _create(
    endpoint: Any, token: str, arrivals: Arrivals, began: float, numbers: range
) -> None:
    """Creates a contact at each number's moment, over one connection."""
    endpoint.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=endpoint)
    for number in numbers:
        await moment(max(0.0, began + number / _PER_S - time.perf_counter()))
        id = keys.uuid7()
        given, family = contacts.name(random.Random())
        body = json.dumps({"id": id, "givenName": given, "familyName": family})
        writer.write(load.request("POST", "/v1/contacts", token, body).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if head[9:12] != b"200" or length is None:
            raise RuntimeError(f"a creation was refused: {head[:200]!r}")
        await reader.readexactly(int(length[1]))
        arrivals.answered[id] = time.perf_counter()
    writer.close()


# -- B9 ----------------------------------------------------------------------------------------------------------------------


def backlog(installation: Installation, company: Company, count: int) -> list[Result]:
    """B9: `count` events become visible to the relay at once, by one commit."""
    seconds, lost, misplaced = asyncio.run(_drain(installation, company.tenant_id, count))
    return [
        at_least("B9", f"backlog of {count:,} events drained", count / seconds, "1/s", 5_000),
        at_most("B9", "events lost", lost, "", 0),
        at_most("B9", "events out of order within their record", misplaced, "", 0),
    ]


def _rows(tenant_id: str, count: int) -> Iterator[tuple[str, int, tuple[str, str, str, str]]]:
    """(record, version, outbox row): versions in order, the records mixed, as many users at work would write them."""
    tx = Tx(
        None, tenant=tenant_id, actor=SYSTEM, cause=Cause("import", "bench"), draws=Draws(datetime.now(UTC)),  # type: ignore[arg-type]
        rights=Rights.of_system(),
    )  # fmt: skip
    company = Company(tenant_id, "", (str(uuid.uuid4()),), (str(uuid.uuid4()),))
    made = [contacts.contact(n, count, company) for n in range(count // _VERSIONS)]
    for version in range(1, _VERSIONS + 1):
        for contact in made:
            contact.etag = str(version)
            event = events_pb2.ContactCreated() if version == 1 else events_pb2.ContactUpdated()
            change = common_pb2.Change(
                version=version, changed_fields=["position"], time=to_timestamp(tx.now)
            )
            body = facts.event_body(event, change, codec.to_json(contact))
            yield (
                contact.id,
                version,
                facts.event_row(
                    tx, event.DESCRIPTOR.full_name, f"contacts/{contact.id}", body, "import"
                ),
            )


async def _drain(installation: Installation, tenant_id: str, count: int) -> tuple[float, int, int]:
    rows = list(_rows(tenant_id, count))
    client = await nats.connect(installation.nats_url)
    connection = await asyncpg.connect(installation.database_url())
    try:
        last = (await client.jetstream().stream_info(_STREAM)).state.last_seq
        transaction = connection.transaction()
        await transaction.start()
        await connection.copy_records_to_table(
            "outbox", columns=["tenant_id", "subject", "record", "headers", "body"],
            records=[(tenant_id, *row) for _, _, row in rows],
        )  # fmt: skip
        await transaction.commit()
        began = time.perf_counter()
        async with asyncio.timeout(600):
            while await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                await moment(0.02)
        seconds = time.perf_counter() - began
        return seconds, *await _checked(
            client, last, {(record, version) for record, version, _ in rows}
        )
    finally:
        await connection.close()
        await client.close()


async def _checked(client: Any, after: int, wanted: set[tuple[str, int]]) -> tuple[int, int]:
    """(how many are missing, how many come behind a later one of their record) in what a subscriber reads."""
    records, seen, misplaced = {record for record, _ in wanted}, set(), 0
    newest: dict[str, int] = defaultdict(int)
    subscription = await client.jetstream().subscribe(
        "crm.*.contacts.>", stream=_STREAM, ordered_consumer=True, pending_msgs_limit=-1, pending_bytes_limit=-1,
        config=ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1),
    )  # fmt: skip
    while len(seen) < len(wanted):
        try:
            message = await subscription.next_msg(timeout=10)
        except nats.errors.TimeoutError:
            break
        record = message.headers["ce-subject"]
        if record in records:
            version = int(json.loads(message.data)["change"]["version"])
            misplaced += version < newest[record]
            newest[record] = max(newest[record], version)
            seen.add((record, version))
    return len(wanted - seen), misplaced
