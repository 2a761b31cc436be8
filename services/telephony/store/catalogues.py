"""Lines, extensions and dispositions: by which numbers and phones is called, and how calls end in substance."""

from sqlalchemy import Boolean, Column, Index, Integer, Text, Uuid, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.telephony.v1 import disposition_pb2, extension_pb2, line_pb2
from services.telephony import errors
from services.telephony.store.schema import metadata

Line = line_pb2.Line
Extension = extension_pb2.Extension
Disposition = disposition_pb2.Disposition

_LIVING = text("delete_time IS NULL")
_NAME = Field(
    "name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"
)

lines = Resource(
    Line,
    metadata,
    table="lines",
    columns=[
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("number", Text, nullable=False), Column("connection_id", Uuid), Column("department_id", Uuid),
        Column("user_ids", ARRAY(Uuid), nullable=False), Column("retired", Boolean, nullable=False),
    ],
    values=lambda line: {
        "name_key": sort_key(line.name),
        "name_search": search_key(f"{line.name} {line.number}"),
        "number": line.number,
        "connection_id": reference(line.connection_id),
        "department_id": reference(line.department_id),
        "user_ids": list(line.user_ids),
        "retired": line.retired,
    },
    items=[Index("uq_lines_number", "tenant_id", "number", unique=True, postgresql_where=_LIVING)],
    fields={
        "name": _NAME,
        "number": Field("number", "text", sentinel=""),
        "connection_id": Field("connection_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "retired": Field("retired", "bool"),
    },
    search="name_search",
    default_order="name",
    default_owner=False,
    constraints={"uq_lines_number": lambda detail: errors.NumberTaken()},
)  # fmt: skip

extensions = Resource(
    Extension,
    metadata,
    table="extensions",
    columns=[
        Column("number", Text, nullable=False), Column("connection_id", Uuid, nullable=False), Column("user_id", Uuid),
        Column("search", Text, nullable=False), Column("from_profile", Boolean, nullable=False),
        Column("retired", Boolean, nullable=False),
    ],
    values=lambda extension: {
        "number": extension.number,
        "search": f"{extension.number} {extension.mobile_number}",
        "connection_id": extension.connection_id,
        "user_id": reference(extension.user_id),
        "from_profile": extension.from_profile,
        "retired": extension.retired,
    },
    items=[
        Index("uq_extensions_number", "tenant_id", "connection_id", "number", unique=True, postgresql_where=_LIVING),
        Index("ix_extensions_user", "tenant_id", "user_id", postgresql_where=text("user_id IS NOT NULL")),
    ],
    fields={
        "number": Field("number", "text", sentinel="", sortable=True),
        "connection_id": Field("connection_id", "uuid"),
        "user_id": Field("user_id", "uuid"),
        "retired": Field("retired", "bool"),
    },
    search="search",
    default_order="number",
    constraints={"uq_extensions_number": lambda detail: errors.ExtensionTaken()},
)  # fmt: skip

dispositions = Resource(
    Disposition,
    metadata,
    table="dispositions",
    columns=[
        Column("key", Text, nullable=False), Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False), Column("position", Integer, nullable=False),
        Column("retired", Boolean, nullable=False),
    ],
    values=lambda disposition: {
        "key": disposition.key,
        "name_key": sort_key(disposition.name),
        "name_search": search_key(disposition.name),
        "position": disposition.position,
        "retired": disposition.retired,
    },
    items=[
        Index("uq_dispositions_key", "tenant_id", "key", unique=True, postgresql_where=_LIVING),
        Index("uq_dispositions_name", "tenant_id", "name_search", unique=True, postgresql_where=_LIVING),
    ],
    fields={
        "name": _NAME,
        "key": Field("key", "text", sentinel=""),
        "position": Field("position", "number", sortable=True),
        "retired": Field("retired", "bool"),
    },
    search="name_search",
    default_order="position",
    constraints={
        "uq_dispositions_key": lambda detail: errors.NameTaken("disposition", "key"),
        "uq_dispositions_name": lambda detail: errors.NameTaken("disposition", "name"),
    },
)  # fmt: skip

_L, _E = lines.view.c, extensions.view.c
_LINE_NUMBERED = lines.select(_L.number == bindparam("of_number", type_=Text))
_LIVING_LINES = lines.select( _L.retired.is_(False), order=(_L.name_key, _L.id))  # fmt: skip
_EXTENSIONS_OF = extensions.select(
    _E.user_id == bindparam("of_users", type_=ARRAY(Uuid)).any_(), _E.retired.is_(False), order=(_E.from_profile.desc(), _E.number, _E.id),
)  # fmt: skip
_USERS = Statement(
    select(_E.user_id)
    .where(
        _E.tenant_id == bindparam("tenant_id", type_=Uuid), _E.delete_time.is_(None), _E.retired.is_(False),
        _E.user_id.is_not(None),
    )
    .distinct()
    .order_by(_E.user_id)
)  # fmt: skip
_EXTENSIONS_AT = extensions.select(
    _E.connection_id == bindparam("of_connection", type_=Uuid), order=(_E.number, _E.id),
)  # fmt: skip

_ANY_DISPOSITION = dispositions.select(order=(dispositions.view.c.id,), limit=1)


async def has_dispositions(tx: Tx) -> bool:
    """True if the company has said how calls end."""
    return bool(await dispositions.find_where(tx, _ANY_DISPOSITION))


async def line_numbered(tx: Tx, number: str) -> Line | None:
    """The living line with this number, retired or not."""
    found = await lines.find_where(tx, _LINE_NUMBERED, of_number=number)
    return found[0] if found else None


async def living_lines(tx: Tx) -> list[Line]:
    """The lines that take calls, by name."""
    return await lines.find_where(tx, _LIVING_LINES)


async def extensions_of(tx: Tx, user_ids: list[str]) -> list[Extension]:
    """The extensions of these users that ring, those of which their profiles tell first."""
    return await extensions.find_where(tx, _EXTENSIONS_OF, of_users=user_ids)


async def extensions_at(tx: Tx, connection_id: str) -> list[Extension]:
    """Every living extension of an exchange, retired ones too: who speaks there is known all the same."""
    return await extensions.find_where(tx, _EXTENSIONS_AT, of_connection=connection_id)


async def users_with_extensions(tx: Tx) -> list[str]:
    """Everybody who has an extension that rings."""
    return [str(row["user_id"]) for row in await tx.fetch(_USERS)]
