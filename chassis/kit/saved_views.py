"""Saved views: a list's filter, order and columns under a name, for oneself or for everybody."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, MetaData, Text, Uuid

from chassis import errors
from chassis.errors import Violation
from chassis.kit import filter as filters
from chassis.kit.filter import Field, FilterError
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.common.v1 import common_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable


class SavedViewInvalid(errors.InvalidArgument):
    """A view whose resource, filter or order cannot be followed."""

    reason = "SAVED_VIEW_INVALID"


def saved_views(metadata: MetaData) -> Resource[pb.SavedView]:
    """The resource that holds a service's saved views; declared once in its store."""
    return Resource(
        pb.SavedView,
        metadata,
        table="saved_views",
        columns=[
            Column("owner_id", Uuid, nullable=False),
            Column("resource", Text, nullable=False),
            Column("label", Text, nullable=False),
            Column("shared", Boolean, nullable=False),
        ],
        values=lambda v: {
            "owner_id": v.owner_id,
            "resource": v.resource,
            "label": v.label,
            "shared": v.shared,
        },
        fields={
            "resource": Field("resource", "text"),
            "label": Field("label", "text", sortable=True),
            "shared": Field("shared", "bool"),
            "owner_id": Field("owner_id", "uuid"),
        },
        shared_column="shared",
    )


async def check(tx: Tx, new: pb.SavedView, old: pb.SavedView | None) -> None:
    """A view must name a resource of this service and be a list that its author could ask for."""
    if old is None:
        new.owner_id = tx.actor.user_id
    resource = next((r for r in tx.runtime.resources.values() if r.plural == new.resource), None)
    if resource is None:
        known = ", ".join(sorted(r.plural for r in tx.runtime.resources.values()))
        raise SavedViewInvalid(
            f"there is no list of {new.resource!r}; known are {known}",
            [Violation("resource", "is unknown")],
        )
    custom = {**resource.fields, **resource.custom_orders(tx)}
    own = resource.custom_filters(tx)

    def filter_is_followed() -> None:
        node = filters.parse(new.filter)
        node = filters.anchored(node, resource.fields, own, filters.now_of(tx))
        filters.compile_filter(node, resource.fields, own)

    _refuse("filter", filter_is_followed)
    _refuse("order_by", lambda: filters.parse_order(new.order_by, custom))


def _refuse(field: str, attempt: "Callable[[], Any]") -> None:
    try:
        attempt()
    except FilterError as error:
        raise SavedViewInvalid(f"{field}: {error}", [Violation(field, str(error))]) from None
