"""A resource: its message, its table with history and tenant view, and the only way in and out of them.

A row holds the message's bytes (`doc`, the truth), its canonical JSON (`json`, derived in the same write) and those columns
that are searched, sorted, summed or constrained (BLUEPRINT.md section 5).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql.elements import ColumnElement

from chassis import codec, contracts, errors
from chassis.db.statement import Statement
from chassis.kit import custom_values
from chassis.kit.custom import role_ids
from chassis.kit.facts import Save
from chassis.kit.filter import Field, Order
from chassis.kit.filter_syntax import CUSTOM
from chassis.kit.history import Statements as HistoryStatements
from chassis.kit.save import record
from chassis.kit.tables import Moment, history_table, view_of
from chassis.tx import Constraints, Tx

M = TypeVar("M", bound=Message)
Values = Callable[[Any], dict[str, Any]]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SCOPE_COLUMNS = ("owner_id", "department_id", "follower_ids")

BASE_FIELDS = {
    "id": Field("id", "uuid"),
    "create_time": Field("create_time", "timestamp", sortable=True),
    "update_time": Field("update_time", "timestamp", sortable=True),
}


class Resource(Generic[M]):
    """One kind of record of a service. Declared once in `store.py`; nothing else writes its table."""

    def __init__(
        self,
        message: type[M],
        metadata: MetaData,
        *,
        table: str,
        columns: Sequence[Column[Any]] = (),
        values: Values = lambda message: {},
        items: Iterable[SchemaItem] = (),
        fields: Mapping[str, Field] | None = None,
        search: str | None = None,
        open_search: str = "",
        search_reveals: Iterable[str] = (),
        default_owner: bool = True,
        shared_column: str = "",
        default_order: str = "create_time desc",
        constraints: Constraints | None = None,
    ) -> None:
        option = contracts.resource_option(message.DESCRIPTOR)
        assert option is not None, f"{message.DESCRIPTOR.full_name} is not marked as a resource"
        self.message, self.option, self.name = message, option, table
        self.object, self.plural = option.object, option.plural
        self.service = contracts.service_of(metadata.info["package"])
        self.package = metadata.info["package"]
        self.values, self.search, self.default_order = values, search, default_order
        self.open_search, self.search_reveals = open_search, frozenset(search_reveals)
        self.default_owner, self.shared_column = default_owner, shared_column
        self.metadata = metadata
        self.constraints: Constraints = {
            f"{table}_pkey": errors.AlreadyExists(f"a {self.object} with this id exists already"),
            **(constraints or {}),
        }
        self.fields = {**BASE_FIELDS, **(fields or {})}
        extra = list(columns)
        self.has_custom = "custom" in message.DESCRIPTOR.fields_by_name and option.custom_fields
        if self.has_custom:
            extra.append(Column("custom", JSONB, nullable=False))
        self.extra = tuple(c.name for c in extra)
        self._own_columns = frozenset((*(f.column for f in BASE_FIELDS.values()), *self.extra))
        self.table = Table(
            table,
            metadata,
            Column("tenant_id", Uuid, primary_key=True),
            Column("id", Uuid, primary_key=True),
            Column("version", BigInteger, nullable=False),
            Column("create_time", Moment, nullable=False),
            Column("update_time", Moment, nullable=False),
            Column("delete_time", Moment),
            Column("doc", LargeBinary, nullable=False),
            Column("json", Text, nullable=False),
            *extra,
            *items,
            info={"resource": self},
        )
        self._add_indexes()
        self.history = history_table(table, metadata)
        self.view = view_of(self.table)
        self.scope_columns = tuple(name for name in SCOPE_COLUMNS if name in self.extra)
        self.row_columns = (*self.scope_columns, *((shared_column,) if shared_column else ()))
        self.sql: dict[Any, str] = {}
        self.of_history = HistoryStatements(self)
        self._by_id = {
            what: Statement(self._row(what).where(self.table.c.id == bindparam("id")))
            for what in ("doc", "json")
        }
        self._by_ids = {
            what: Statement(
                self._row(what).where(self.table.c.id == bindparam("ids", type_=ARRAY(Uuid)).any_())
            )
            for what in ("doc", "json")
        }

    def _add_indexes(self) -> None:
        """What lists need: each sort as it is and led by owner, trigrams for search, containment for custom fields."""
        c, name = self.table.c, self.name
        sorts = {
            field.sort_column or field.column for field in self.fields.values() if field.sortable
        }
        for sort in sorted(sorts):
            Index(f"ix_{name}_{sort}", c.tenant_id, c[sort], c.id)
            if "owner_id" in c:
                # With delete_time inside, the places of many owners' records are found without a look at the rows.
                Index(
                    f"ix_{name}_owner_{sort}",
                    c.tenant_id,
                    c.owner_id,
                    c[sort],
                    c.id,
                    postgresql_include=["delete_time"],
                )
        if "department_id" in c:
            queued = c.owner_id.is_(None) if "owner_id" in c else None
            Index(
                f"ix_{name}_department",
                c.tenant_id,
                c.department_id,
                c.create_time,
                c.id,
                postgresql_where=queued,
            )
        if "follower_ids" in c:
            Index(
                f"ix_{name}_followers",
                c.follower_ids,
                postgresql_using="gin",
                postgresql_where=c.follower_ids != text("'{}'"),
            )
        if self.search:
            Index(
                f"ix_{name}_{self.search}",
                c[self.search],
                postgresql_using="gin",
                postgresql_ops={self.search: "gin_trgm_ops"},
            )
            Index(
                f"ix_{name}_{self.search}_prefix",
                c.tenant_id,
                text(f"left({self.search}, 64) text_pattern_ops"),
            )
        if (
            self.has_custom
        ):  # for all rows: a filter does not say that the record has custom values at all
            Index(
                f"ix_{name}_custom",
                c.custom,
                postgresql_using="gin",
                postgresql_ops={"custom": "jsonb_path_ops"},
            )

    def _row(self, what: str) -> Select[Any]:
        t = self.table.c
        return select(
            t.id, t.version, t.delete_time, t[what], *(t[name] for name in self.row_columns)
        ).where(t.tenant_id == bindparam("tenant_id", type_=Uuid))

    # -- reading --------------------------------------------------------------------------------

    async def row(
        self, tx: Tx, id: str, what: str = "doc", *, action: str = "read", deleted: bool = False
    ) -> Any:
        """The row of a living record in the caller's scope for `action`; NotFound otherwise, whatever the cause."""
        row = await tx.fetchrow(self._by_id[what], id=checked_id(self.object, id))
        if (
            row is None
            or (row["delete_time"] is not None and not deleted)
            or not self.reaches(tx, row, "read")
        ):
            raise self.not_found(id)
        if action != "read" and not self.reaches(tx, row, action):
            raise errors.PermissionDenied(f"you may read this {self.object} but not {action} it")
        return row

    async def rows(self, tx: Tx, ids: Sequence[str], what: str = "doc") -> list[Any]:
        """The rows of those living records that the caller may read."""
        wanted = [checked_id(self.object, id) for id in ids]
        if len(wanted) == 1:
            # Of an array PostgreSQL expects ten rows: it plans anew each time that there is one, for more than reading it costs.
            found = await tx.fetch(self._by_id[what], id=wanted[0])
        else:
            found = await tx.fetch(self._by_ids[what], ids=wanted)
        return [
            row for row in found if row["delete_time"] is None and self.reaches(tx, row, "read")
        ]

    async def get(
        self, tx: Tx, id: str, *, etag: str = "", action: str = "", deleted: bool = False
    ) -> M:
        """The record, for reading or changing; NotFound if absent or out of scope, Aborted if `etag` is another."""
        if not action:
            action = tx.call.method.permission.action if tx.call and self._is_mine(tx) else "read"
        row = await self.row(tx, id, action=action, deleted=deleted)
        message = self.loaded(tx, row)
        if etag and etag != message.etag:  # type: ignore[attr-defined]
            raise errors.Aborted(
                f"the {self.object} has changed: you saw etag {etag}, it is {message.etag} now; read it again"  # type: ignore[attr-defined]
            )
        return message

    def _is_mine(self, tx: Tx) -> bool:
        return tx.call is not None and tx.call.method.permission.object == self.object

    async def find(self, tx: Tx, id: str, *, deleted: bool = False) -> M | None:
        """The record or None, whoever asks: for rules of the service itself, not for answers to a caller."""
        row = await tx.fetchrow(self._by_id["doc"], id=checked_id(self.object, id))
        if row is None or (row["delete_time"] is not None and not deleted):
            return None
        return self.loaded(tx, row)

    async def find_many(self, tx: Tx, ids: Sequence[str]) -> list[M]:
        """Those of the records that live, whoever asks."""
        rows = await tx.fetch(self._by_ids["doc"], ids=list(ids)) if ids else []
        return [self.loaded(tx, row) for row in rows if row["delete_time"] is None]

    def select(
        self, *conditions: ColumnElement[bool], limit: int | None = None, order: Any = None
    ) -> Statement:
        """A statement over the tenant view that gives rows for `loaded`; lists, searches and look-ups read the view."""
        v = self.view.c
        statement = select(
            v.id, v.version, v.delete_time, v.doc, *(v[n] for n in self.row_columns)
        ).where(
            v.tenant_id == bindparam("tenant_id", type_=Uuid), v.delete_time.is_(None), *conditions
        )
        if order is not None:
            statement = (
                statement.order_by(*order)
                if isinstance(order, tuple)
                else statement.order_by(order)
            )
        return Statement(statement.limit(limit) if limit else statement)

    async def find_where(self, tx: Tx, statement: Statement, **values: Any) -> list[M]:
        """The records that a statement made by `select` finds."""
        return [self.loaded(tx, row) for row in await tx.fetch(statement, **values)]

    def loaded(self, tx: Tx, row: Any) -> M:
        """The message of a row with its `doc`, remembered so that a later save is guarded by its version."""
        tx.loaded[self.name, str(row["id"])] = (row["version"], row["doc"])
        return self.message.FromString(row["doc"])

    def reaches(self, tx: Tx, row: Any, action: str) -> bool:
        """True if the caller's scope for `action` includes the row."""
        if not self.scope_columns or (
            action == "read" and self.shared_column and row[self.shared_column]
        ):
            return True
        return tx.rights.reaches(self.object, action, *self.scope_of(row))

    def scope_of(self, row: Any) -> tuple[str, str, Sequence[str]]:
        """(owner, department, followers) of a row; empty where the resource has none."""
        names = self.scope_columns
        owner = row["owner_id"] if "owner_id" in names else None
        department = row["department_id"] if "department_id" in names else None
        followers = row["follower_ids"] if "follower_ids" in names else ()
        return (
            str(owner) if owner else "",
            str(department) if department else "",
            [str(f) for f in followers or ()],
        )

    def scope_of_message(self, message: Any) -> tuple[str, str, Sequence[str]]:
        """(owner, department, followers) of a message; empty where the resource has none."""
        names = self.scope_columns
        return (
            message.owner_id if "owner_id" in names else "",
            message.department_id if "department_id" in names else "",
            list(message.follower_ids) if "follower_ids" in names else (),
        )

    def not_found(self, id: str) -> errors.NotFound:
        """The refusal for an id that is absent, deleted, another tenant's or out of scope: always the same."""
        return errors.NotFound(f"there is no {self.object} with id {id}")

    # -- what lists and answers ask -----------------------------------------------------------------

    def custom_filters(self, tx: Tx) -> Mapping[str, Field]:
        """The filterable custom fields by key."""
        return tx.runtime.schemas.known(tx.tenant, self).filters if self.has_custom else {}

    def custom_orders(self, tx: Tx) -> Mapping[str, Field]:
        """The sortable custom fields by path."""
        return {f"custom.{key}": field for key, field in self.custom_filters(tx).items()}

    def hidden_custom(self, tx: Tx) -> frozenset[str]:
        """Paths of custom fields that the caller's roles may not see; the system sees all."""
        if not self.has_custom or not tx.rights.user_id:
            return frozenset()
        schema = tx.runtime.schemas.known(tx.tenant, self)
        return schema.hidden_from(role_ids(tx)) if schema.is_limited else frozenset()

    def reveals(self, field: str) -> str:
        """The path of the message whose value a filter or order over `field` would reveal."""
        return (self.fields[field].hidden_as or field) if field in self.fields else field

    def is_projection(self, field: str) -> bool:
        """True if the field's column stands beside the record, filled by whoever keeps the projection and never by a save."""
        known = self.fields.get(field)
        return known is not None and known.column not in self._own_columns

    def order_column(self, order: Order, field: Field) -> Any:
        """The NOT NULL expression to sort by; a custom field's depends on its kind."""
        if field.is_custom:
            return custom_values.order_in_sql(
                self.view.c[field.column], order.field.removeprefix(CUSTOM), field.kind
            )
        return self.view.c[field.order_column]

    def order_value(self, order: Order, field: Field, values: Mapping[str, Any]) -> Any:
        """What `order_column` gives for a row with these column values."""
        if field.is_custom:
            return custom_values.order_of(
                values[field.column], order.field.removeprefix(CUSTOM), field.kind
            )
        return values[field.order_column]

    def searched_column(self, openly: bool) -> str:
        """The column that text search reads; only asked where there is one."""
        assert self.search is not None
        return self.open_search if openly else self.search

    def searches_openly(self, tx: Tx) -> bool:
        """True if text search must use the column without hidden parts."""
        if not self.open_search:
            return False
        readable = tx.rights.readable
        unread = readable is not None and not self.search_reveals <= readable.get(
            self.object, frozenset()
        )
        return unread or bool(self.search_reveals & tx.rights.hidden(self.object))

    def column_values(self, message: M) -> dict[str, Any]:
        """The values of all columns of its own; ValueError if the table and `values` do not agree."""
        values = self.values(message)
        if self.has_custom:
            values["custom"] = {key: codec.to_dict(value) for key, value in message.custom.items()}  # type: ignore[attr-defined]
        if unknown := values.keys() ^ set(self.extra):
            raise ValueError(f"columns() of {self.name} and its table differ in {sorted(unknown)}")
        return values

    # -- writing (recorded; the chassis writes when the body returns) ------------------------------

    def save(self, tx: Tx, message: M) -> None:
        """Records a creation (no etag yet) or a change (guarded by the version that was loaded)."""
        action = "updated" if message.etag else "created"  # type: ignore[attr-defined]
        record(tx, Save(self, message, action))

    def delete(self, tx: Tx, message: M) -> None:
        """Records the soft deletion."""
        message.delete_time.FromDatetime(tx.now)  # type: ignore[attr-defined]
        record(tx, Save(self, message, "deleted"))

    def undelete(self, tx: Tx, message: M) -> None:
        """Records the return of a deleted record."""
        message.ClearField("delete_time")
        record(tx, Save(self, message, "undeleted"))


def checked_id(object: str, id: str) -> str:
    """The id if it has the form of a UUID; NotFound otherwise, as for an id that nobody has."""
    if not _UUID.fullmatch(id):
        raise errors.NotFound(f"there is no {object} with id {id[:60]}")
    return id
