"""How many records a list has, which they are, and whether a record is among them: a list's filter without its pages."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import BigInteger, Select, Uuid, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit import list_scope
from chassis.kit.filter import Compiled
from chassis.rights import Rights
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

FIRST_ID = str(UUID(int=0))


async def count(tx: Tx, resource: "Resource[Any]", found: Compiled, rights: Rights) -> int:
    """How many living records the filter selects among those that these rights reach."""
    statement, values = _matching(resource, found, rights, [func.count()])
    return int(await tx.fetchval(Statement(statement), **values))


async def ids_after(
    tx: Tx, resource: "Resource[Any]", found: Compiled, after: str, limit: int
) -> list[str]:
    """The ids of the next living records that the filter selects, whoever asks, in the order of ids."""
    v = resource.view.c
    statement, values = _matching(resource, found, None, [v.id])
    statement = (
        statement.where(v.id > bindparam("after", type_=Uuid))
        .order_by(v.id)
        .limit(bindparam("page_limit", type_=BigInteger))
    )
    rows = await tx.fetch(Statement(statement), **values, after=after, page_limit=limit)
    return [str(row["id"]) for row in rows]


def matching_ids(
    resource: "Resource[Any]", found: Compiled, rights: Rights | None
) -> tuple[Select[Any], Mapping[str, Any]]:
    """The ids of the living records that the filter selects, as a part of a statement, and its values."""
    return _matching(resource, found, rights, [resource.view.c.id])


def _matching(
    resource: "Resource[Any]", found: Compiled, rights: Rights | None, columns: list[Any]
) -> tuple[Select[Any], dict[str, Any]]:
    v, values = resource.view.c, dict(found.params)
    conditions = [
        v.tenant_id == bindparam("tenant_id", type_=Uuid),
        v.delete_time.is_(None),
        found.clause(v),
    ]
    owners = rights.owners(resource.object, "read") if rights and resource.scope_columns else None
    if rights is not None and owners is not None:
        owned, queued = (bindparam(name, type_=ARRAY(Uuid)) for name in ("owners", "departments"))
        scopes = list_scope.scopes(resource, owned, queued, bindparam("me", type_=Uuid))
        shared = [v[resource.shared_column]] if resource.shared_column else []
        conditions.append(or_(*scopes, *shared))
        departments = rights.departments(resource.object, "read") or ()
        scope = {
            "owners": list(owners),
            "departments": list(departments),
            "me": rights.user_id or None,
        }
        names = Statement(select(*columns).where(*conditions)).names
        values |= {name: value for name, value in scope.items() if name in names}
    return select(*columns).where(*conditions), values
