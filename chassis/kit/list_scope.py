"""Whose records a list reads: conditions and parts of its statement for the caller's scope.

For scopes of up to 200 owners the heads of each owner's index are merged; what he follows is read by its own index.
"""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Select,
    Uuid,
    and_,
    bindparam,
    column,
    false,
    func,
    lateral,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.sql.util import ClauseAdapter

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

_MERGED_OWNERS = 200


def kind_of_scope(
    owners: Collection[str] | None, departments: Collection[str], *, searches: bool
) -> str:
    """How the statement reads: everything; heads of few owners, or of one; or what any of many owners has."""
    if owners is None:
        return "all"
    if searches or len(owners) > _MERGED_OWNERS:
        return "any"
    return "merged" if len(owners) > 1 or len(departments) > 1 else "alone"


def scopes(
    resource: "Resource[Any]", owners: Any, departments: Any, me: Any
) -> tuple[Any, Any, Any]:
    """Conditions: the record has one of these owners; it waits in the queue of one of these departments; `me` follows it."""
    v, names = resource.view.c, resource.scope_columns
    mine = v.owner_id == owners.any_() if "owner_id" in names else false()
    queued: Any = false()
    if "department_id" in names:
        queued = v.department_id == departments.any_()
        if "owner_id" in names:
            queued = and_(queued, v.owner_id.is_(None))
    followed: Any = false()
    if "follower_ids" in names:
        # Some: what the partial index holds. Without saying so the index is not used.
        some = v.follower_ids != literal_column("'{}'")
        followed = and_(some, v.follower_ids.contains(array([me], type_=Uuid)))
    return mine, queued, followed


def heads_of(head: Any, key: Any, values: Any, name: str) -> Select[Any]:
    """The first rows of each value's own index range, instead of one long scan over everybody's rows."""
    each = (
        func.unnest(values).table_valued(column(name, Uuid), name=f"each_{name}").render_derived()
    )
    rows = lateral(head(key == each.c[name]), name=f"of_{name}")
    return select(*rows.c).select_from(each.join(rows, true()))


def head_of_first(head: Any, key: Any, values: Any, name: str) -> Select[Any]:
    """As `heads_of` for at most one value: of an array PostgreSQL expects ten, and would plan each list anew."""
    return select(head(key == bindparam(f"the_{name}", type_=Uuid)).subquery(f"of_{name}"))


def of_followed(
    resource: "Resource[Any]", followed: Any, conditions: Sequence[Any], chosen: Sequence[Any], order: Sequence[Any], limit: Any
) -> Any:  # fmt: skip
    """The first places of what the caller follows; OFFSET 0 has all of it read first, by its own index.

    Of a page behind very many equal values PostgreSQL expects one row, and would walk the whole order instead: 105 ms of a million.
    """
    tenant = resource.view.c.tenant_id == bindparam("tenant_id", type_=Uuid)
    rows = select(resource.view).where(tenant, followed).offset(literal_column("0")).subquery("followed")  # fmt: skip
    there: Callable[[Any], Any] = ClauseAdapter(rows).traverse
    places = select(*map(there, chosen)).where(*map(there, conditions)).order_by(*map(there, order))
    return places.limit(limit).subquery()
