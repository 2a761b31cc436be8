"""Who has the unique value that a write wanted: the refusal names the other record (BLUEPRINT.md section 6).

The database makes the check; only when it has refused, a second statement looks for the holder, after the broken
transaction has ended. Every unique index that a resource declares is served, whoever declared it.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import Index, Uuid, bindparam, select

from chassis import errors
from chassis.db.statement import Statement
from chassis.kit.facts import Save
from chassis.tx import Tx, translated

if TYPE_CHECKING:
    from chassis.kit.resource import Resource


async def refusal_of(
    tx: Tx, save: Save, error: asyncpg.IntegrityConstraintViolationError
) -> BaseException:
    """The refusal that the broken constraint stands for, with the holder's id where there is a holder to be named.

    Ends the transaction: after such an error it can only be rolled back. Who may not read such records learns no id.
    """
    refusal = translated(error, save.resource.constraints)
    looked_up = _holder_of(save.resource, error.constraint_name or "")
    if not isinstance(refusal, errors.AlreadyExists) or looked_up is None:
        return refusal
    if not tx.rights.may(save.resource.object, "read"):
        return refusal
    await tx.abort()
    names, statement = looked_up
    values = save.resource.column_values(save.message)
    wanted = {name: values[name] for name in names}
    holder = await tx.fetchval(statement, own_id=save.message.id, **wanted)
    return _naming(refusal, save.resource.object, str(holder)) if holder else refusal


@cache
def _holder_of(resource: "Resource[Any]", constraint: str) -> tuple[list[str], Statement] | None:
    """(columns, statement) to find the row that a unique index holds; None if it is no such index of plain columns."""
    index = next((i for i in resource.table.indexes if i.unique and i.name == constraint), None)
    if index is None or len(index.expressions) != len(index.columns):
        return None
    names = [c.name for c in index.columns if c.name != "tenant_id"]
    if not set(names) <= set(resource.extra):
        return None
    t = resource.table.c
    mine = t.tenant_id == bindparam("tenant_id", type_=Uuid)
    other = t.id != bindparam("own_id", type_=Uuid)
    same = [t[name] == bindparam(name, type_=t[name].type) for name in names]
    return names, Statement(select(t.id).where(mine, other, *same, *_condition(index)))


def _condition(index: Index) -> tuple[Any, ...]:
    """The rows that a partial index is about."""
    where = index.dialect_options["postgresql"]["where"]
    return () if where is None else (where,)


def _naming(refusal: errors.AlreadyExists, object: str, holder_id: str) -> errors.AlreadyExists:
    """The same refusal, naming the holder; a new one, because a declared one may be shared by all requests."""
    named = errors.AlreadyExists(
        f"{refusal.message}; it is the {object} {holder_id}",
        [errors.Violation(v.field, f"{v.description}; {holder_id} has it") for v in refusal.violations],
        metadata={**refusal.metadata, "holder_id": holder_id},
    )  # fmt: skip
    named.reason, named.domain = refusal.reason, refusal.domain
    return named
