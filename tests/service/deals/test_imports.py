"""Imports of deals and products from the file to the records: guessed, planned, run, run again, undone, exported."""

import csv
import io
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.common.v1 import imports_pb2
from crm.contacts.v1 import company_pb2, contact_pb2
from crm.contacts.v1 import privacy_events_pb2 as privacy
from crm.contacts.v1.party_pb2 import Email, ExternalId, Phone
from crm.deals.v1 import deal_pb2, deal_reason_pb2, deal_verbs_pb2, product_pb2, quote_pb2
from crm.deals.v1 import imports_service_pb2 as pb
from crm.deals.v1.deal_reason_pb2 import DealReason
from crm.deals.v1.products_service_pb2_grpc import ProductsServiceStub
from crm.deals.v1.quotes_service_pb2_grpc import QuotesServiceStub
from services.deals import erasing
from tests.service.deals.deal_files import (
    OVERWRITE,
    Clerk,
    Import,
    Options,
    content_of,
    counts,
    told,
)
from tests.service.deals.moving import answered, file_ids, places_of, system
from tests.service.deals.world import Deal, World
from tests.service.worlds import Refused

PAST_AND_OPEN = """\
Nr szansy;Tytuł;Etap;Stan;Kwota;Waluta;Data zamknięcia;Powód przegranej;Telefon
7;Okna Nowak;needs;otwarta;1 200,50;PLN;;;601 234 567
8;Dach;Quoted;wygrana;9 000;PLN;04.04.2024;;
9;Brama;;przegrana;100;EUR;05.04.2024 10:30;Cena;
10;Ktoś obcy;;otwarta;5;PLN;;;700 000 000
11;Zgubiona;Nowhere;otwarta;5;PLN;;;
12;Otwarta z powodem;;otwarta;5;PLN;;Cena;
"""


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world)


async def deals(world: World) -> dict[str, Deal]:
    """The living deals by title."""
    answer = await world.admin.ListDeals(deal_pb2.ListDealsRequest(page_size=200))
    return {deal.title: deal for deal in answer.deals}


async def reason(world: World, name: str, kind: "DealReason.Kind") -> DealReason:
    made = DealReason(name=name, kind=kind)
    return await world.admin.CreateDealReason(
        deal_reason_pb2.CreateDealReasonRequest(deal_reason=made)
    )


def ana() -> contact_pb2.Contact:
    return contact_pb2.Contact(
        id=uuid7(), phones=[Phone(number="+48601234567")], emails=[Email(address="Ana@example.com")],
        external_ids=[ExternalId(system="oldcrm", id="K7")],
    )  # fmt: skip


async def test_a_file_is_guessed_planned_run_and_undone(world: World, clerk: Clerk) -> None:
    known, pipeline = ana(), await world.pipeline()
    await told(world, known)
    price = await reason(world, "Cena", DealReason.KIND_LOST)
    before = await content_of(world)
    begun = await clerk.begin(
        PAST_AND_OPEN, options=Options(phone_country="PL", decimal_comma=True)
    )
    assert [column.field for column in begun.columns] == [
        "external_id", "title", "stage", "state", "amount", "currency", "ended", "reason", "contact.phone",
    ]  # fmt: skip

    planned = await clerk.plan(begun)
    assert counts(planned.plan) == {"created": 3, "failed": 3}
    assert await content_of(world) == before

    done = await clerk.run(planned)
    assert (done.state, done.outcome) == (Import.STATE_DONE, planned.plan)
    found = await deals(world)
    going = found["Okna Nowak"]
    needs = next(stage for stage in pipeline.stages if stage.key == "needs")
    assert (going.contact_id, going.state, going.stage_id) == (known.id, Deal.STATE_OPEN, needs.id)
    assert (going.amount, going.base_amount, going.currency) == ("1200.50", "1200.50", "PLN")
    assert (going.owner_id, going.creator_id) == (world.tenant.admin.id, world.tenant.admin.id)
    won, lost = found["Dach"], found["Brama"]
    assert (won.state, to_datetime(won.ending.time).date().isoformat()) == (Deal.STATE_WON, "2024-04-04")  # fmt: skip
    assert (won.ending.owner_id, won.HasField("idle_time")) == (world.tenant.admin.id, False)
    assert (lost.state, lost.ending.reason_id) == (Deal.STATE_LOST, price.id)
    assert lost.ending.stage_id == pipeline.stages[0].id
    assert await clerk.refusals(done) == [
        (5, "contact: there is none with the phone +48700000000; import it first"),
        (6, "stage: 'Nowhere' is no stage of 'Sales'; its stages are "
         + ", ".join(stage.name for stage in pipeline.stages)),
        (7, "reason: is for a deal that is won or lost; say so in state"),
    ]  # fmt: skip

    undone = await clerk.undo(done)
    assert counts(undone.undo) == {"deleted": 3}
    assert await content_of(world) == before


async def test_the_days_of_stages_become_the_journey(world: World, clerk: Clerk) -> None:
    pipeline = await world.pipeline()
    new, needs, quoted = pipeline.stages[:3]
    text = (
        "Title,State,Closed,Stage dates,Created\n"
        "Roof,won,2024-03-01 12:00,new=2024-01-01 10:00; Needs known=2024-01-11 10:00; quoted=2024-02-01 10:00,2024-01-01 09:00\n"
        "Gate,open,,quoted=2024-02-01 10:00; new=2024-03-01 10:00,\n"
        "Fence,won,2024-01-05,new=2024-01-01; quoted=2024-02-01,\n"
    )

    done = await clerk.imported(text)

    found = await deals(world)
    roof = found["Roof"]
    journey = await world.admin.GetDealJourney(deal_verbs_pb2.GetDealJourneyRequest(id=roof.id))
    assert [(stay.stage_id, stay.seconds // 86400) for stay in journey.stays] == [
        (new.id, 10), (needs.id, 21), (quoted.id, 29),
    ]  # fmt: skip
    assert (roof.stage_id, roof.ending.stage_id) == (quoted.id, quoted.id)
    assert to_datetime(roof.request_time) < to_datetime(journey.stays[0].enter_time)
    gate = await world.admin.GetDealJourney(
        deal_verbs_pb2.GetDealJourneyRequest(id=found["Gate"].id)
    )
    assert [(stay.stage_id, stay.HasField("leave_time")) for stay in gate.stays] == [
        (quoted.id, True), (new.id, False),
    ]  # fmt: skip
    [(line, why)] = await clerk.refusals(done)
    assert (line, why.partition(":")[0]) == (4, "stage_dates")
    assert "is after its end" in why


@pytest.mark.large
async def test_the_same_file_twice_makes_nothing_new(world: World, clerk: Clerk) -> None:
    await told(world, ana())
    await world.pipeline()
    await reason(world, "Cena", DealReason.KIND_LOST)
    without_ids = "Title,Value,Phone\nRoof,5,+48601234567\nRoof,6,+48601234567\n"
    for text, found in (
        (PAST_AND_OPEN, {"unchanged": 3, "failed": 3}),
        (without_ids, {"unchanged": 2}),
    ):
        options = Options(phone_country="PL", decimal_comma=True)
        await clerk.imported(text, options=options)
        before = await content_of(world)

        again = await clerk.imported(text, options=options)

        assert again.plan == again.outcome
        assert counts(again.outcome) == found
        assert await content_of(world) == before


@pytest.mark.large
async def test_imported_history_is_told_as_such_and_counts_only_when_asked(
    world: World, clerk: Clerk
) -> None:
    await world.pipeline()
    lines = [f"{n},Deal {n},won,{n},2024-05-{n % 28 + 1:02}" for n in range(1, 301)]
    text = "\n".join(["Id,Title,State,Value,Closed", *lines])

    done = await clerk.imported(text)

    assert counts(done.outcome) == {"created": 300}
    await world.published()
    stream = await world.running.process.nats.js.stream_info(
        "DEALS", subjects_filter=f"crm.{world.tenant.id}.deals.>"
    )
    names = {subject.rpartition(".")[2]: n for subject, n in (stream.state.subjects or {}).items()}
    assert names["DealCreated"] == 300
    assert not names.keys() & {"DealWon", "DealAssigned", "DealStageChanged", "CommissionEarned"}
    assert await _facts(world) == [(300, sum(range(1, 301)), False)]
    assert await world.count("timers") == 0
    counted = "Id,Title,State,Value,Closed\nx1,Counted,won,7,2024-05-01\n"
    await clerk.imported(counted, options=Options(count_sales=True))
    assert await _facts(world) == [(300, sum(range(1, 301)), False), (1, 7, True)]


async def _facts(world: World) -> list[tuple[Any, ...]]:
    rows = await world.running.rows(
        "deals", "SELECT count(*) AS n, sum(amount) AS amount, counts FROM sales_facts WHERE tenant_id = $1"
        " GROUP BY counts ORDER BY counts", world.tenant.id,
    )  # fmt: skip
    return [(row["n"], row["amount"], row["counts"]) for row in rows]


async def test_whom_a_line_names_is_found_by_whatever_names_him(world: World, clerk: Clerk) -> None:
    known = ana()
    firm = company_pb2.Company(id=uuid7(), external_ids=[ExternalId(system="erp", id="F1")])
    await world.pipeline()
    await told(world, known)
    await told(world, firm)
    named = ["ana@EXAMPLE.com", "oldcrm/K7", "+48 601 234 567", known.id]
    text = "\n".join(["Title,Contact,Company", *(f"T{n},{each},erp/F1" for n, each in enumerate(named))])  # fmt: skip

    done = await clerk.imported(text)

    assert counts(done.outcome) == {"created": 4}
    found = (await deals(world)).values()
    assert {(deal.contact_id, deal.company_id) for deal in found} == {(known.id, firm.id)}


async def test_a_known_deal_gets_what_it_lacks_and_is_not_moved_by_a_file(
    world: World, clerk: Clerk
) -> None:
    await world.pipeline()
    await clerk.imported("Id,Title,Value\n1,Roof,\n2,Gate,3\n")

    filled = await clerk.imported("Id,Title,Value,State,Closed\n1,Other,5,,\n2,Gate,4,,\n")
    forced = await clerk.imported(
        "Id,Title,Value,State,Closed\n1,New roof,6,,\n2,Gate,4,won,2024-05-01\n",
        options=Options(on_match=OVERWRITE),
    )

    assert counts(filled.outcome) == {"updated": 1, "unchanged": 1}
    assert counts(forced.outcome) == {"updated": 1, "failed": 1}
    found = await deals(world)
    assert {title: deal.amount for title, deal in found.items()} == {"New roof": "6.00", "Gate": "3.00"}  # fmt: skip
    assert found["Gate"].state == Deal.STATE_OPEN
    assert await clerk.refusals(forced) == [(3, "state: it is open; use :win, :lose or :reopen")]


async def test_a_deal_with_a_quote_stays_when_its_import_is_undone(
    world: World, clerk: Clerk
) -> None:
    await world.pipeline()
    done = await clerk.imported("Id,Title\n1,Roof\n2,Gate\n")
    roof = (await deals(world))["Roof"]
    quotes = world.stub(world.tenant.admin, QuotesServiceStub)
    await quotes.CreateQuote(quote_pb2.CreateQuoteRequest(quote=quote_pb2.Quote(deal_id=roof.id)))

    undone = await clerk.undo(done)

    assert counts(undone.undo) == {"deleted": 1, "left": 1}
    assert set(await deals(world)) == {"Roof"}


async def test_what_is_exported_can_be_imported_again(world: World, clerk: Clerk) -> None:
    await world.pipeline()
    await reason(world, "Price", DealReason.KIND_LOST)
    await clerk.imported(
        "Id,Title,State,Value,Closed,Lost reason,Stage dates\n"
        '1,Roof,lost,"12.30",2024-03-01 12:00,Price,new=2024-01-01 10:00; quoted=2024-02-01 10:00\n'
        "2,Gate,open,5,,,\n"
    )

    text = await clerk.export(pb.ExportDealsRequest())

    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["title"]: (row["state"], row["stage"], row["reason"]) for row in rows} == {
        "Roof": ("lost", "quoted", "Price"), "Gate": ("open", "new", ""),
    }  # fmt: skip
    again = await clerk.imported(text)
    assert counts(again.outcome) == {"unchanged": 2}
    [told_of] = await world.events("RecordsExported")
    assert (told_of["object"], told_of["recordCount"]) == ("deal", "2")


async def test_products_come_in_by_their_numbers_and_go_out(world: World, clerk: Clerk) -> None:
    text = (
        "SKU,Name,Unit,Cost,Family\n"
        'W-1,Window,pc,"1,200.50",\n'
        "w-1 ,Window again,pc,,\n"
        "W-2,Frame,m,x,\n"
        "W-3,Sill,m,1,Nowhere\n"
    )

    done = await clerk.imported(text, resource="products")

    assert counts(done.plan) == {"created": 1, "duplicate": 1, "failed": 2}
    assert await clerk.refusals(done) == [
        (4, "unit_cost: 'x' is no number"),
        (5, "family: there is no product family 'Nowhere'; create it or leave it out"),
    ]
    products = world.stub(world.tenant.admin, ProductsServiceStub)
    (made,) = (await products.ListProducts(product_pb2.ListProductsRequest())).products
    assert (made.sku, made.name, made.unit, made.unit_cost) == ("W-1", "Window", "pc", "1200.50")
    again = await clerk.imported(await clerk.export(pb.ExportProductsRequest()), resource="products")  # fmt: skip
    assert counts(again.outcome) == {"unchanged": 1}
    changed = await clerk.imported(
        "SKU,Name\nw-1,Big window\n", resource="products", options=Options(on_match=OVERWRITE)
    )
    assert counts(changed.outcome) == {"updated": 1}
    undone = await clerk.undo(changed)
    assert counts(undone.undo) == {"restored": 1}
    assert (await products.GetProduct(product_pb2.GetProductRequest(id=made.id))).name == "Window"


async def test_cards_are_refused(world: World, clerk: Clerk) -> None:
    async with Refused(world, errors.InvalidArgument, "NO_CARDS", "format"):
        await clerk.stub.ExportDeals(pb.ExportDealsRequest(format=imports_pb2.FILE_FORMAT_VCARD))


@pytest.mark.large
async def test_an_erased_person_is_in_no_import_and_no_file_finds_him(
    world: World, clerk: Clerk
) -> None:
    known = ana()
    await world.pipeline()
    await told(world, known)
    text = (
        "Id,Title,Contact\n1,Okna Brzozowiczowna,oldcrm/K7\n2,Dach,\n3,Brzozowiczowna,oldcrm/K8\n"
    )
    done = await clerk.imported(text)
    exported = await clerk.export(pb.ExportDealsRequest())
    assert "Brzozowiczowna" in exported
    files = await file_ids(world)

    event = privacy.ContactErased(erasure_id=uuid7(), contact_id=known.id)
    await system(world, lambda tx: erasing.erased.begin(event, tx))

    await answered(world, "ErasureDone")
    assert await places_of(world, "Brzozowiczowna") == {}
    assert not files & await file_ids(world)
    assert await clerk.refusals(await clerk.get(done.id)) == []
    again = await clerk.imported("Title,Contact\nNew,ana@example.com\n")
    assert counts(again.outcome) == {"failed": 1}
