"""Contracts, found by their customers, their days and how they stand."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Column, Date, Index, Numeric, SmallInteger, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.fold import search_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from crm.deals.v1 import contract_pb2
from services.deals.store.schema import amount, day, metadata

Contract = contract_pb2.Contract


def _values(contract: Contract) -> dict[str, Any]:
    return {
        "owner_id": reference(contract.owner_id),
        "department_id": reference(contract.department_id),
        "follower_ids": list(contract.follower_ids),
        "state": contract.state,
        "currency": contract.currency,
        "value": amount(contract.value) or Decimal(0),
        "auto_renewal": contract.auto_renewal,
        "start_date": day(contract, "start_date"),
        "end_date": day(contract, "end_date"),
        "renewal_date": day(contract, "renewal_date"),
        "deal_id": reference(contract.deal_id),
        "contact_id": reference(contract.contact_id),
        "company_id": reference(contract.company_id),
        "previous_id": reference(contract.previous_id),
        "search": search_key(f"{contract.title} {contract.number}"),
    }


contracts = Resource(
    Contract,
    metadata,
    table="contracts",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("state", SmallInteger, nullable=False), Column("currency", Text, nullable=False),
        Column("value", Numeric, nullable=False), Column("auto_renewal", Boolean, nullable=False),
        Column("start_date", Date), Column("end_date", Date), Column("renewal_date", Date),
        Column("deal_id", Uuid), Column("contact_id", Uuid), Column("company_id", Uuid),
        Column("previous_id", Uuid), Column("search", Text, nullable=False),
    ],
    values=_values,
    items=[
        Index("ix_contracts_deal", "tenant_id", "deal_id", postgresql_where=text("deal_id IS NOT NULL")),
        Index("ix_contracts_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_contracts_company", "tenant_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
    ],
    fields={
        "state": choice("state", Contract.State, "STATE_"),
        "currency": Field("currency", "text", sentinel=""),
        "value": Field("value", "number", sortable=True),
        "auto_renewal": Field("auto_renewal", "bool"),
        "start_date": Field("start_date", "date", sortable=True),
        "end_date": Field("end_date", "date", sortable=True),
        "renewal_date": Field("renewal_date", "date", sortable=True),
        "deal_id": Field("deal_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "previous_id": Field("previous_id", "uuid"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
    },
    search="search",
)  # fmt: skip
