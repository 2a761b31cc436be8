"""A list as it was at an instant: one version per record from the history, filtered here (M4)."""

import uuid
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from chassis import codec
from chassis.call import Raw
from chassis.kit import history, listing, showing
from chassis.kit.filter import predicate
from chassis.kit.page_token import PageTokens
from chassis.times import to_datetime
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource


def packed(answer: type[Message], records: list[bytes], token: str, *, json: bool) -> Raw:
    """A list answer of records that are bytes already; nothing is decoded."""
    parts = {answer.DESCRIPTOR.fields[0].name: records}
    if json:
        tail = b',"nextPageToken":"' + token.encode() + b'"}' if token else b"}"
        return Raw(showing.joined(answer, parts, json=True)[:-1] + tail, json=True)
    body = showing.joined(answer, parts, json=False)
    return Raw(body + answer(next_page_token=token).SerializeToString())  # type: ignore[call-arg]


async def page(tx: Tx, resource: "Resource[Any]", request: Any, tokens: PageTokens) -> Raw:
    """The list's page as it was at `request.as_of`, under today's scopes and hidden fields."""
    assert tx.call is not None
    fields = showing.checked_fields(tx, resource, request.fields.paths)
    query = listing.checked(tx, resource, request, tokens)
    holds = predicate(query.node, resource.fields, resource.custom_filters(tx))
    found = []
    for message in await history.all_as_of(tx, resource, request.as_of):
        values = values_of(resource, message)
        if holds(values) and matches(resource, query, values):
            place = (*keys_of(resource, query, values), uuid.UUID(message.id))
            found.append((place, message))
    found.sort(key=lambda pair: pair[0], reverse=query.descending)
    if query.after:
        after = tuple(query.after)
        found = [p for p in found if (p[0] < after if query.descending else p[0] > after)]
    shown, more = found[: query.size], len(found) > query.size
    token = tokens.make(list(shown[-1][0]), query.descending, query.identity) if more else ""
    json = tx.call.wants_json
    limited = [showing.limited(tx, resource, message, fields) for _, message in shown]
    records = [codec.to_json(m) if json else m.SerializeToString() for m in limited]
    return packed(tx.call.method.output, records, token, json=json)


def values_of(resource: "Resource[Any]", message: Any) -> dict[str, Any]:
    """The row that the message would have: what filters, orders and search compare."""
    values = {
        "id": message.id,
        "create_time": to_datetime(message.create_time),
        "update_time": to_datetime(message.update_time),
        **resource.values(message),
    }
    if resource.has_custom:
        values["custom"] = {key: codec.to_dict(value) for key, value in message.custom.items()}
    return values


def keys_of(
    resource: "Resource[Any]", query: listing.Query, values: dict[str, Any]
) -> tuple[Any, ...]:
    """By what the list is sorted; the id comes behind."""
    return tuple(resource.order_value(order, field, values) for order, field in query.sorts)


def matches(resource: "Resource[Any]", query: listing.Query, values: dict[str, Any]) -> bool:
    """True if the text search finds the row."""
    if not query.words and not query.prefix:
        return True
    text = values[resource.searched_column(query.open_search)]
    return all(word in text for word in query.words) and text.startswith(query.prefix)
