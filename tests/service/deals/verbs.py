"""What the tests of deals do with them."""

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.common.v1 import common_pb2
from crm.deals.v1 import (
    customization_pb2,
    deal_pb2,
    deal_reason_pb2,
    deal_verbs_pb2,
    pipeline_pb2,
)
from tests.service.deals.world import Deal, Pipeline, World

DealReason = deal_reason_pb2.DealReason


async def move(world: World, deal: Deal, stage_id: str, by: Person | None = None, **given: Any) -> Deal:  # fmt: skip
    request = deal_verbs_pb2.MoveDealRequest(id=deal.id, stage_id=stage_id, **given)
    return await world.stub(by or world.tenant.admin).MoveDeal(request)


async def win(world: World, deal: Deal, by: Person | None = None, **given: Any) -> Deal:
    request = deal_verbs_pb2.WinDealRequest(id=deal.id, **given)
    return await world.stub(by or world.tenant.admin).WinDeal(request)


async def lose(world: World, deal: Deal, reason: DealReason, **given: Any) -> Deal:
    request = deal_verbs_pb2.LoseDealRequest(id=deal.id, reason_id=reason.id, **given)
    return await world.admin.LoseDeal(request)


async def reopen(world: World, deal: Deal, **given: Any) -> Deal:
    return await world.admin.ReopenDeal(deal_verbs_pb2.ReopenDealRequest(id=deal.id, **given))


async def assign(world: World, deal: Deal, owner_id: str, **given: Any) -> Deal:
    request = deal_verbs_pb2.AssignDealRequest(id=deal.id, owner_id=owner_id, **given)
    return await world.admin.AssignDeal(request)


async def change(
    world: World, deal: Deal, *paths: str, by: Person | None = None, etag: str = "", request_id: str = "", **given: Any
) -> Deal:  # fmt: skip
    """Updates these fields; `paths` names those that are set to nothing, or inside of a field."""
    changed = Deal(id=deal.id, **given)
    mask = FieldMask(paths=[*paths, *(n for n in given if not any(p.startswith(f"{n}.") for p in paths))])  # fmt: skip
    request = deal_pb2.UpdateDealRequest(
        deal=changed, update_mask=mask, etag=etag, request_id=request_id
    )
    return await world.stub(by or world.tenant.admin).UpdateDeal(request)


async def shape(world: World, pipeline: Pipeline, *paths: str) -> Pipeline:
    """Saves these fields of the pipeline as they are in it, else its stages."""
    request = pipeline_pb2.UpdatePipelineRequest(
        pipeline=pipeline, update_mask=FieldMask(paths=list(paths) or ["stages"])
    )
    return await world.admin.UpdatePipeline(request)


async def pipeline(world: World, id: str) -> Pipeline:
    return await world.admin.GetPipeline(pipeline_pb2.GetPipelineRequest(id=id))


async def reason(world: World, kind: "DealReason.Kind" = DealReason.KIND_LOST, **given: Any) -> DealReason:  # fmt: skip
    """A new reason."""
    made = DealReason(**{"name": "Because", "kind": kind, **given})
    request = deal_reason_pb2.CreateDealReasonRequest(deal_reason=made)
    return await world.admin.CreateDealReason(request)


async def role(world: World) -> str:
    """A role that nobody has."""
    id = uuid7()
    await world.tenant.put("role", id, {"name": "role", "grants": [], "hidden": []})
    return id


async def custom_field(world: World, key: str) -> common_pb2.CustomField:
    """A text field of deals."""
    field = common_pb2.CustomField(
        key=key, label=key, resource="deals", type=common_pb2.CUSTOM_FIELD_TYPE_TEXT
    )
    return await world.admin.CreateCustomField(
        customization_pb2.CreateCustomFieldRequest(custom_field=field)
    )


async def drop_custom_field(world: World, field: common_pb2.CustomField) -> None:
    await world.admin.DeleteCustomField(customization_pb2.DeleteCustomFieldRequest(id=field.id))
