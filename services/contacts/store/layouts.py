"""Layouts of cards."""

from sqlalchemy import Column, SmallInteger, Text, Uuid

from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.contacts.v1 import layout_pb2, party_pb2
from services.contacts.store.schema import metadata

layouts = Resource(
    layout_pb2.Layout,
    metadata,
    table="layouts",
    columns=[
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("resource", Text, nullable=False), Column("party_role", SmallInteger, nullable=False),
        Column("role_id", Uuid),
    ],
    values=lambda layout: {
        "name_key": sort_key(layout.name),
        "name_search": search_key(layout.name),
        "resource": layout.resource,
        "party_role": layout.party_role,
        "role_id": reference(layout.role_id),
    },
    fields={
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "resource": Field("resource", "text", sentinel=""),
        "party_role": choice("party_role", party_pb2.PartyRole, "PARTY_ROLE_"),
        "role_id": Field("role_id", "uuid"),
    },
    search="name_search",
    default_order="name",
)  # fmt: skip

_ALL = layouts.select()


async def all_layouts(tx: Tx, resource: str) -> list[layout_pb2.Layout]:
    """The living layouts of a resource's card: a handful."""
    return [each for each in await layouts.find_where(tx, _ALL) if each.resource == resource]
