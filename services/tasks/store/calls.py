"""Which task calls back whom: a row for each spell of missed calls, ids and counts alone."""

from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Integer, Table, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.tx import Tx
from services.tasks.store.schema import metadata

spells = Table(
    "call_spells",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("spell_id", Uuid, primary_key=True),
    Column("task_id", Uuid),
    Column("missed_count", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("ended", Boolean, nullable=False),
)


@dataclass(slots=True)
class Spell:
    """What is known of one spell: its end may be told before its beginning."""

    id: str
    task_id: str = ""
    missed_count: int = 0
    attempts: int = 0
    ended: bool = False


_S = spells.c
_NAMES = [column.name for column in _S]
_FIND = Statement(
    select(_S.task_id, _S.missed_count, _S.attempts, _S.ended).where(
        _S.tenant_id == bindparam("tenant_id", type_=Uuid),
        _S.spell_id == bindparam("spell_id", type_=Uuid),
    )
)
_NEW = upsert(spells).values({name: bindparam(name) for name in _NAMES})
_PUT = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["tenant_id", "spell_id"],
        set_={name: _NEW.excluded[name] for name in _NAMES if name not in ("tenant_id", "spell_id")},
    )
)  # fmt: skip


async def spell_for_update(tx: Tx, id: str) -> Spell:
    """The spell, a new one where nothing is known of it; nobody else changes it until the end of this transaction."""
    await tx.lock(f"spell/{id}")
    row = await tx.fetchrow(_FIND, spell_id=id)
    if row is None:
        return Spell(id)
    return Spell(
        id, str(row["task_id"] or ""), row["missed_count"], row["attempts"], ended=row["ended"]
    )


async def put_spell(tx: Tx, spell: Spell) -> None:
    """Writes a spell that is held by `spell_for_update`."""
    await tx.execute(
        _PUT, spell_id=spell.id, task_id=reference(spell.task_id), missed_count=spell.missed_count,
        attempts=spell.attempts, ended=spell.ended,
    )  # fmt: skip
