"""The resources: companies, users, departments, roles and API tokens, and the look-ups that their rules need."""

from typing import Any

from sqlalchemy import Column, Index, Text, Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.errors import CrmError
from chassis.fold import search_key, sort_key
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.identity.v1 import api_token_pb2, department_pb2, role_pb2, tenant_pb2, user_pb2
from services.identity import errors, rules
from services.identity.store.schema import metadata

__all__ = [
    "administrators_besides",
    "api_tokens",
    "department_use",
    "departments",
    "every",
    "lock_people",
    "parents",
    "role_ids",
    "role_use",
    "roles",
    "tenants",
    "tokens_of",
    "users",
]


def _taken(refusal: CrmError) -> Any:
    return lambda detail: refusal


def _user_columns(user: user_pb2.User) -> dict[str, Any]:
    return {
        "email_key": rules.email_key(user.email),
        "name_key": sort_key(user.name),
        "name_search": search_key(user.name),
        "search": search_key(f"{user.name} {user.email} {user.job_title} {user.extension}"),
        "state": rules.STATE_NAMES[user.state],
        "department_id": user.department_id or None,
        "role_ids": list(user.role_ids),
        "extension": user.extension,
    }


tenants: Resource[tenant_pb2.Tenant] = Resource(tenant_pb2.Tenant, metadata, table="tenants")

users: Resource[user_pb2.User] = Resource(
    user_pb2.User,
    metadata,
    table="users",
    columns=[
        Column("email_key", Text, nullable=False),
        Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False),
        Column("search", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("department_id", Uuid),
        Column("role_ids", ARRAY(Uuid), nullable=False),
        Column("extension", Text, nullable=False),
    ],
    items=[
        Index("ix_users_email", "tenant_id", "email_key"),
    ],
    values=_user_columns,
    fields={
        "email": Field("email_key", "text", fold=rules.email_key),
        "name": Field(
            "name_search", "text", fold=search_key, sortable=True, sort_column="name_key"
        ),
        "state": Field(
            "state",
            "enum",
            enum={f"USER_STATE_{name.upper()}": name for name in rules.STATE_NAMES.values()},
        ),
        "department_id": Field("department_id", "uuid"),
        "role_ids": Field("role_ids", "uuid_array"),
        "extension": Field("extension", "text"),
    },
    search="search",
    open_search="name_search",
    search_reveals=("email", "job_title", "extension"),
    default_order="name",
)

departments: Resource[department_pb2.Department] = Resource(
    department_pb2.Department,
    metadata,
    table="departments",
    columns=[
        Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False),
        Column("parent_id", Uuid),
        Column("head_id", Uuid),
    ],
    items=[
        Index("ix_departments_parent", "tenant_id", "parent_id"),
    ],
    values=lambda d: {
        "name_key": sort_key(d.name),
        "name_search": search_key(d.name),
        "parent_id": d.parent_id or None,
        "head_id": d.head_id or None,
    },
    fields={
        "name": Field(
            "name_search", "text", fold=search_key, sortable=True, sort_column="name_key"
        ),
        "parent_id": Field("parent_id", "uuid"),
        "head_id": Field("head_id", "uuid"),
    },
    search="name_search",
    default_order="name",
)

roles: Resource[role_pb2.Role] = Resource(
    role_pb2.Role,
    metadata,
    table="roles",
    columns=[
        Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False),
        Column("built_in", Text, nullable=False),
        # The name while the role lives, else its id: a deleted role's name is free again.
        Column("unique_name", Text, nullable=False),
    ],
    items=[
        Index("uq_roles_name", "tenant_id", "unique_name", unique=True),
    ],
    values=lambda r: {
        "name_key": sort_key(r.name),
        "name_search": search_key(r.name),
        "built_in": r.built_in,
        "unique_name": r.id if r.HasField("delete_time") else r.name.casefold(),
    },
    fields={
        "name": Field(
            "name_search", "text", fold=search_key, sortable=True, sort_column="name_key"
        ),
        "built_in": Field("built_in", "text"),
    },
    search="name_search",
    default_order="name",
    constraints={"uq_roles_name": _taken(errors.NameTaken("role"))},
)

api_tokens: Resource[api_token_pb2.ApiToken] = Resource(
    api_token_pb2.ApiToken,
    metadata,
    table="api_tokens",
    columns=[
        Column("owner_id", Uuid, nullable=False),
        Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False),
    ],
    items=[
        Index("ix_api_tokens_owner", "tenant_id", "owner_id", "create_time", "id"),
    ],
    values=lambda t: {
        "owner_id": t.owner_id,
        "name_key": sort_key(t.name),
        "name_search": search_key(t.name),
    },
    fields={
        "owner_id": Field("owner_id", "uuid"),
        "name": Field(
            "name_search", "text", fold=search_key, sortable=True, sort_column="name_key"
        ),
    },
    search="name_search",
    default_order="name",
)

_U, _D, _R = users.view.c, departments.view.c, roles.view.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))

_ADMINISTRATORS = Statement(
    select(func.count()).where(
        _U.tenant_id == _TENANT,
        _U.state == "active",
        _U.role_ids.overlap(_IDS),
        _U.id != bindparam("besides", type_=Uuid),
    )
)
_PARENTS = Statement(
    select(_D.id, _D.parent_id).where(_D.tenant_id == _TENANT, _D.delete_time.is_(None))
)
_ROLE_IDS = Statement(
    select(_R.id).where(
        _R.tenant_id == _TENANT, _R.built_in == bindparam("built_in"), _R.delete_time.is_(None)
    )
)
_USERS_OF_ROLE = Statement(
    select(func.count()).where(
        _U.tenant_id == _TENANT, bindparam("id", type_=Uuid) == any_(_U.role_ids)
    )
)
_USERS_OF_DEPARTMENT = Statement(
    select(func.count()).where(
        _U.tenant_id == _TENANT, _U.department_id == bindparam("id", type_=Uuid)
    )
)
_DEPARTMENTS_BELOW = Statement(
    select(func.count()).where(
        _D.tenant_id == _TENANT,
        _D.parent_id == bindparam("id", type_=Uuid),
        _D.delete_time.is_(None),
    )
)

_TOKENS_OF = api_tokens.select(api_tokens.view.c.owner_id == bindparam("owner_id", type_=Uuid))


async def lock_people(tx: Tx) -> None:
    """One writer at a time over a company's records here: they change rarely, and their rules and the directory span them."""
    await tx.lock("people")


async def administrators_besides(tx: Tx, user_id: str, administrator_ids: list[str]) -> int:
    """How many active administrators there are besides this user; call under `lock_people`."""
    return int(await tx.fetchval(_ADMINISTRATORS, ids=administrator_ids, besides=user_id))


async def parents(tx: Tx) -> dict[str, str]:
    """Each living department's parent, "" at the top."""
    return {str(row["id"]): str(row["parent_id"] or "") for row in await tx.fetch(_PARENTS)}


async def role_ids(tx: Tx, built_in: str) -> list[str]:
    """The ids of the roles that came with the company under this key."""
    return [str(row["id"]) for row in await tx.fetch(_ROLE_IDS, built_in=built_in)]


async def role_use(tx: Tx, role_id: str) -> int:
    """How many users, also deactivated ones, have the role."""
    return int(await tx.fetchval(_USERS_OF_ROLE, id=role_id))


async def department_use(tx: Tx, department_id: str) -> tuple[int, int]:
    """(users in the department, departments right below it)."""
    return (
        int(await tx.fetchval(_USERS_OF_DEPARTMENT, id=department_id)),
        int(await tx.fetchval(_DEPARTMENTS_BELOW, id=department_id)),
    )


async def tokens_of(tx: Tx, user_id: str) -> list[api_token_pb2.ApiToken]:
    """The living tokens that work for the user."""
    return await api_tokens.find_where(tx, _TOKENS_OF, owner_id=user_id)


_EVERY = {
    resource.name: resource.select(
        resource.view.c.id > bindparam("after", type_=Uuid), limit=500, order=resource.view.c.id
    )
    for resource in (tenants, users, departments, roles, api_tokens)
}
_FIRST = "00000000-0000-0000-0000-000000000000"


async def every(tx: Tx, resource: Resource[Any]) -> list[Any]:
    """All living records of the company, read in pages."""
    found: list[Any] = []
    while page := await resource.find_where(
        tx, _EVERY[resource.name], after=found[-1].id if found else _FIRST
    ):
        found += page
    return found
