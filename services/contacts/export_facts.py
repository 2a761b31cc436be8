"""Card facts as columns of exported files, under the names by which lists filter them, and whom somebody was in touch with."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chassis.tx import Tx
from crm.contacts.v1 import card_facts_pb2 as pb
from services.contacts import facts, store
from services.contacts.store import fact_columns

_USERS = {"facts.last_in_user": "last_in", "facts.last_out_user": "last_out"}
"""Column -> field of the facts whose user it names."""
COLUMNS: Mapping[str, Sequence[str]] = {
    object: (*fields, *_USERS) for object, fields in fact_columns.FIELDS.items()
}


async def cells(
    tx: Tx, object: str, ids: Sequence[str], columns: Sequence[str]
) -> Mapping[str, Mapping[str, list[str]]]:
    """id -> column -> cells of those columns that are facts; a fact that is not known, or hidden from the caller, has none."""
    wanted = [column for column in columns if column in COLUMNS[object]]
    if not wanted:
        return {}
    fields, currency = fact_columns.FIELDS[object], tx.directory.tenant().get("currency") or ""
    found: dict[str, dict[str, list[str]]] = {}
    for row in await store.card_facts.rows(tx, object, ids):
        seen = facts.shown(tx, object, row)
        values = fact_columns.values(seen, currency)
        found[str(row["id"])] = {
            name: _of_user(tx, seen, name)
            if name in _USERS
            else _written(values[fields[name].column], fields[name].sentinel)
            for name in wanted
        }
    return found


def _of_user(tx: Tx, seen: pb.CardFacts, column: str) -> list[str]:
    """As the column `owner` names users."""
    user = tx.directory.user(getattr(seen, _USERS[column]).user_id) or {}
    return [user.get("email") or user["name"]] if user else []


def _written(value: Any, nothing: Any) -> list[str]:
    """One value as any program reads it: times in UTC, numbers with a point."""
    if value == nothing:
        return []
    if isinstance(value, list):
        return value[2::3]  # of each click id: its name, its value, and both
    if isinstance(value, datetime):
        return [value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")]
    return [f"{value:f}" if isinstance(value, Decimal) else str(value)]
