"""The board of a pipeline, now and as it was at an instant: columns with what they come to, and the first deals of each."""

import uuid
from typing import Any

from chassis import codec
from chassis.call import Raw
from chassis.kit import as_of, history, listing, showing
from chassis.kit.filter import predicate
from chassis.tx import Tx
from crm.deals.v1 import board_pb2 as pb
from crm.deals.v1 import deal_pb2
from services.deals import converting, store
from services.deals.rules import board as rules

Deal = deal_pb2.Deal
_DEALS = pb.BoardColumn.DESCRIPTOR.fields_by_name["deals"].number
_COLUMNS = pb.Board.DESCRIPTOR.fields_by_name["columns"].number
_LENGTH_DELIMITED = 2  # protobuf's wire type of a part


async def now(tx: Tx, request: pb.GetBoardRequest) -> Raw:
    """The board as it is: sums first, then the heads of the columns that hold something."""
    pipeline = await store.pipelines.get(tx, request.pipeline_id)
    groups, base = await _groups(tx, request), await converting.base_of(tx)
    found, json = [], tx.call is not None and tx.call.wants_json
    for column in rules.columns(pipeline, groups, shown(tx), base):
        asked = _list_of(request, column)
        records: list[bytes] = []
        if column.count:
            records, column.next_page_token, _ = await listing.answer(tx, store.deals, asked, tx.runtime.page_tokens)  # fmt: skip
        found.append(_packed_column(column, records, json=json))
    return _packed(found, json=json)


async def _groups(tx: Tx, request: pb.GetBoardRequest) -> list[rules.Group]:
    whole = deal_pb2.ListDealsRequest(filter=request.filter, order_by=request.order_by)
    listing.checked(
        tx, store.deals, whole, tx.runtime.page_tokens
    )  # by itself: it must not close our parentheses
    if not request.filter.strip():
        return await store.board.open_groups(tx, request.pipeline_id)
    whole.filter = rules.board_filter(request.pipeline_id, request.filter)
    query = listing.checked(tx, store.deals, whole, tx.runtime.page_tokens)
    return await store.board.found_groups(tx, query)


async def then(tx: Tx, request: pb.GetBoardRequest) -> Raw:
    """The board as it was, under today's rights; reads every deal of that moment, so it refuses more than 20,000."""
    pipeline = await history.as_of(tx, store.pipelines, request.pipeline_id, request.as_of)
    tokens, json = tx.runtime.page_tokens, tx.call is not None and tx.call.wants_json
    fields = showing.checked_fields(tx, store.deals, request.fields.paths)
    whole = deal_pb2.ListDealsRequest(filter=request.filter, order_by=request.order_by, as_of=request.as_of)  # fmt: skip
    listing.checked(tx, store.deals, whole, tokens)
    whole.filter = rules.board_filter(request.pipeline_id, request.filter)
    query = listing.checked(tx, store.deals, whole, tokens)
    holds = predicate(query.node, store.deals.fields, store.deals.custom_filters(tx))
    placed: dict[str, list[tuple[Any, Deal]]] = {}
    for deal in await history.all_as_of(tx, store.deals, request.as_of):
        values = as_of.values_of(store.deals, deal)
        if holds(values):
            place = (*as_of.keys_of(store.deals, query, values), uuid.UUID(deal.id))
            placed.setdefault(deal.stage_id, []).append((place, deal))
    groups = rules.groups_of(deal for some in placed.values() for _, deal in some)
    found, base = [], await converting.base_of(tx)
    for column in rules.columns(pipeline, groups, shown(tx), base):
        asked = listing.checked(tx, store.deals, _list_of(request, column), tokens)
        some = sorted(placed.get(column.stage_id, ()), key=lambda pair: pair[0], reverse=asked.descending)  # fmt: skip
        page = some[: asked.size]
        if len(some) > asked.size:
            column.next_page_token = tokens.make(list(page[-1][0]), asked.descending, asked.identity)  # fmt: skip
        records = [_record(tx, deal, fields, json=json) for _, deal in page]
        found.append(_packed_column(column, records, json=json))
    return _packed(found, json=json)


def _record(tx: Tx, deal: Deal, fields: tuple[str, ...], *, json: bool) -> bytes:
    deal.can.extend(tx.rights.can(store.deals.object, *store.deals.scope_of_message(deal)))
    message = showing.limited(tx, store.deals, deal, fields)
    return codec.to_json(message) if json else bytes(message.SerializeToString())


def _list_of(request: pb.GetBoardRequest, column: pb.BoardColumn) -> deal_pb2.ListDealsRequest:
    """The list of deals that gives the column, which is told with it: its page tokens are those of that list."""
    column.filter = rules.column_filter(request.pipeline_id, column.stage_id, request.filter)
    asked = deal_pb2.ListDealsRequest(
        filter=column.filter, order_by=request.order_by, page_size=request.page_size, fields=request.fields
    )  # fmt: skip
    if request.HasField("as_of"):
        asked.as_of.CopyFrom(request.as_of)
    return asked


def shown(tx: Tx) -> rules.Shown:
    """Which figures the caller may see: a sum tells of what it is made of."""
    return rules.Shown(
        amount=sees(tx, "amount"), base_amount=sees(tx, "base_amount"), weighted=sees(tx, "probability")
    )  # fmt: skip


def sees(tx: Tx, path: str) -> bool:
    """Whether this field of deals is shown to the caller."""
    try:
        showing.refuse_unreadable(tx, store.deals, [path])
    except showing.FieldHidden:
        return False
    return True


# -- the answer: the deals' stored bytes with the columns around them ------------------------------------------------------


def _packed_column(column: pb.BoardColumn, records: list[bytes], *, json: bool) -> bytes:
    if json:
        head = codec.to_json(column)
        return head[:-1] + b',"deals":[' + b",".join(records) + b"]}" if records else head
    return column.SerializeToString() + b"".join(_part(_DEALS, record) for record in records)


def _packed(columns: list[bytes], *, json: bool) -> Raw:
    if json:
        return Raw(b'{"columns":[' + b",".join(columns) + b"]}", json=True)
    return Raw(b"".join(_part(_COLUMNS, column) for column in columns))


def _part(number: int, body: bytes) -> bytes:
    """A part of a protobuf message that is bytes already."""
    return bytes([number << 3 | _LENGTH_DELIMITED]) + showing.varint(len(body)) + body
