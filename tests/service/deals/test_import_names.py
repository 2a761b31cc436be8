"""Labels and sources in files of deals: said by name, a source by its key too, and given back by exports."""

import csv
import io
from typing import Any

import pytest

from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.common.v1.common_pb2 import Change
from crm.contacts.v1 import catalogue_events_pb2 as events
from crm.contacts.v1.label_pb2 import Label
from crm.contacts.v1.source_pb2 import Source
from crm.deals.v1 import deal_pb2
from crm.deals.v1 import imports_service_pb2 as pb
from crm.deals.v1.imports_service_pb2_grpc import DealImportsServiceStub
from services.deals import consumers_catalogues
from tests.service.deals.deal_files import OVERWRITE, Clerk, Options, content_of, counts
from tests.service.deals.moving import system
from tests.service.deals.world import Deal, World


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world)


async def told(world: World, entry: Any, *, version: int = 1) -> Any:
    """contacts tells of a label or a source."""
    change = Change(version=version)
    event: Any
    if isinstance(entry, Label):
        event = events.LabelUpdated(change=change, label=entry)
    else:
        event = events.SourceUpdated(change=change, source=entry)
    await system(world, lambda tx: consumers_catalogues.follow(event, tx))
    return entry


async def label(world: World, name: str) -> Label:
    return await told(world, Label(id=uuid7(), name=name))


async def source(world: World, key: str, name: str) -> Source:
    return await told(world, Source(id=uuid7(), key=key, name=name))


async def found(world: World) -> dict[str, Deal]:
    """The living deals by title."""
    listed = await world.admin.ListDeals(deal_pb2.ListDealsRequest(page_size=200))
    return {deal.title: deal for deal in listed.deals}


@pytest.mark.parametrize(
    "headers",
    ["Title;Labels;Source", "Tytuł;Etykiety;Źródło", "Judul;Penanda;Sumber", "Tajuk;Label;Punca"],
    ids=["en", "pl", "id", "ms"],
)
async def test_labels_and_sources_are_said_by_name_or_key(
    world: World, clerk: Clerk, headers: str
) -> None:
    await world.pipeline()
    vip, loud = await label(world, "VIP"), await label(world, "Głośny, miły")
    fair = await source(world, "trade_fair", "Targi")
    before = await content_of(world)

    done = await clerk.imported(
        f'{headers}\nRoof;"vip; GŁOŚNY, miły; VIP";targi\nGate;;trade_fair\nFence;VIP, cold;Targi\nDoor;;Nowhere\n'
    )

    deals = await found(world)
    assert list(deals["Roof"].label_ids) == [vip.id, loud.id]
    assert [deals[title].source_id for title in ("Roof", "Gate")] == [fair.id, fair.id]
    assert await clerk.refusals(done) == [
        (4, "labels: there is no label 'cold'; create it or leave it out"),
        (5, "source: there is no source 'Nowhere'; create it or leave it out"),
    ]
    undone = await clerk.undo(done)
    assert counts(undone.undo) == {"deleted": 2}
    assert await content_of(world) == before


@pytest.mark.large
async def test_what_is_exported_can_be_imported_again(world: World, clerk: Clerk) -> None:
    await world.pipeline()
    for name in ("VIP", "Loud, nice"):
        await label(world, name)
    await source(world, "trade_fair", "Trade fair")
    first = 'Id,Title,Labels,Source\n1,Roof,"VIP; Loud, nice",Trade fair\n2,Gate,,\n'
    await clerk.imported(first)
    before = await content_of(world)

    text = await clerk.export(pb.ExportDealsRequest())

    rows = {row["title"]: row for row in csv.DictReader(io.StringIO(text))}
    assert (rows["Roof"]["labels"], rows["Roof"]["source"]) == ("VIP; Loud, nice", "Trade fair")
    assert (rows["Gate"]["labels"], rows["Gate"]["source"]) == ("", "")
    for file in (text, first):
        assert counts((await clerk.imported(file)).outcome) == {"unchanged": 2}
    assert await content_of(world) == before


@pytest.mark.large
async def test_a_known_deal_gains_labels_and_an_undo_takes_them_back(
    world: World, clerk: Clerk
) -> None:
    await world.pipeline()
    vip, cold = await label(world, "VIP"), await label(world, "Cold")
    fair, web = await source(world, "fair", "Fair"), await source(world, "web", "Web")
    await clerk.imported("Id,Title,Labels,Source\n1,Roof,VIP,Fair\n2,Gate,,\n")
    before = await content_of(world)

    filled = await clerk.imported("Id,Title,Labels,Source\n1,Roof,Cold,Web\n2,Gate,Cold,Web\n")
    deals = await found(world)

    assert counts(filled.outcome) == {"updated": 2}
    assert (list(deals["Roof"].label_ids), deals["Roof"].source_id) == ([vip.id, cold.id], fair.id)
    assert (list(deals["Gate"].label_ids), deals["Gate"].source_id) == ([cold.id], web.id)
    forced = await clerk.imported(
        "Id,Title,Labels,Source\n1,Roof,Cold,Web\n", options=Options(on_match=OVERWRITE)
    )
    assert (await found(world))["Roof"].source_id == web.id
    for each in (forced, filled):
        await clerk.undo(each)
    assert await content_of(world) == before


async def test_the_options_of_an_import_label_all_and_source_the_new(
    world: World, clerk: Clerk
) -> None:
    await world.pipeline()
    batch, fair = await label(world, "Batch 7"), await source(world, "fair", "Fair")
    await source(world, "web", "Web")
    await clerk.imported("Id,Title\n1,Roof\n")

    options = Options(label_ids=[batch.id], source_id=fair.id)
    done = await clerk.imported("Id,Title,Source\n1,Roof,\n2,Gate,\n3,Fence,Web\n", options=options)

    deals = await found(world)
    assert counts(done.outcome) == {"created": 2, "updated": 1}
    assert sorted(deals) == ["Fence", "Gate", "Roof"]
    assert [list(deal.label_ids) for deal in deals.values()] == [[batch.id]] * 3
    assert [deals[title].source_id for title in ("Roof", "Gate")] == ["", fair.id]
    assert deals["Fence"].source_id not in ("", fair.id)


async def test_names_follow_contacts_by_version(world: World, clerk: Clerk) -> None:
    await world.pipeline()
    entry = await label(world, "Old")
    await told(world, Label(id=entry.id, name="New"), version=3)
    await told(world, Label(id=entry.id, name="Late"), version=2)
    gone = await label(world, "Gone")
    gone.delete_time.CopyFrom(to_timestamp(world.running.process.runtimes["deals"].clock.now()))
    await told(world, gone, version=2)
    await told(world, Label(id=gone.id, name="Gone"), version=1)

    done = await clerk.imported("Title,Labels\nA,new\nB,old\nC,late\nD,gone\n")

    assert counts(done.outcome) == {"created": 1, "failed": 3}
    assert set(await found(world)) == {"A"}


async def test_names_of_another_company_are_not_known(world: World, clerk: Clerk) -> None:
    stranger = World(world.running, await world.running.tenant())
    await label(stranger, "VIP")
    await world.pipeline()

    done = await clerk.imported("Title,Labels\nRoof,VIP\n")

    assert counts(done.outcome) == {"failed": 1}
    assert await found(world) == {}


async def test_labels_that_are_hidden_from_somebody_are_in_no_file_of_his(
    world: World, clerk: Clerk
) -> None:
    await world.pipeline()
    await label(world, "VIP")
    await clerk.imported("Title,Labels\nRoof,VIP\n")
    may = [{"object": o, "action": "*", "scope": "all"} for o in ("deal", "operation")]
    blind = await world.tenant.person(may, hidden=["deal.label_ids"])
    stub = world.stub(blind, DealImportsServiceStub)

    operation = await stub.ExportDeals(pb.ExportDealsRequest(columns=["title", "labels"]))

    assert (await clerk.file_of(operation)).splitlines() == ["title,labels", "Roof,"]
