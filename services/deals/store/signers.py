"""Who signs the calls that he makes to us: records with a name and the key of an address, and what their secrets are made of."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.deals import errors
from services.deals.store.schema import metadata


class Signers:
    """One kind of who signs; `signer` is how tables call him, e.g. carrier."""

    def __init__(self, message: Any, *, table: str, seeds: str, signer: str) -> None:
        self.resource = _resource(message, table)
        self.seeds = Table(
            seeds,
            metadata,
            Column("tenant_id", Uuid, primary_key=True),
            Column(f"{signer}_id", Uuid, primary_key=True),
            Column("seed", LargeBinary, nullable=False),
        )
        self.purpose = table.replace("_", "-")
        """What their secrets are derived for."""
        view, of = self.resource.view.c, self.seeds.c[f"{signer}_id"]
        tenant, id = bindparam("tenant_id", type_=Uuid), bindparam("signer_id", type_=Uuid)
        self._by_key = self.resource.select(
            view.key == bindparam("of_key", type_=Text), view.delete_time.is_(None)
        )
        self._seed = Statement(
            select(self.seeds.c.seed).where(self.seeds.c.tenant_id == tenant, of == id)
        )
        put = insert(self.seeds).values(
            {"tenant_id": tenant, of.name: id, "seed": bindparam("seed", type_=LargeBinary)}
        )
        self._put = Statement(
            put.on_conflict_do_update(
                index_elements=["tenant_id", of.name], set_={"seed": put.excluded.seed}
            )
        )

    async def with_key(self, tx: Tx, key: str) -> Any | None:
        """The living one with this key, retired or not."""
        found = await self.resource.find_where(tx, self._by_key, of_key=key)
        return found[0] if found else None

    async def seed_of(self, tx: Tx, id: str) -> bytes:
        """What his secret is made of."""
        return bytes(await tx.fetchval(self._seed, signer_id=id))

    async def put_seed(self, tx: Tx, id: str, seed: bytes) -> None:
        """From now on his secret is made of this."""
        await tx.begin()
        await tx.execute(self._put, signer_id=id, seed=seed)


def _resource(message: Any, table: str) -> Resource[Any]:
    noun = table.removesuffix("s").replace("_", " ")
    return Resource(
        message,
        metadata,
        table=table,
        columns=[
            Column("key", Text, nullable=False), Column("name_key", Text, nullable=False),
            Column("name_search", Text, nullable=False), Column("retired", Boolean, nullable=False),
        ],
        values=lambda signer: {
            "key": signer.key,
            "name_key": sort_key(signer.name),
            "name_search": search_key(signer.name),
            "retired": signer.retired,
        },
        items=[
            Index(f"uq_{table}_key", "tenant_id", "key", unique=True),
            Index(f"uq_{table}_name", "tenant_id", "name_search", unique=True,
                  postgresql_where=text("delete_time IS NULL")),
        ],
        fields={
            "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
            "retired": Field("retired", "bool"),
        },
        search="name_search",
        default_order="name",
        constraints={f"uq_{table}_name": lambda detail: errors.KeyTaken(noun, "name")},
    )  # fmt: skip
