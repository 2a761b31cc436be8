"""A person with his company and facts in one row."""

from itertools import product
from typing import Any

from asyncpg import Record
from sqlalchemy import Text, Uuid, and_, bindparam, exists, literal_column, select

from chassis.db import Statement
from chassis.kit.resource import checked_id
from chassis.tx import Tx
from services.contacts.store.merges import merged_parties
from services.contacts.store.parties import companies, contacts

_TENANT = bindparam("tenant_id", type_=Uuid)
_P, _C, _M = contacts.table.c, companies.table.c, merged_parties.c
_OF_COMPANY = "company_"
_PLAIN = ("id", "version", "delete_time")


def _reading(of_contact: str, of_company: str) -> Statement:
    """The columns named so hold what is shown of each: the stored JSON or the document."""
    went_into = exists(
        select(_M.id).where(
            _M.tenant_id == _TENANT, _M.object == literal_column("'contact'", Text), _M.survivor_id == _P.id
        )
    )  # fmt: skip
    own = [_P[name] for name in (*_PLAIN, of_contact, *contacts.row_columns, "facts")]
    names = (*_PLAIN, of_company, *companies.row_columns)
    of = [_C[name].label(f"{_OF_COMPANY}{name}") for name in names if name != "id"]
    works_for = and_(_C.tenant_id == _P.tenant_id, _C.id == _P.company_id)
    return Statement(
        select(*own, _P.company_id, *of, went_into.label("is_survivor"))
        .select_from(contacts.table.outerjoin(companies.table, works_for))
        .where(_P.tenant_id == _TENANT, _P.id == bindparam("id", type_=Uuid))
    )


_READ = {kinds: _reading(*kinds) for kinds in product(("doc", "json"), repeat=2)}


async def read(tx: Tx, id: str, of_contact: str, of_company: str) -> Record | None:
    """The contact whoever asks: its row, `facts`, `is_survivor` (others went into it), and its company's under `company_...`."""
    return await tx.fetchrow(_READ[of_contact, of_company], id=checked_id("contact", id))


def company_in(row: Record) -> dict[str, Any]:
    """The company's row inside; every value but the id is None where there is no such company."""
    prefix = len(_OF_COMPANY)
    found = {key[prefix:]: value for key, value in row.items() if key.startswith(_OF_COMPANY)}
    return found | {"id": row["company_id"]}
