"""By what files name records of another service: kept as hashes only, so that nothing readable is copied.

The service hears of those records by events and tells `put` which keys (`kind:value` in normal form) find each. A line that names
one has a part whose resource is `Refs(object)`: the kit looks it up by `find` and links its id.

The tenant is part of each hash, so equal values of two tenants look different; a hash of a short value can still be guessed by
whoever tries them all, which is why `forget` takes them away. Of a record that was forgotten only the id is left, so that what is
heard late leaves no trace.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.tx import Tx

NAMED, KEYS = "named_records", "named_record_keys"
ID = "id"
"""The kind of key that is the record's own id; it finds the record without having been told."""

_BETWEEN = "\n"
_FORGOTTEN = 2**62
"""The version of what was forgotten: nothing comes after it."""
_TYPES: dict[str, Any] = {"id": Uuid, "hashes": ARRAY(LargeBinary), "version": BigInteger}


@dataclass(slots=True)
class Ref:
    """A record of another service as the kit's imports see it: an id and the keys that find it."""

    id: str = ""
    keys: tuple[str, ...] = ()
    etag: str = "0"

    @classmethod
    def FromString(cls, doc: bytes) -> "Ref":
        """Of what `doc` wrote."""
        id, *keys = doc.decode().split(_BETWEEN)
        return cls(id, tuple(keys))

    def CopyFrom(self, other: "Ref") -> None:
        """As a message does."""
        self.id, self.keys, self.etag = other.id, other.keys, other.etag

    def doc(self) -> bytes:
        """As bytes."""
        return _BETWEEN.join((self.id, *self.keys)).encode()


@dataclass(frozen=True, slots=True)
class Refs:
    """Stands where the kit expects a resource: files refer to such records and never write them."""

    object: str
    message: type[Ref] = Ref

    @property
    def name(self) -> str:
        """Apart from every table."""
        return f"named_{self.object}"


def declare(metadata: MetaData) -> None:
    """Declares both tables in a service's metadata."""
    Table(
        NAMED,
        metadata,
        Column("tenant_id", Uuid, primary_key=True),
        Column("object", Text, primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("version", BigInteger, nullable=False),
    )
    Table(
        KEYS,
        metadata,
        Column("tenant_id", Uuid, primary_key=True),
        Column("object", Text, primary_key=True),
        Column("key", LargeBinary, primary_key=True),
        Column("id", Uuid, primary_key=True),
        Index(f"ix_{KEYS}_record", "tenant_id", "object", "id"),
    )


def _sql(sql: str, *names: str) -> Statement:
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


# One statement; what an older event says changes nothing.
_PUT = _sql(
    "WITH put AS (INSERT INTO named_records (tenant_id, object, id, version)"
    " VALUES (CAST(:tenant_id AS uuid), :object, CAST(:id AS uuid), CAST(:version AS bigint))"
    " ON CONFLICT (tenant_id, object, id) DO UPDATE SET version = excluded.version"
    " WHERE named_records.version < excluded.version RETURNING id),"
    " gone AS (DELETE FROM named_record_keys k USING put WHERE k.tenant_id = :tenant_id AND k.object = :object"
    " AND k.id = put.id AND k.key <> all(CAST(:hashes AS bytea[])))"
    " INSERT INTO named_record_keys (tenant_id, object, key, id) SELECT CAST(:tenant_id AS uuid), :object, n, put.id"
    " FROM put, unnest(CAST(:hashes AS bytea[])) AS n ON CONFLICT DO NOTHING",
    "object", "id", "version", "hashes",
)  # fmt: skip
_KNOWN = _sql(
    "SELECT key, id FROM named_record_keys WHERE tenant_id = :tenant_id AND object = :object"
    " AND key = any(CAST(:hashes AS bytea[]))",
    "object", "hashes",
)  # fmt: skip


async def put(tx: Tx, object: str, id: str, version: int, keys: Iterable[str]) -> None:
    """From now on these keys and no others find the record."""
    hashes = sorted({hashed(tx.tenant, key) for key in keys})
    await tx.execute(_PUT, object=object, id=id, version=version, hashes=hashes)


async def forget(tx: Tx, object: str, ids: Iterable[str]) -> None:
    """Nothing finds these records any more; for good."""
    for id in sorted(ids):
        await tx.execute(_PUT, object=object, id=id, version=_FORGOTTEN, hashes=[])


async def find(tx: Tx, object: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    """(id, key) of what the keys find; a key that is an id finds that record, known here or not."""
    own = f"{ID}:"
    by_hash = {hashed(tx.tenant, key): key for key in keys if not key.startswith(own)}
    rows = await _rows(tx, object, by_hash) if by_hash else []
    found = [(str(row["id"]), by_hash[row["key"]]) for row in rows]
    return found + [(key.removeprefix(own), key) for key in keys if key.startswith(own)]


async def _rows(tx: Tx, object: str, hashes: Collection[bytes]) -> list[Any]:
    return await tx.fetch(_KNOWN, object=object, hashes=sorted(hashes))


def refs(found: Iterable[tuple[str, str]]) -> list[bytes]:
    """The docs of (id, key)."""
    keys: dict[str, list[str]] = {}
    for id, key in found:
        keys.setdefault(id, []).append(key)
    return [Ref(id, tuple(each)).doc() for id, each in keys.items()]


def hashed(tenant: str | None, key: str) -> bytes:
    """The hash of `kind:value` in normal form."""
    return hashlib.sha256(f"{tenant}{_BETWEEN}{key}".encode()).digest()
