"""Certificates of erasures, the ids that were erased, and the files of archives. Plain rows; nothing here but ids tells who it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from services.contacts.store.schema import metadata

erasures = Table(
    "erasures",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("contact_id", Uuid, nullable=False),
    Column("merged_ids", ARRAY(Uuid), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", JSONB, nullable=False),
    Column("services", ARRAY(Text), nullable=False),  # who must confirm
    Column(
        "hashes", ARRAY(Text), nullable=False
    ),  # of phones and e-mails, keyed: whether somebody was erased can be asked
    Column(
        "found", JSONB, nullable=False
    ),  # what a resumed run needs: files, operations, moments of undone merges
    Column("operation_id", Uuid, nullable=False),  # the latest that works on it
    Column("create_time", Moment, nullable=False),
    Column("erase_time", Moment),
    Column("done_time", Moment),
    Column("reapply_time", Moment),
    Index("ix_erasures_contact", "tenant_id", "contact_id"),
    Index("ix_erasures_hashes", "hashes", postgresql_using="gin"),
)

erasure_reports = Table(
    "erasure_reports",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("erasure_id", Uuid, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("places", JSONB, nullable=False),
    Column("remains", ARRAY(Text), nullable=False),
    Column("time", Moment, nullable=False),
)

erased_ids = Table(
    "erased_ids",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("erasure_id", Uuid, nullable=False),
    Column("object", Text, nullable=False),
    Column("time", Moment, nullable=False),
    Index("ix_erased_ids_erasure", "tenant_id", "erasure_id"),
)

personal_data_files = Table(
    "personal_data_files",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("export_id", Uuid, primary_key=True),
    Column("service", Text, primary_key=True),  # empty: the archive itself
    Column("contact_id", Uuid, nullable=False),
    Column("file_id", Uuid, nullable=False),
    Index("ix_personal_data_files_contact", "tenant_id", "contact_id"),
)

OWN = (erasures, erasure_reports, erased_ids)
"""What stays of an erasure."""


@dataclass(slots=True)
class ErasureRow:
    """One certificate as it is kept."""

    id: str
    contact_id: str
    merged_ids: list[str]
    reason: str
    actor: dict[str, str]
    services: list[str]
    create_time: datetime
    operation_id: str
    hashes: list[str] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)
    erase_time: datetime | None = None
    done_time: datetime | None = None
    reapply_time: datetime | None = None


_E, _R, _I, _F = erasures.c, erasure_reports.c, erased_ids.c, personal_data_files.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_NAMES = tuple(c.name for c in erasures.columns if c.name != "tenant_id")
_KEEP = Statement(
    insert(erasures).values({c.name: bindparam(c.name, type_=c.type) for c in erasures.columns})
)
_SAVE = Statement(
    update(erasures)
    .where(_E.tenant_id == _TENANT, _E.id == bindparam("erasure_id", type_=Uuid))
    .values(
        {
            n: bindparam(f"new_{n}", type_=_E[n].type)
            for n in _NAMES
            if n not in ("id", "create_time")
        }
    )
)
_GET = Statement(
    select(erasures).where(_E.tenant_id == _TENANT, _E.id == bindparam("id", type_=Uuid))
)
_LOCK = Statement(
    select(erasures)
    .where(_E.tenant_id == _TENANT, _E.id == bindparam("id", type_=Uuid))
    .with_for_update()
)
_OF_CONTACTS = Statement(
    select(erasures).where(_E.tenant_id == _TENANT, _E.contact_id == func.any(_IDS)).order_by(_E.id)
)
_SWEPT = Statement(select(_E.id).where(_E.tenant_id == _TENANT, _E.found.has_key("swept")))
_v = view_of(erasures).c


def _page(*conditions: Any) -> Statement:
    below = _v.id < bindparam("before", type_=Uuid)
    limit = bindparam("page_limit", type_=BigInteger)
    return Statement(
        select(*_v)
        .where(_v.tenant_id == _TENANT, below, *conditions)
        .order_by(_v.id.desc())
        .limit(limit)
    )


_PAGE = _page()
_PAGE_OF = _page(_v.hashes.contains(bindparam("hashes", type_=ARRAY(Text))))


def _row(row: Record) -> ErasureRow:
    values = {name: row[name] for name in _NAMES}
    for name in ("id", "contact_id", "operation_id"):
        values[name] = str(values[name])
    values["merged_ids"] = [str(id) for id in row["merged_ids"]]
    return ErasureRow(**values)


async def add_erasure(tx: Tx, row: ErasureRow) -> None:
    """Keeps a new certificate."""
    await tx.execute(_KEEP, **{name: getattr(row, name) for name in _NAMES})


async def save_erasure(tx: Tx, row: ErasureRow) -> None:
    """Keeps how far it is."""
    new = {f"new_{n}": getattr(row, n) for n in _NAMES if n not in ("id", "create_time")}
    await tx.execute(_SAVE, erasure_id=row.id, **new)


async def find_erasure(tx: Tx, id: str, *, lock: bool = False) -> ErasureRow | None:
    """The certificate, None if there is none; `lock`: nobody else changes it until the end."""
    if lock:
        await tx.begin()
    row = await tx.fetchrow(_LOCK if lock else _GET, id=id)
    return _row(row) if row else None


async def erasures_of(tx: Tx, ids: Sequence[str]) -> list[ErasureRow]:
    """The certificates of these contacts."""
    return [_row(row) for row in await tx.fetch(_OF_CONTACTS, ids=list(ids))]


async def swept(tx: Tx) -> list[str]:
    """The erasures of which everything is taken and swept, and that are not confirmed yet."""
    return [str(row["id"]) for row in await tx.fetch(_SWEPT)]


async def read_erasures(
    tx: Tx, *, hashes: Sequence[str] = (), before: str = "", size: int
) -> list[ErasureRow]:
    """The next certificates, newest first; only those with all of these hashes, if given."""
    values = {"hashes": list(hashes)} if hashes else {}
    rows = await tx.fetch(
        _PAGE_OF if hashes else _PAGE, before=before or _LAST_ID, page_limit=size, **values
    )
    return [_row(row) for row in rows]


# -- what services said --------------------------------------------------------------------------------

_REPORT = upsert(erasure_reports).values(
    {c.name: bindparam(c.name, type_=c.type) for c in erasure_reports.columns}
)
_ADD_REPORT = Statement(
    _REPORT.on_conflict_do_update(
        index_elements=["tenant_id", "erasure_id", "service"],
        set_={name: _REPORT.excluded[name] for name in ("places", "remains", "time")},
    )
)
_FORGET_REPORTS = Statement(
    delete(erasure_reports).where(
        _R.tenant_id == _TENANT, _R.erasure_id == bindparam("erasure_id", type_=Uuid)
    )
)
_REPORTS = Statement(
    select(erasure_reports)
    .where(_R.tenant_id == _TENANT, _R.erasure_id == func.any(_IDS))
    .order_by(_R.service)
)


async def add_report(
    tx: Tx,
    erasure_id: str,
    service: str,
    *,
    places: Mapping[str, int],
    remains: Sequence[str],
    time: datetime,
) -> None:
    """Keeps what a service said; said again, the newest counts."""
    await tx.execute(
        _ADD_REPORT,
        erasure_id=erasure_id,
        service=service,
        places=dict(places),
        remains=list(remains),
        time=time,
    )


async def forget_reports(tx: Tx, erasure_id: str) -> None:
    """Every service must answer again."""
    await tx.execute(_FORGET_REPORTS, erasure_id=erasure_id)


async def reports_of(tx: Tx, ids: Sequence[str]) -> dict[str, list[Record]]:
    """Erasure -> what services said of it."""
    found: dict[str, list[Record]] = {}
    for row in await tx.fetch(_REPORTS, ids=list(ids)):
        found.setdefault(str(row["erasure_id"]), []).append(row)
    return found


# -- ids that were erased ------------------------------------------------------------------------------

_NOTE = Statement(
    upsert(erased_ids)
    .from_select(
        ["tenant_id", "id", "erasure_id", "object", "time"],
        select(
            _TENANT, func.unnest(_IDS), bindparam("erasure_id", type_=Uuid), bindparam("object", type_=Text),
            bindparam("time", type_=Moment),
        ),
    )
    .on_conflict_do_nothing()
)  # fmt: skip
_OF_ERASURE = Statement(
    select(_I.id, _I.object).where(
        _I.tenant_id == _TENANT, _I.erasure_id == bindparam("erasure_id", type_=Uuid)
    )
)


async def note_erased(tx: Tx, erasure_id: str, object: str, ids: Sequence[str]) -> None:
    """From now on late events about these ids leave no trace."""
    if ids:
        await tx.execute(_NOTE, erasure_id=erasure_id, object=object, ids=list(ids), time=tx.now)


async def erased_with(tx: Tx, erasure_id: str) -> dict[str, list[str]]:
    """Object -> the ids that went with an erasure."""
    found: dict[str, list[str]] = {}
    for row in await tx.fetch(_OF_ERASURE, erasure_id=erasure_id):
        found.setdefault(row["object"], []).append(str(row["id"]))
    return found


# -- archives ------------------------------------------------------------------------------------------

_FILE = upsert(personal_data_files).values(
    {c.name: bindparam(c.name, type_=c.type) for c in personal_data_files.columns}
)
_ADD_FILE = Statement(_FILE.on_conflict_do_nothing())
_FILES = Statement(
    select(_F.service, _F.file_id).where(
        _F.tenant_id == _TENANT, _F.export_id == bindparam("export_id", type_=Uuid)
    )
)
_FILES_OF = Statement(
    select(_F.file_id).where(_F.tenant_id == _TENANT, _F.contact_id == func.any(_IDS))
)


async def add_personal_file(
    tx: Tx, export_id: str, service: str, contact_id: str, file_id: str
) -> None:
    """Notes a service's part of an archive, or with no service the archive itself; a second one changes nothing."""
    await tx.execute(
        _ADD_FILE, export_id=export_id, service=service, contact_id=contact_id, file_id=file_id
    )


async def personal_files(tx: Tx, export_id: str) -> dict[str, str]:
    """Service -> the file with its part."""
    return {
        row["service"]: str(row["file_id"]) for row in await tx.fetch(_FILES, export_id=export_id)
    }


async def personal_files_of(tx: Tx, ids: Sequence[str]) -> list[str]:
    """Every archive and part that was made about these contacts."""
    return [str(row["file_id"]) for row in await tx.fetch(_FILES_OF, ids=list(ids))]
