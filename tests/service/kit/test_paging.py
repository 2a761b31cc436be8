"""Pages: by keyset, so that nothing untouched is lost or doubled whatever happens between two pages."""

import asyncio

import pytest

from chassis import errors
from chassis.testing.installation import Installation, Tenant
from crm.contacts.v1 import label_pb2, source_pb2
from tests.service.kit.support import Desk, multiply


@pytest.mark.large
async def test_equal_sort_keys_are_paged_once_each_under_inserts_and_deletes(
    crm: Installation, tenant: Tenant
) -> None:
    """1,000 rows with one name, paged by 7 while others come and go with that name: every untouched row exactly once."""
    desk = Desk(tenant, tenant.admin, remote=False)
    await desk.create("Same")
    await multiply(crm, tenant, 999)
    rows = await crm.rows(
        "contacts", "SELECT id FROM contacts WHERE tenant_id = $1 ORDER BY random()", tenant.id
    )
    doomed, untouched = [str(r["id"]) for r in rows[:140]], {str(r["id"]) for r in rows[140:]}

    seen: list[str] = []
    token = ""
    while True:
        page = await desk.page(order_by="display_name", page_size=7, page_token=token)
        seen += [contact.id for contact in page.contacts]
        token = page.next_page_token
        if not token:
            break
        if doomed:
            await asyncio.gather(desk.create("Same"), desk.delete(doomed.pop()))

    assert len(doomed) < 40
    assert len(seen) == len(set(seen))
    assert untouched <= set(seen)


async def test_pages_of_every_order_follow_each_other(desk: Desk) -> None:
    names = ["Zenon", "Łukasz", "Lech", "Maria", "łucja", "Ana", "Ómar"]
    for name in names:
        await desk.create(name)

    for order in (
        "display_name",
        "display_name desc",
        "create_time",
        "update_time desc",
        "display_name, create_time",
    ):
        whole = await desk.names(order_by=order)
        seen, token = [], ""
        while True:
            page = await desk.page(order_by=order, page_size=2, page_token=token)
            seen += [contact.display_name for contact in page.contacts]
            token = page.next_page_token
            if not token:
                break
        assert seen == whole, order
    assert await desk.names(order_by="display_name") == [
        "Ana",
        "Lech",
        "łucja",
        "Łukasz",
        "Maria",
        "Ómar",
        "Zenon",
    ]


async def test_token_is_good_for_its_own_list_only(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    for name in ("A", "B", "C"):
        await desk.create(name)
    elsewhere = await crm.tenant()
    token = (await desk.page(page_size=1, order_by="display_name")).next_page_token

    others = (
        desk.page(page_size=1, page_token=token), desk.page(order_by="display_name desc", page_token=token),
        desk.page(order_by="display_name", page_token=token, filter='position = ""'),
        desk.page(order_by="display_name", page_token=token, q="abc"),
        desk.page(order_by="display_name", page_token=token, show_deleted=True),
        desk.page(order_by="display_name", page_token=token[:-2]),
        Desk(elsewhere, elsewhere.admin).page(order_by="display_name", page_token=token),
        desk.stub.ListLabels(label_pb2.ListLabelsRequest(order_by="name", page_token=token)),
        desk.stub.ListSources(source_pb2.ListSourcesRequest(page_token="bm9uc2Vuc2U")),
    )  # fmt: skip
    for other in others:
        with pytest.raises(errors.InvalidArgument) as refusal:
            await other
        assert refusal.value.violations[0].field == "page_token"
    assert (
        len((await desk.page(page_size=2, order_by="display_name", page_token=token)).contacts) == 2
    )


@pytest.mark.parametrize(
    ("asked", "named"),
    [({"page_size": 201}, "page_size"), ({"page_size": -1}, "page_size"), ({"order_by": "phones"}, "order_by"),
     ({"order_by": "display_name, create_time desc"}, "order_by"), ({"filter": "nothing = 1"}, "filter"),
     ({"filter": "display_name ="}, "filter"), ({"order_by": "custom.none"}, "order_by")],
)  # fmt: skip
async def test_list_that_cannot_be_followed_is_refused_by_name(
    desk: Desk, asked: dict, named: str
) -> None:
    with pytest.raises(errors.InvalidArgument) as refusal:
        await desk.page(**asked)
    assert refusal.value.violations[0].field == named


async def test_page_is_fifty_unless_asked_otherwise(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    await desk.create("Same")
    await multiply(crm, tenant, 59)

    page = await desk.page()

    assert len(page.contacts) == 50
    assert page.next_page_token
