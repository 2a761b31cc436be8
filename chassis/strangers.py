"""Callers without a session: told apart without being known, and counted so that none of them floods a door."""

import hashlib
import ipaddress
from datetime import UTC, datetime

from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid, bindparam, delete
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx


class Counts:
    """How many calls each address has made at each door in this minute: a table, so that all processes share the limit."""

    def __init__(
        self, table: str, metadata: MetaData, *, door: str, address: str = "sender_hash"
    ) -> None:
        """`door` and `address` name the columns of the door's id and of the caller's hash."""
        self.table = Table(
            table,
            metadata,
            Column("tenant_id", Uuid, primary_key=True),
            Column(door, Uuid, primary_key=True),
            Column(address, Text, primary_key=True),
            Column("minute", Moment, primary_key=True),
            Column("count", Integer, nullable=False),
        )
        columns = self.table.c
        tenant, minute = bindparam("tenant_id", type_=Uuid), bindparam("minute", type_=Moment)
        at, caller = bindparam("door", type_=Uuid), bindparam("caller", type_=Text)
        first = upsert(self.table).values(
            {"tenant_id": tenant, door: at, address: caller, "minute": minute, "count": 1}
        )
        again = first.on_conflict_do_update(
            index_elements=["tenant_id", door, address, "minute"],
            set_={"count": columns["count"] + 1},
        )
        self._count = Statement(again.returning(columns["count"]))
        self._forget = Statement(
            delete(self.table).where(
                columns.tenant_id == tenant, columns[door] == at, columns.minute < minute
            )
        )

    async def beyond(
        self, limit: int, tx: Tx, door_id: str, own: Tx | None = None
    ) -> datetime | None:
        """Counts the call of `tx` against its address; when it was, if it was one too many in its minute.

        Counted in `own`, where that is given: in a transaction that is written whatever becomes of the call.
        """
        now = datetime.now(UTC)  # limits keep real time, whatever a test's clock says
        if own is not None and tx.tries > 1:
            return None  # the body runs again, the caller does not
        counting, minute = own or tx, now.replace(second=0, microsecond=0)
        await counting.begin()
        calls: int = await counting.fetchval(
            self._count, door=door_id, caller=address_hash(tx, door_id), minute=minute
        )
        if calls == 1:
            await counting.execute(self._forget, door=door_id, minute=minute)
        return now if calls > limit else None


def address_hash(tx: Tx, door_id: str) -> str:
    """The caller without his address: a hash that differs from door to door; an IPv6 network of one house is one caller."""
    assert tx.call is not None
    peer = tx.call.peer
    try:
        address = ipaddress.ip_address(peer)
        if address.version == 6:
            peer = str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        pass  # no address, as in a call from within: such callers share one count
    return hashlib.sha256(f"{door_id}/{peer}".encode()).hexdigest()[:32]
