"""Contacts and companies: what of them is searched, sorted and matched, and their ids in other systems."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    Date,
    Index,
    Integer,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.fold import phone_digits, search_key, sort_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.contacts.v1 import company_pb2, contact_pb2, party_pb2
from services.contacts import names
from services.contacts.rules import days
from services.contacts.store import fact_columns
from services.contacts.store.schema import metadata

Party = contact_pb2.Contact | company_pb2.Company

_NEVER = date(9999, 12, 31)
"""Stands for no next contact, so that a list by that day has those last."""

_REVEALED = ("phones", "emails", "external_ids", "tax_numbers")
"""What text search finds besides names; where one of them is hidden from the caller, it finds names only."""


def _party_columns() -> list[Column[Any]]:
    """The columns that both tables have."""
    return [
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("search", Text, nullable=False), Column("search_open", Text, nullable=False),
        Column("phone_digits", ARRAY(Text), nullable=False), Column("email_addresses", ARRAY(Text), nullable=False),
        Column("external_keys", ARRAY(Text), nullable=False), Column("label_ids", ARRAY(Uuid), nullable=False),
        Column("need_ids", ARRAY(Uuid), nullable=False), Column("tax_numbers", ARRAY(Text), nullable=False),
        Column("roles", ARRAY(Text), nullable=False), Column("cities", ARRAY(Text), nullable=False),
        Column("countries", ARRAY(Text), nullable=False), Column("lifecycle_stage", SmallInteger, nullable=False),
        Column("preferred_channel", SmallInteger, nullable=False), Column("language", Text, nullable=False),
        Column("time_zone", Text, nullable=False), Column("source_id", Uuid), Column("referrer_id", Uuid),
        Column("next_contact_date", Date, nullable=False, server_default=str(_NEVER)),
    ]  # fmt: skip


_word_key = lru_cache(maxsize=20_000)(search_key)
"""The key of a text that many records share: a name, a position, a city."""


def _joined(keys: Iterable[str]) -> str:
    """The search key of texts beside each other, out of the key of each: no character's folding minds its neighbours."""
    return " ".join(filter(None, keys))


def _party_values(party: Party, name: str, name_key: str, more: Iterable[str]) -> dict[str, Any]:
    """The values of those columns; `name` and `more` are the search keys of its name and of further texts to search."""
    digits = list(dict.fromkeys(phone_digits(phone.number) for phone in party.phones))
    emails = [email.address for email in party.emails]
    external, tax_numbers = party.external_ids, [tax.number for tax in party.tax_numbers]
    searched = [*map(search_key, emails), *digits]
    searched += map(search_key, (*(e.id for e in external), *tax_numbers))
    search_open = _joined([name, *more])
    end = party.referrer.WhichOneof("target") if party.HasField("referrer") else None
    next_day = days.day_of(party.next_contact_date) if party.HasField("next_contact_date") else None
    return {
        "owner_id": reference(party.owner_id),
        "department_id": reference(party.department_id),
        "follower_ids": list(party.follower_ids),
        "name_key": name_key,
        "name_search": name,
        "search": _joined([search_open, *searched]),
        "search_open": search_open,
        "phone_digits": digits,
        "email_addresses": emails,
        "external_keys": [key for e in external for key in (f"{e.system}/{e.id}", e.id)],
        "label_ids": list(party.label_ids),
        "need_ids": [need.need_id for need in party.needs],
        "tax_numbers": tax_numbers,
        "roles": [party_pb2.PartyRole.Name(role) for role in party.party_roles],
        "cities": [_word_key(address.city) for address in party.addresses if address.city],
        "countries": [address.country for address in party.addresses if address.country],
        "lifecycle_stage": party.lifecycle_stage,
        "preferred_channel": party.preferred_channel,
        "language": party.language,
        "time_zone": party.time_zone,
        "source_id": reference(party.source_id),
        "referrer_id": getattr(party.referrer, end) if end else None,
        "next_contact_date": next_day or _NEVER,
    }


def _role_name(text: str) -> str:
    return text if text.startswith("PARTY_ROLE_") else f"PARTY_ROLE_{text}"


_PARTY_FIELDS = {
    "owner_id": Field("owner_id", "uuid"),
    "department_id": Field("department_id", "uuid"),
    "follower_ids": Field("follower_ids", "uuid_array"),
    "phones": Field("phone_digits", "text_array", fold=phone_digits),
    "emails": Field("email_addresses", "text_array", fold=str.lower),
    "external_ids": Field("external_keys", "text_array"),
    "tax_numbers": Field("tax_numbers", "text_array"),
    "label_ids": Field("label_ids", "uuid_array"),
    "needs": Field("need_ids", "uuid_array"),
    "party_roles": Field("roles", "text_array", fold=_role_name),
    "addresses.city": Field("cities", "text_array", fold=search_key, hidden_as="addresses"),
    "addresses.country": Field("countries", "text_array", hidden_as="addresses"),
    "lifecycle_stage": choice("lifecycle_stage", party_pb2.LifecycleStage, "LIFECYCLE_STAGE_"),
    "preferred_channel": choice(
        "preferred_channel", party_pb2.PreferredChannel, "PREFERRED_CHANNEL_"
    ),
    "language": Field("language", "text", sentinel=""),
    "time_zone": Field("time_zone", "text", sentinel=""),
    "source_id": Field("source_id", "uuid"),
    "referrer": Field("referrer_id", "uuid"),
    "next_contact_date": Field("next_contact_date", "date", sentinel=_NEVER, sortable=True),
}


def _party_indexes(table: str) -> list[Index]:
    """One GIN index serves every exact look-up in an array; one more the search without hidden parts."""
    return [
        Index(
            f"ix_{table}_keys", "phone_digits", "email_addresses", "external_keys", "tax_numbers", "label_ids", "need_ids",
            postgresql_using="gin",
            # An import looks up thousands of keys while it adds rows: each look-up would read all that waits to be sorted in.
            postgresql_with={"fastupdate": "off"},
        ),
        Index(
            f"ix_{table}_search_open", "search_open", postgresql_using="gin",
            postgresql_ops={"search_open": "gin_trgm_ops"},
        ),
        Index(f"ix_{table}_referrer", "tenant_id", "referrer_id"),
        # The other ends of relations, asked when a record is merged; most records have none, so the index is small.
        Index(
            f"ix_{table}_relations", text("jsonb_path_query_array(json::jsonb, '$.relations[*].*')"),
            postgresql_using="gin", postgresql_where=text("json LIKE '%\"relations\":%'"),
        ),
    ]  # fmt: skip


def _contact_values(contact: contact_pb2.Contact) -> dict[str, Any]:
    name, given_name, family_name = contact.display_name, contact.given_name, contact.family_name
    given, family = _word_key(given_name), _word_key(family_name)
    both = _joined([given, family])
    is_usual = name == names.display(given_name, family_name)
    name_search = both if is_usual else search_key(name)
    sorted_by = sort_key(names.sort_text(given_name, family_name, name))
    born = contact.birthday if contact.HasField("birthday") else None
    return {
        **_party_values(contact, name_search, sorted_by, [] if is_usual else [both]),
        "given_name": given,
        "family_name": family,
        "position": _word_key(contact.position),
        "company_id": reference(contact.company_id),
        "birthday": date(born.year, born.month, born.day) if born and born.year else None,
        "birth_day": born.month * 100 + born.day if born else 0,
    }


contacts = Resource(
    contact_pb2.Contact,
    metadata,
    table="contacts",
    columns=[
        *_party_columns(),
        Column("given_name", Text, nullable=False), Column("family_name", Text, nullable=False),
        Column("position", Text, nullable=False), Column("company_id", Uuid), Column("birthday", Date),
        Column("birth_day", SmallInteger, nullable=False),
    ],
    values=_contact_values,
    items=[*_party_indexes("contacts"), Index("ix_contacts_company", "tenant_id", "company_id"), *fact_columns.columns("contact"),
           *fact_columns.touch_indexes("contacts")],
    fields={
        **_PARTY_FIELDS,
        **fact_columns.FIELDS["contact"],
        "display_name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "given_name": Field("given_name", "text", fold=search_key, sentinel=""),
        "family_name": Field("family_name", "text", fold=search_key, sentinel=""),
        "position": Field("position", "text", fold=search_key, sentinel=""),
        "company_id": Field("company_id", "uuid"),
        "birthday": Field("birthday", "date"),
        "birthday.day_of_year": Field("birth_day", "number", sentinel=0, hidden_as="birthday", day_of_year=True),
    },
    search="search",  # a trigger adds the company's name: see `refresh_company_names`
    open_search="search_open",
    search_reveals=(*_REVEALED, "company_id"),
)  # fmt: skip


def _company_values(company: company_pb2.Company) -> dict[str, Any]:
    more = map(search_key, [company.legal_name, *company.domains])
    return {
        **_party_values(company, search_key(company.name), sort_key(company.name), more),
        "domains": list(company.domains),
        "industry": _word_key(company.industry),
        "employee_count": company.employee_count,
    }


companies = Resource(
    company_pb2.Company,
    metadata,
    table="companies",
    columns=[
        *_party_columns(),
        Column("domains", ARRAY(Text), nullable=False), Column("industry", Text, nullable=False),
        Column("employee_count", Integer, nullable=False),
    ],
    values=_company_values,
    items=[*_party_indexes("companies"), *fact_columns.columns("company")],
    fields={
        **_PARTY_FIELDS,
        **fact_columns.FIELDS["company"],
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "domains": Field("domains", "text_array", fold=str.lower),
        "industry": Field("industry", "text", fold=search_key, sentinel=""),
        "employee_count": Field("employee_count", "number", sentinel=0),
    },
    search="search",
    open_search="search_open",
    search_reveals=_REVEALED,
)  # fmt: skip

PARTIES: dict[str, Resource[Any]] = {"contact": contacts, "company": companies}

_TENANT = bindparam("tenant_id", type_=Uuid)

# -- what exists -------------------------------------------------------------------------------------------------------------

_EXISTING = {
    object: Statement(
        select(resource.table.c.id).where(
            resource.table.c.tenant_id == _TENANT, resource.table.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))),
            resource.table.c.delete_time.is_(None),
        )
    )
    for object, resource in PARTIES.items()
}  # fmt: skip


async def missing(tx: Tx, object: str, ids: set[str]) -> set[str]:
    """Those of the ids under which no contact (or company) lives."""
    rows = await tx.fetch(_EXISTING[object], ids=sorted(ids)) if ids else []
    return ids - {str(row["id"]) for row in rows}


# -- people of a company, found by its name ----------------------------------------------------------------------------------

NAMES_AT_ONCE = 1000
"""Contacts whose search text is written in one transaction after a rename: well under a second."""

_C, _F = contacts.table.c, companies.table.c
_outdated = (
    select(_C.id)
    .join(companies.table, (_F.tenant_id == _C.tenant_id) & (_F.id == _C.company_id))
    .where(
        _C.tenant_id == _TENANT,
        _C.company_id == bindparam("company_id", type_=Uuid),
        func.split_part(_C.search, literal("\n"), 2) != _F.name_search,
    )
    .limit(NAMES_AT_ONCE)
)
# The trigger `add_company_name` does the rest; version and etag stay, because nothing of the record itself has changed.
_REFRESH = Statement(
    update(contacts.table)
    .where(_C.tenant_id == _TENANT, _C.id.in_(_outdated))
    .values(search=_C.search)
)


async def refresh_company_names(tx: Tx, company_id: str) -> bool:
    """Lets up to NAMES_AT_ONCE contacts of a renamed company be found by its new name; True if more may be left."""
    return await tx.execute(_REFRESH, company_id=company_id) == NAMES_AT_ONCE
