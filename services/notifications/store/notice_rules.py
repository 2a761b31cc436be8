"""Notice rules: a few dozen a tenant."""

from typing import Any

from sqlalchemy import Boolean, Column, Index, Text, any_, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.notifications.v1 import notice_rule_pb2
from services.notifications import errors
from services.notifications.store.schema import metadata

NoticeRule = notice_rule_pb2.NoticeRule


def _values(rule: NoticeRule) -> dict[str, Any]:
    return {
        "key": rule.key,
        "name_key": sort_key(rule.name),
        "name_search": search_key(rule.name),
        "event_types": [*rule.event_types, *rule.done_event_types],
        "disabled": rule.disabled,
        "built_in": rule.built_in,
    }


notice_rules = Resource(
    NoticeRule,
    metadata,
    table="notice_rules",
    columns=[
        Column("key", Text, nullable=False), Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False), Column("event_types", ARRAY(Text), nullable=False),
        Column("disabled", Boolean, nullable=False), Column("built_in", Boolean, nullable=False),
    ],
    values=_values,
    # A deleted rule keeps its key: a shipped one that somebody has deleted does not come back with the next version.
    items=[Index("uq_notice_rules_key", "tenant_id", "key", unique=True)],
    constraints={"uq_notice_rules_key": errors.KeyTaken()},
    fields={
        "key": Field("key", "text", sentinel=""),
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "disabled": Field("disabled", "bool"),
        "built_in": Field("built_in", "bool"),
    },
    search="name_search",
    default_order="name",
)  # fmt: skip

_v = notice_rules.view.c
_LISTENING = notice_rules.select(
    _v.disabled.is_(False), bindparam("event_type", type_=Text) == any_(_v.event_types)
)
_KEYS = Statement(
    text("SELECT key FROM notice_rules WHERE tenant_id = :tenant_id").bindparams(
        bindparam("tenant_id")
    )
)


async def listening(tx: Tx, event_type: str) -> list[NoticeRule]:
    """The rules that are on and tell of this event, or are done by it, in a fixed order."""
    found = await notice_rules.find_where(tx, _LISTENING, event_type=event_type)
    return sorted(found, key=lambda rule: rule.key)


async def keys(tx: Tx) -> set[str]:
    """The keys of all rules, deleted ones too."""
    return {row["key"] for row in await tx.fetch(_KEYS)}
