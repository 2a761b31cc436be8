"""The language of `order_by`: fields with a direction, divided by commas (AIP-132)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.kit.filter_syntax import FilterError, proto_path
from chassis.kit.filter_values import Field

MAX_ORDER_KEYS = 4

_DIRECTIONS = ("asc", "desc")


@dataclass(frozen=True, slots=True)
class Order:
    """One key of `order_by`: the name of a field and its direction."""

    field: str
    descending: bool


def parse_order(text: str, fields: Mapping[str, Field]) -> list[Order]:
    """Read ``name desc, create_time desc``; "" gives no key. Raises `FilterError`.

    All keys must run in one direction: a keyset over mixed directions is no range of an index.
    """
    orders: list[Order] = []
    position = 0
    for key in text.split(",") if text.strip() else ():
        try:
            orders.append(_order_key(key, fields, orders))
        except ValueError as refusal:
            raise FilterError(position, key.strip()[:40], str(refusal)) from None
        position += len(key) + 1
    return orders


def _order_key(key: str, fields: Mapping[str, Field], earlier: Sequence[Order]) -> Order:
    words = key.split()
    if not words or len(words) > 2 or (len(words) == 2 and words[1] not in _DIRECTIONS):
        raise ValueError("expected a field, or a field followed by asc or desc")
    name = proto_path(words[0])
    if name not in fields or not fields[name].sortable:
        sortable = ", ".join(sorted(each for each, field in fields.items() if field.sortable))
        raise ValueError(f"cannot order by {name}; expected one of {sortable}")
    if name in [order.field for order in earlier]:
        raise ValueError(f"{name} is named twice")
    if len(earlier) == MAX_ORDER_KEYS:
        raise ValueError(f"expected at most {MAX_ORDER_KEYS} keys")
    order = Order(name, descending=words[1:] == ["desc"])
    if earlier and order.descending != earlier[0].descending:
        first, last = (f"{o.field} {_DIRECTIONS[o.descending]}" for o in (earlier[0], order))
        raise ValueError(f"all keys must run in one direction, got {first} and {last}")
    return order
