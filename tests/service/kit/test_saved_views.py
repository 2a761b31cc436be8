"""Saved views: one's own, or everybody's when shared; never a view that its list would refuse."""

from typing import Any

import pytest

from chassis import errors
from chassis.testing.installation import Installation, Tenant
from crm.common.v1 import common_pb2 as common
from crm.contacts.v1 import customization_pb2 as pb
from tests.service.kit.support import Desk, unchanged

SELLER = [
    {"object": "saved_view", "action": action, "scope": "own"}
    for action in ("read", "create", "update", "delete")
]


async def save(desk: Desk, label: str = "Mine", **rest: Any) -> common.SavedView:
    view = common.SavedView(
        **{"resource": "contacts", "label": label, "filter": 'position = "chief"', **rest}
    )
    return await desk.stub.CreateSavedView(pb.CreateSavedViewRequest(saved_view=view))


async def labels(desk: Desk, **asked: Any) -> list[str]:
    answer = await desk.stub.ListSavedViews(pb.ListSavedViewsRequest(order_by="label", **asked))
    return [view.label for view in answer.saved_views]


async def test_view_is_its_owners_until_shared(tenant: Tenant) -> None:
    ana, budi = [Desk(tenant, await tenant.person(SELLER)) for _ in range(2)]
    own = await save(ana, "Private")
    await save(ana, "Shared", shared=True)
    await save(budi, "Budi's")

    assert own.owner_id == ana.person.id
    assert await labels(ana) == ["Private", "Shared"]
    assert await labels(budi) == ["Budi's", "Shared"]
    assert await labels(budi, filter="shared = true") == ["Shared"]
    with pytest.raises(errors.NotFound):
        await budi.stub.GetSavedView(pb.GetSavedViewRequest(id=own.id, resource="contacts"))


async def test_shared_view_is_read_by_all_and_changed_by_its_owner(
    crm: Installation, tenant: Tenant
) -> None:
    ana, budi = [Desk(tenant, await tenant.person(SELLER)) for _ in range(2)]
    view = await save(ana, "Shared", shared=True)
    request = pb.UpdateSavedViewRequest(
        saved_view=common.SavedView(id=view.id, label="X"), resource="contacts"
    )
    request.update_mask.paths.append("label")

    got = await budi.stub.GetSavedView(pb.GetSavedViewRequest(id=view.id, resource="contacts"))
    assert "update" not in got.can
    async with unchanged(crm, tenant):
        with pytest.raises(errors.PermissionDenied):
            await budi.stub.UpdateSavedView(request)
        with pytest.raises(errors.PermissionDenied):
            await budi.stub.DeleteSavedView(
                pb.DeleteSavedViewRequest(id=view.id, resource="contacts")
            )
    assert (await ana.stub.UpdateSavedView(request)).label == "X"


async def test_views_of_one_resource_are_listed_apart(desk: Desk) -> None:
    await save(desk, "Contacts")
    await save(desk, "Companies", resource="companies", filter="")

    assert await labels(desk) == ["Companies", "Contacts"]
    assert await labels(desk, resource="companies") == ["Companies"]
    assert await labels(desk, resource='x" OR label != "') == []


@pytest.mark.parametrize(
    ("bad", "named"),
    [({"resource": "unicorns", "filter": ""}, "resource"), ({"filter": "no_such = 1"}, "filter"),
     ({"filter": "((("}, "filter"), ({"order_by": "phones"}, "order_by"), ({"filter": 'custom.none = "1"'}, "filter")],
)  # fmt: skip
async def test_view_that_its_list_would_refuse_is_refused(
    crm: Installation, tenant: Tenant, desk: Desk, bad: dict[str, Any], named: str
) -> None:
    async with unchanged(crm, tenant):
        with pytest.raises(errors.InvalidArgument) as refusal:
            await save(desk, **bad)
    assert refusal.value.violations[0].field == named
