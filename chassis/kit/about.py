"""What a screen shows of one record: lists whose filters differ only by its id, found together in one statement.

    OPEN_DEALS = About("/crm.deals.v1.DealsService/ListDeals", store.deals, 'party_ids:"{id}" AND state = OPEN')
    found = await first_of(tx, request.id, {"open_deals": OPEN_DEALS, ...})

Each list is what its RPC would answer: with its right, scope and hidden fields. A filter is read and compiled once, not at each
call, and one round trip costs a fraction of what as many statements cost.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from google.protobuf.message import Message

from chassis import errors, permits
from chassis.call import Raw
from chassis.db.statement import Statement, placed
from chassis.kit import filter as filters
from chassis.kit import listing, showing
from chassis.kit.listing import Query
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

FIRST = 20
"""How many records of each list a screen shows."""

_ANYBODY = UUID(int=0)
_TYPES = {"owner_id": "uuid", "department_id": "uuid", "follower_ids": "uuid[]"}
_KEPT = 256
_together: OrderedDict[tuple[Statement, ...], str] = OrderedDict()


@dataclass(frozen=True)
class About:
    """A list of `resource` as the RPC named `rpc` would give it; `{id}` in the filter is the record that it is about."""

    rpc: str
    resource: "Resource[Any]"
    filter: str
    order_by: str = ""

    @cached_property
    def query(self) -> Query:
        """For nobody's id; neither filter nor order may name what differs between tenants or moments."""
        resource = self.resource
        node = filters.parse(self.filter.format(id=_ANYBODY))
        compiled = filters.compile_filter(node, resource.fields, {})
        text = self.order_by or resource.default_order
        orders = tuple(filters.parse_order(text, resource.fields))
        order_fields = tuple(resource.fields[order.field] for order in orders)
        return Query(
            node, compiled, orders, order_fields, words=(), prefix="", size=FIRST, after=(),
            deleted=False, identity=b"", open_search=False,
        )  # fmt: skip

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The parameters of the query in which the record's id belongs."""
        return tuple(name for name, value in self.query.filter.params.items() if value == _ANYBODY)

    @cached_property
    def _revealed(self) -> list[str]:
        named = (*filters.fields_named(self.query.node), *(o.field for o in self.query.orders))
        return [self.resource.reveals(name) for name in named]

    def is_given(self, tx: Tx) -> bool:
        """Whether the caller may ask for the list and read every field that it names."""
        if not permits.may(tx, self.rpc):
            return False
        try:
            showing.refuse_unreadable(tx, self.resource, self._revealed)
        except errors.PermissionDenied:
            return False
        return True


async def first_of(tx: Tx, id: str, lists: Mapping[str, About]) -> dict[str, list[bytes]]:
    """name -> the first records of each list, as the caller takes and may see them; none of what he may not ask for.

    `id` is a UUID.
    """
    assert tx.call is not None
    json = tx.call.wants_json
    given = {name: each for name, each in lists.items() if each.is_given(tx)}
    rows = await _found(tx, list(given.values()), UUID(id), json)
    kind = "json" if json else "doc"
    shown = {
        name: showing.shown_page(tx, each.resource, found[:FIRST], kind)
        for (name, each), found in zip(given.items(), rows, strict=True)
    }
    return {name: shown.get(name, []) for name in lists}


async def answer(tx: Tx, message: type[Message], id: str, lists: Mapping[str, About]) -> Raw:
    """An answer whose fields are these lists."""
    assert tx.call is not None
    found, json = await first_of(tx, id, lists), tx.call.wants_json
    return Raw(showing.joined(message, found, json=json), json=json)


async def _found(tx: Tx, asked: list[About], id: UUID, json: bool) -> list[list[Any]]:
    """The rows of each list, in its order."""
    found: list[list[Any]] = [[] for _ in asked]
    statements, arguments, columns = [], [], []
    for each in asked:
        column = showing.column_shown(tx, each.resource, json=json)
        statement, values = listing.prepared(tx, each.resource, each.query, column)
        statements.append(statement)
        columns.append((column, each.resource.scope_columns))
        arguments += statement.arguments(values | dict.fromkeys(each.ids, id), tx.tenant)
    if not asked:
        return found
    key = tuple(statements)
    sql = _together.get(key)
    if sql is None:
        sql = _together[key] = _joined(statements, columns)
        while len(_together) > _KEPT:
            _together.popitem(last=False)
    else:
        _together.move_to_end(key)
    for row in await tx.run_sql(sql, arguments, "fetch"):
        found[row["part"]].append(row)
    return found


def _joined(statements: list[Statement], columns: list[tuple[str, tuple[str, ...]]]) -> str:
    """One statement of all, with what `shown_page` reads of a row; each list keeps its order."""
    parts, before = [], 0
    for at, (statement, (column, scope)) in enumerate(zip(statements, columns, strict=True)):
        chosen = [
            "f.id",
            "f.doc" if column == "doc" else "NULL::bytea AS doc",
            "f.json" if column == "json" else "NULL::text AS json",
            *(f"f.{n}" if n in scope else f"NULL::{_TYPES[n]} AS {n}" for n in _TYPES),
        ]
        parts.append(
            f"SELECT {at} AS part, row_number() OVER () AS place, {', '.join(chosen)}"
            f" FROM ({placed(statement.sql, before)}) AS f"
        )
        before += len(statement.names)
    return "\nUNION ALL\n".join(parts) + "\nORDER BY part, place"
