"""List: filter, text search, order, keyset pages and the caller's scope in one statement, compiled once per shape.

Lists read the tenant view, never the table: under a row-level policy the planner may use no index through operators that
are not leakproof (PERFORMANCE.md section 1). A keyset token holds the last row's sort values, so page 10,000 costs as
much as page 1. Whose records it reads: list_scope.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf.message import Message
from sqlalchemy import (
    Boolean,
    Select,
    String,
    Uuid,
    and_,
    bindparam,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis import errors, fold
from chassis.db.statement import Statement
from chassis.errors import Violation
from chassis.kit import filter as filters
from chassis.kit import list_scope
from chassis.kit.filter import Compiled, Field, FilterError, Node, Order
from chassis.kit.page_token import PageTokenError, PageTokens
from chassis.kit.showing import checked_fields, column_shown, refuse_unreadable, shown_page
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

PAGE, LARGEST_PAGE = 50, 200
_SHAPES_KEPT = 512
# A limit is part of the statement's text: where it is a parameter, PostgreSQL expects a plan that it keeps to read a tenth
# of all rows, so it keeps none and plans each list anew, for more than running it costs. A few sizes, so that texts are few.
_LIMITS = (11, 26, 51, 101, LARGEST_PAGE + 1)
_PHONE = re.compile(r"[\d\s()+/.-]{3,}")
_TRUNK = re.compile(
    r"\A00?(?=[1-9])"
)  # 0812... and 0062812... are +62812...; more zeros are the number's own


class BadList(errors.InvalidArgument):
    """A filter, order, search or page token that cannot be followed."""

    reason = "BAD_LIST"


@dataclass(frozen=True, slots=True)
class Query:
    """One list request, checked and compiled."""

    node: Node
    filter: Compiled
    orders: tuple[Order, ...]
    order_fields: tuple[Field, ...]
    words: tuple[str, ...]
    prefix: str
    size: int
    after: tuple[Any, ...]
    deleted: bool
    identity: bytes
    open_search: bool

    @property
    def descending(self) -> bool:
        return self.orders[0].descending

    @property
    def sorts(self) -> list[tuple[Order, Field]]:
        return list(zip(self.orders, self.order_fields, strict=True))


def checked(tx: Tx, resource: "Resource[Any]", request: Any, tokens: PageTokens) -> Query:
    """The request's list parameters, each refused by its name if it cannot be followed."""
    size = request.page_size or PAGE
    if not 0 < size <= LARGEST_PAGE:
        raise BadList(
            f"page_size {request.page_size} is out of range; 1 to {LARGEST_PAGE}",
            [Violation("page_size", f"must be 1 to {LARGEST_PAGE}")],
        )
    node, compiled = _compiled_filter(tx, resource, request.filter)
    names = filters.fields_named(node)
    sortable = {**resource.fields, **resource.custom_orders(tx)}
    orders = _orders(sortable, request.order_by or resource.default_order)
    asked = (*names, *(order.field for order in orders))
    refuse_unreadable(tx, resource, [resource.reveals(name) for name in asked])
    _refuse_projections(resource, request, asked)
    words, prefix = _search(resource, request.q)
    identity = _identity(tx, resource, request)
    after: tuple[Any, ...] = ()
    if request.page_token:
        try:
            after = tokens.read(request.page_token, shape=identity).values
        except PageTokenError as error:
            raise BadList(str(error), [Violation("page_token", str(error))]) from None
    order_fields = tuple(sortable[order.field] for order in orders)
    return Query(
        node,
        compiled,
        orders,
        order_fields,
        words,
        prefix,
        size,
        after,
        request.show_deleted,
        identity,
        resource.searches_openly(tx),
    )


def _identity(tx: Tx, resource: "Resource[Any]", request: Any) -> bytes:
    """All that the list depends on; JSON, so that two lists never share one."""
    as_of = request.as_of.ToJsonString() if hasattr(request, "as_of") else ""
    asked = [request.filter, request.order_by, request.q, request.show_deleted, as_of]
    return orjson.dumps([tx.tenant, resource.service, resource.name, *asked])


def _refuse_projections(resource: "Resource[Any]", request: Any, names: Sequence[str]) -> None:
    """In a list of the past, what is kept beside the record: its history was never written."""
    given = hasattr(request, "as_of")
    if not given or (isinstance(request, Message) and not request.HasField("as_of")):
        return
    if of_now := [name for name in names if resource.is_projection(name)]:
        told = f"{of_now[0]} is known of now only; leave it out, or leave as_of out"
        raise BadList(told, [Violation("as_of", f"cannot be asked together with {of_now[0]}")])


def _compiled_filter(tx: Tx, resource: "Resource[Any]", text: str) -> tuple[Node, Compiled]:
    custom = resource.custom_filters(tx)
    try:
        node = filters.parse(text)
        node = filters.anchored(node, resource.fields, custom, filters.now_of(tx))
        return node, filters.compile_filter(node, resource.fields, custom)
    except FilterError as error:
        raise BadList(f"filter: {error}", [Violation("filter", str(error))]) from None


def _orders(sortable: Mapping[str, Field], text: str) -> tuple[Order, ...]:
    try:
        return tuple(filters.parse_order(text, sortable))
    except FilterError as error:
        raise BadList(f"order_by: {error}", [Violation("order_by", str(error))]) from None


def _search(resource: "Resource[Any]", q: str) -> tuple[tuple[str, ...], str]:
    """(words that each must occur, prefix for a search too short for trigrams)."""
    if not q.strip():
        return (), ""
    if resource.search is None:
        raise BadList(
            f"{resource.plural} have no text search; use filter",
            [Violation("q", "is not offered here")],
        )
    if _PHONE.fullmatch(q.strip()) and len(digits := _TRUNK.sub("", fold.phone_digits(q))) >= 3:
        return (digits,), ""
    words = tuple(fold.search_key(q).split())[:8]
    if any(fold.trigrams_useful(word) for word in words):
        return words, ""
    return (), " ".join(words)


# -- the statement, once per shape ---------------------------------------------------------------


_statements: OrderedDict[Any, Statement] = OrderedDict()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def find(
    tx: Tx, resource: "Resource[Any]", query: Query, what: str, action: str = "read"
) -> list[Any]:
    """Up to size + 1 rows: the page, and one more if there is a next."""
    statement, values = prepared(tx, resource, query, what, action)
    return (await tx.fetch(statement, **values))[: query.size + 1]


def prepared(
    tx: Tx, resource: "Resource[Any]", query: Query, what: str, action: str = "read"
) -> tuple[Statement, dict[str, Any]]:
    """The statement that finds them in the caller's scope, and its values; it may give more rows than asked for."""
    owners = tx.rights.owners(resource.object, action) if resource.scope_columns else None
    departments = tx.rights.departments(resource.object, action) if resource.scope_columns else None
    scope = list_scope.kind_of_scope(owners, departments or (), searches=bool(query.words))
    shape = (
        resource.name,
        resource.service,
        what,
        query.filter.shape,
        query.orders,
        tuple(
            field.kind for field in query.order_fields
        ),  # another tenant's custom field of this name may be another kind
        len(query.words),
        bool(query.prefix),
        bool(query.after),
        query.deleted,
        scope,
        query.open_search,
        _limit(query),
    )
    statement = _statements.get(shape)
    if statement is None:
        statement = _statements[shape] = Statement(_build(resource, query, what, scope))
        while len(_statements) > _SHAPES_KEPT:
            _statements.popitem(last=False)
    else:
        _statements.move_to_end(shape)
    values: dict[str, Any] = dict(query.filter.params)
    values |= {f"after{n}": value for n, value in enumerate(query.after)}
    values |= {f"word{n}": f"%{_escaped(word)}%" for n, word in enumerate(query.words)}
    if query.prefix:
        values["prefix"] = f"{_escaped(query.prefix)}%"
    if scope != "all":
        values["owners"] = list(owners or ())
        values |= {"departments": list(departments or ()), "me": tx.rights.user_id or None}
        values["the_owner"] = next(iter(owners or ()), None)
        values["the_department"] = next(iter(departments or ()), None)
        values = {k: v for k, v in values.items() if k in statement.names}
    return statement, values


def _build(resource: "Resource[Any]", query: Query, what: str, scope: str) -> Select[Any]:
    v = resource.view.c
    keys = [resource.order_column(order, field) for order, field in query.sorts]
    named = [key.label(f"key{n}") for n, key in enumerate(keys)]
    columns = [
        v.id,
        v.version,
        v.delete_time,
        v[what],
        *(v[n] for n in resource.row_columns),
        *named,
    ]
    conditions = [
        v.tenant_id == bindparam("tenant_id", type_=Uuid),
        query.filter.clause(v),
        *_searched(resource, query),
    ]
    if not query.deleted:
        conditions.append(v.delete_time.is_(None))
    if query.after:
        last = tuple_(*(bindparam(f"after{n}", type_=k.type) for n, k in enumerate((*keys, v.id))))
        here = tuple_(*keys, v.id)
        conditions.append(here < last if query.descending else here > last)
    order = [k.desc() if query.descending else k.asc() for k in (*keys, v.id)]
    limit: Any = literal_column(str(_limit(query)))

    def head(*more: Any, chosen: Sequence[Any] = columns) -> Select[Any]:
        return select(*chosen).where(*conditions, *more).order_by(*order).limit(limit)

    def places(*more: Any) -> Select[Any]:
        return head(*more, chosen=[v.id, *named])

    if scope == "all":
        return head()
    owners = bindparam("owners", type_=ARRAY(Uuid))
    departments = bindparam("departments", type_=ARRAY(Uuid))
    me = bindparam("me", type_=Uuid)
    mine, queued, followed = list_scope.scopes(resource, owners, departments, me)
    if resource.shared_column:
        return head(or_(mine, v[resource.shared_column]))
    if scope == "any":
        return head(or_(mine, queued, followed))
    heads = list_scope.head_of_first if scope == "alone" else list_scope.heads_of
    parts = []
    if "owner_id" in resource.scope_columns:
        parts.append(heads(places, v.owner_id, owners, "owner"))
    if "department_id" in resource.scope_columns:
        unowned = v.owner_id.is_(None) if "owner_id" in resource.scope_columns else true()
        parts.append(
            heads(lambda *more: places(unowned, *more), v.department_id, departments, "department")
        )
    if "follower_ids" in resource.scope_columns:
        rest = not_(func.coalesce(or_(mine, queued), literal_column("false", Boolean)))
        parts.append(select(list_scope.of_followed(resource, followed, [*conditions, rest], [v.id, *named], order, limit)))  # fmt: skip
    merged = union_all(*parts).subquery() if len(parts) > 1 else parts[0].subquery()
    return _rows_at(resource, merged, what, query, limit)


def _rows_at(
    resource: "Resource[Any]", merged: Any, what: str, query: Query, limit: Any
) -> Select[Any]:
    """The rows of the first places; of all the others only the index is read, by which a list of 20 owners takes a third."""

    def ordered(places: Any) -> list[Any]:
        keys = (*(places.c[f"key{n}"] for n in range(len(query.orders))), places.c.id)
        return [key.desc() if query.descending else key.asc() for key in keys]

    page = select(*merged.c).order_by(*ordered(merged)).limit(limit).subquery("page")
    row = resource.view.alias("row_at")
    columns = [
        row.c[name] for name in ("id", "version", "delete_time", what, *resource.row_columns)
    ]
    keys = [page.c[f"key{n}"] for n in range(len(query.orders))]
    here = and_(row.c.tenant_id == bindparam("tenant_id", type_=Uuid), row.c.id == page.c.id)
    return select(*columns, *keys).select_from(page.join(row, here)).order_by(*ordered(page))


def _limit(query: Query) -> int:
    """The page and one row more, rounded up."""
    return next(limit for limit in _LIMITS if limit > query.size)


def _searched(resource: "Resource[Any]", query: Query) -> list[Any]:
    if not query.words and not query.prefix:
        return []
    text = resource.view.c[resource.searched_column(query.open_search)]
    found = [text.like(bindparam(f"word{n}", type_=String)) for n in range(len(query.words))]
    if query.prefix:
        found.append(func.left(text, literal_column("64")).like(bindparam("prefix", type_=String)))
    return found


def next_token(tokens: PageTokens, query: Query, row: Any) -> str:
    """The token of the row behind which the next page begins."""
    values = [row[f"key{n}"] for n in range(len(query.orders))]
    return tokens.make([*values, row["id"]], query.descending, query.identity)


async def answer(
    tx: Tx, resource: "Resource[Any]", request: Any, tokens: PageTokens
) -> tuple[list[bytes], str, bool]:
    """(records as the caller may see them, next page token, whether they are JSON) of a list request."""
    fields = checked_fields(tx, resource, request.fields.paths)
    query = checked(tx, resource, request, tokens)
    json = tx.call is not None and tx.call.wants_json
    what = column_shown(tx, resource, fields, json=json)
    rows = await find(tx, resource, query, what)
    token = next_token(tokens, query, rows[query.size - 1]) if len(rows) > query.size else ""
    kind = "json" if json else "doc"
    return shown_page(tx, resource, rows[: query.size], kind, fields), token, json
