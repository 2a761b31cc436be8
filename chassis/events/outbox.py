"""The outbox table, who may touch it, and how a commit wakes the relay.

`tenant_id` is in every row but no row-level policy: the relay serves all tenants, with a role of its own that may touch only
the tables of the background. A service's role may put rows into the outbox and nothing else.
"""

import asyncio
import contextlib

from nats.errors import Error as NatsError
from sqlalchemy import BigInteger, Column, DateTime, Identity, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from chassis import errors
from chassis.events.nats import Nats, ending
from chassis.waits import first_of

CAUSE_HEADER = "ce-cause"
"""The kind of an event's cause, so that who leaves a whole import alone need not read what it brought."""
MAX_BODY_BYTES = 900_000  # NATS takes messages up to 1 MiB, headers included

# Rows live for milliseconds, so dead ones outnumber the living: vacuum by count, not by share.
_BUSY_QUEUE = {
    "autovacuum_vacuum_scale_factor": "0.0",
    "autovacuum_vacuum_threshold": "1000",
    "fillfactor": "100",
}


def outbox_table(metadata: MetaData) -> Table:
    """What was committed and is not yet published. `seq` orders the rows of one `record` as they were committed."""
    return Table(
        "outbox",
        metadata,
        Column("seq", BigInteger, Identity(always=True), primary_key=True),
        Column("tenant_id", Uuid, nullable=False),
        Column("subject", Text, nullable=False),
        Column("record", Text, nullable=False, server_default=""),
        Column("headers", JSONB, nullable=False),
        Column("body", Text, nullable=False),
        Column(
            "created",
            DateTime(timezone=True),
            nullable=False,
            server_default=text("clock_timestamp()"),
        ),
        postgresql_with=_BUSY_QUEUE,
    )


# rights of the service's role, rights of its background role
GRANTS = ("INSERT", "SELECT, DELETE")


def check_size(body: str) -> None:
    """Refuse an event that NATS would not take: it would stop its record's events for ever."""
    if (size := len(body.encode())) > MAX_BODY_BYTES:
        raise errors.InvalidArgument(
            f"the record has {size} bytes; at most {MAX_BODY_BYTES} can be published; shorten it"
        )


class Wake:
    """Tells the relay of a database, in whatever process it runs, that rows were committed.

    In the relay's own process that is an event. To other processes goes one core-NATS message per loop turn, however many
    commits there were: `pg_notify` in each transaction costs writers three quarters of their rate. A lost message costs a second.
    """

    def __init__(self, nats: Nats, service: str) -> None:
        self._nats, self._subject = nats, f"crm-wake.{service}"
        self._told = asyncio.Event()
        self._unsent = asyncio.Event()
        self._relay_is_here = False

    def ring(self) -> None:
        """Call after a commit that wrote outbox rows. Never waits."""
        if self._relay_is_here:
            self._told.set()
        else:
            self._unsent.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Carry this process's rings to the process where the relay runs."""
        while not stop.is_set():
            await first_of(self._unsent, stop)
            if self._unsent.is_set():
                self._unsent.clear()
                with contextlib.suppress(NatsError):  # the relay polls
                    await self._nats.client.publish(self._subject)

    # --- the relay's side ---

    @property
    def told(self) -> asyncio.Event:
        return self._told

    async def listen(self) -> None:
        """From now on rings arrive at `told`, from this process and others."""
        self._relay_is_here = True
        self._subscription = await self._nats.client.subscribe(self._subject, cb=self._on_message)

    async def unlisten(self) -> None:
        self._relay_is_here = False
        await ending(self._subscription.unsubscribe())

    async def _on_message(self, _: object) -> None:
        self._told.set()
