"""Changes of many records and erasures: the filter by which somebody chose the records may name a person, by id or in his own words.

Nobody is told the names of who is erased, so the filter goes from every change in which he or one of his records stands: in the filter
itself, in `ids`, or among what the change is about; and from those that are closed, of which nobody knows any more what they were
about. What it did, its counts and its undo stay.
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit import bulk
from chassis.kit.save import Conflict
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

_TYPES: dict[str, Any] = {"needles": ARRAY(LargeBinary), "ids": ARRAY(Uuid)}


@cache
def _sql(sql: str, *names: str) -> Statement:
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


_NAMED = "EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n WHERE position(n IN {}) > 0)"


async def scrub(
    tx: Tx, changes: "Resource[Any]", items: str, ids: Iterable[str]
) -> tuple[set[str], int]:
    """Takes the filters that may name one of these records, from the changes and their old versions. May be done again.

    `items` is the table of what each change is about, with `change_id` and `doc`. (The ids of the changes: what is stored and told
    of them holds the filters too; how many filters went.)
    """
    await tx.begin()
    found = await tx.fetch(
        _sql(
            f"SELECT c.id, c.doc FROM {changes.name} c WHERE c.tenant_id = :tenant_id AND (c.state = :closed OR"
            f" {_NAMED.format('c.doc')} OR EXISTS (SELECT FROM {items} i WHERE i.tenant_id = c.tenant_id AND i.change_id = c.id"
            f" AND {_NAMED.format('i.doc')})) ORDER BY c.id FOR UPDATE OF c",
            "closed", "needles",
        ),
        closed=changes.message.STATE_CLOSED, needles=[id.encode() for id in sorted(set(ids))],
    )  # fmt: skip
    writes = []
    for row in found:
        change = changes.message.FromString(row["doc"])
        if change.filter:
            change.ClearField("filter")
            writes.append(bulk.Write(change, row["doc"]))
    if (await bulk.write(tx, changes, writes)).lost:
        raise Conflict
    held = [str(row["id"]) for row in found]
    await tx.execute(
        _sql(
            f"DELETE FROM {changes.history.name} WHERE tenant_id = :tenant_id AND valid_to IS NOT NULL"
            " AND id = any(CAST(:ids AS uuid[]))",
            "ids",
        ),
        ids=held,
    )  # fmt: skip
    return set(held), len(writes)
