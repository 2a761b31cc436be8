"""Imports beside other people: what changed since the plan, cancelled runs, and what an undo leaves."""

import asyncio
import io
import random
from typing import Any

import openpyxl
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.call import Cause
from crm.common.v1 import imports_pb2 as imports
from crm.contacts.v1 import contact_pb2, request_pb2
from crm.contacts.v1 import imports_service_pb2 as pb
from crm.contacts.v1.party_pb2 import Phone
from services.contacts import store
from tests.service.contacts.files import OVERWRITE, Clerk, Import, Options, counts, state_of
from tests.service.contacts.groups import Groups
from tests.service.contacts.test_imports import firms, people
from tests.service.contacts.test_imports_refused import IMPORTER
from tests.service.contacts.world import Refused, World
from tests.service.kit.support import until

LINES = "Name,Phone,Position,Company\nAna,601111111,Boss,Okna\nBudi,602222222,Chief,\nCici,603333333,,Okna\n"


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


async def change(world: World, contact: contact_pb2.Contact, *paths: str) -> contact_pb2.Contact:
    return await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(contact=contact, update_mask=FieldMask(paths=paths))
    )


async def test_somebody_else_created_the_person_between_plan_and_run(
    world: World, clerk: Clerk
) -> None:
    planned = await clerk.plan(await clerk.begin(LINES))
    assert counts(planned.plan) == {"created": 3, "linked_created": 1}
    known = await world.contact(given_name="Budi", phones=[Phone(number="602222222")])

    done = await clerk.run(planned)

    assert counts(done.outcome) == {"created": 2, "updated": 1, "linked_created": 1}
    assert done.changed_since_plan == 1
    found = await people(world)
    assert sorted(found) == ["Ana", "Budi", "Cici"]
    assert (found["Budi"].id, found["Budi"].position) == (known.id, "Chief")


async def test_somebody_else_created_the_company_between_plan_and_run(
    world: World, clerk: Clerk
) -> None:
    from crm.contacts.v1 import company_pb2

    planned = await clerk.plan(await clerk.begin(LINES))
    okna = await world.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(company=company_pb2.Company(name="OKNA"))
    )

    done = await clerk.run(planned)

    assert counts(done.outcome) == {"created": 3}
    assert list(await firms(world)) == ["OKNA"]
    found = await people(world)
    assert found["Ana"].company_id == found["Cici"].company_id == okna.id


async def test_somebody_else_changed_the_person_between_plan_and_run(
    world: World, clerk: Clerk
) -> None:
    known = await world.contact(given_name="Budi", phones=[Phone(number="602222222")])
    planned = await clerk.plan(await clerk.begin(LINES))
    assert counts(planned.plan) == {"created": 2, "updated": 1, "linked_created": 1}
    known.position, known.salutation = "Chief", "Pak"
    await change(world, known, "position", "salutation")

    done = await clerk.run(planned)

    assert counts(done.outcome) == {"created": 2, "unchanged": 1, "linked_created": 1}
    assert done.changed_since_plan == 1
    kept = await world.contact(known.id)
    assert (kept.salutation, kept.position, kept.etag) == ("Pak", "Chief", "2")


async def test_somebody_else_deleted_the_person_between_plan_and_run(
    world: World, clerk: Clerk
) -> None:
    known = await world.contact(given_name="Budi", phones=[Phone(number="602222222")])
    planned = await clerk.plan(await clerk.begin(LINES))
    await world.admin.DeleteContact(contact_pb2.DeleteContactRequest(id=known.id))

    done = await clerk.run(planned)

    assert counts(done.outcome) == {"created": 3, "linked_created": 1}
    assert done.changed_since_plan == 1
    assert (await people(world))["Budi"].id != known.id


@pytest.mark.large
async def test_two_imports_of_one_file_at_once_make_each_person_once(
    world: World, clerk: Clerk
) -> None:
    text = "Name,Phone,Company\n" + "".join(
        f"P{n},{601000000 + n},Firm {n % 7}\n" for n in range(700)
    )
    planned = [await clerk.plan(await clerk.begin(text)) for _ in range(2)]

    done = await asyncio.gather(*(clerk.run(one) for one in planned))

    assert sum(one.outcome.created for one in done) == 700
    assert sum(one.outcome.unchanged for one in done) == 700
    assert sum(one.outcome.linked_created for one in done) == 7
    assert await world.count("contacts") == 700
    assert await world.count("companies") == 7


@pytest.mark.large
async def test_cancelled_run_keeps_what_it_wrote_and_goes_on(world: World, clerk: Clerk) -> None:
    text = "Name,Phone\n" + "".join(f"P{n},{601000000 + n}\n" for n in range(8000))
    planned = await clerk.plan(await clerk.begin(text))
    await clerk.stub.RunImport(pb.RunImportRequest(id=planned.id))

    async def some() -> bool:
        return await world.count("contacts") > 0

    await until(some)
    stopped = await clerk.stub.CancelImport(pb.CancelImportRequest(id=planned.id))
    await clerk.ended(stopped.operation)

    stopped = await clerk.get(planned.id)
    written = await world.count("contacts")
    assert stopped.state == Import.STATE_CANCELLED
    assert 0 < written < 8000
    done = await clerk.run(stopped)
    assert counts(done.outcome) == {"created": 8000}
    assert await world.count("contacts") == 8000


# -- undo ----------------------------------------------------------------------------------------------


@pytest.mark.large
async def test_what_was_edited_or_referred_to_since_is_left_and_listed(
    world: World, clerk: Clerk
) -> None:
    old = await world.contact(
        given_name="Dodi", position="Clerk", phones=[Phone(number="604444444")]
    )
    same = await world.contact(given_name="Ewa", phones=[Phone(number="605555555")])
    done = await clerk.imported(
        LINES + "Dodi,604444444,Chief,Okna\nEwa,605555555,Head,\n",
        options=Options(on_match=OVERWRITE),
    )
    found = await people(world)
    found["Ana"].salutation = "Pani"
    await change(world, found["Ana"], "salutation")
    await world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(
            request=request_pb2.Request(contact_id=found["Budi"].id, text="?")
        )
    )
    found["Dodi"].position = "Director"
    await change(world, found["Dodi"], "position")

    previewed = await clerk.preview(done)
    undone = await clerk.undo(done)

    assert previewed.undo.preview
    assert counts(previewed.undo) == {"preview": True, "deleted": 1, "restored": 1, "left": 4}
    assert counts(undone.undo) == {"deleted": 1, "restored": 1, "left": 4}
    rows = await clerk.rows(undone, left=True)
    reasons = sorted(row.reason for row in rows)
    assert reasons == [
        "a request refers to it since", "contacts that stay work there", "edited since: position",
        "edited since: salutation",
    ]  # fmt: skip
    kept = await people(world)
    assert sorted(kept) == ["Ana", "Budi", "Dodi", "Ewa"]
    assert (kept["Dodi"].position, kept["Dodi"].company_id) == ("Director", "")
    assert kept["Ewa"].position == "" == same.position
    assert kept["Dodi"].id == old.id


async def test_preview_changes_nothing(world: World, clerk: Clerk) -> None:
    done = await clerk.imported(LINES)
    before = await state_of(world)

    previewed = await clerk.preview(done)

    assert counts(previewed.undo) == {"preview": True, "deleted": 4}
    assert (previewed.state, await state_of(world)) == (Import.STATE_DONE, before)


async def test_undone_import_is_undone_once(world: World, clerk: Clerk) -> None:
    done = await clerk.imported(LINES)
    await clerk.undo(done)
    versions = await world.count("contacts_history")

    again = await clerk.undo(done)

    assert counts(again.undo) == {"deleted": 4}
    assert await world.count("contacts_history") == versions


async def test_undo_needs_its_right(world: World) -> None:
    grants = [g for g in IMPORTER if g["object"] != "import"]
    some = [{"object": "import", "action": a, "scope": "own"} for a in ("read", "create", "run")]
    seller = Clerk(world, await world.tenant.person([*grants, *some]))
    done = await seller.imported(LINES)

    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await seller.undo(done)


async def test_forgotten_persons_leave_no_cells_behind(world: World, clerk: Clerk) -> None:
    done = await clerk.imported(LINES)
    ana = (await people(world))["Ana"]
    runtime = world.running.process.runtimes["contacts"]

    async def forget(tx: Any) -> None:
        from chassis.kit.imports.store import forget

        await forget(tx, [ana.id])

    await runtime.run_system(world.tenant.id, Cause("erase"), forget)

    rows = await clerk.rows(done)
    assert [list(row.cells) for row in rows if row.record_id == ana.id] == [[]]
    assert sum(bool(row.cells) for row in rows) == 2
    assert store.imports.name == "imports"


# -- the file of the README tour, smaller --------------------------------------------------------------


def workbook(rows: int) -> bytes:
    """Phones as numbers and as text, 8 % twins, merged company names, headers in two languages."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Lista klientów 2026"])
    sheet.append(["Nama Perusahaan", "Imię i nazwisko", "No HP", "E-mail", "Data urodzenia"])
    chance, people_ = random.Random(7), list[list[Any]]()
    for number in range(rows):
        if people_ and chance.random() < 0.08:
            person = list(chance.choice(people_))
        else:
            phone = 601_000_000 + number
            person = [None, f"Osoba {number}", phone if number % 2 else f"+48 {phone}", f"o{number}@example.com", "3.4.1985"]  # fmt: skip
            people_.append(person)
        if number % 10 == 0:
            person[0] = f"Firma {number // 10}"
        sheet.append(person)
    for start in range(3, rows + 3, 10):
        sheet.merge_cells(
            start_row=start, end_row=min(start + 9, rows + 2), start_column=1, end_column=1
        )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.large
async def test_the_tours_workbook_is_planned_run_imported_again_and_undone(
    world: World, clerk: Clerk
) -> None:
    rows = 1200
    content, before = workbook(rows), await state_of(world)
    begun = await clerk.begin(content, "klienci.xlsx")
    assert begun.header_row == 2
    assert [c.field for c in begun.columns] == [
        "company.name",
        "display_name",
        "phones",
        "emails",
        "birthday",
    ]

    planned = await clerk.plan(begun)
    done = await clerk.run(planned)

    assert done.outcome == planned.plan
    made = done.outcome
    assert made.created + made.duplicate + made.updated == rows
    assert 0.05 * rows < made.duplicate + made.updated < 0.11 * rows
    assert (made.failed, made.linked_created) == (0, rows // 10)
    assert await world.count("contacts") == made.created
    assert {len(c.phones) for c in (await people(world)).values()} == {1}
    again = await clerk.imported(content, "klienci.xlsx")
    assert again.outcome.created == again.outcome.linked_created == again.outcome.failed == 0
    assert again.outcome.updated == 0
    undone = await clerk.undo(done)
    assert undone.undo.left == 0
    assert await state_of(world) == before
    assert imports.Import.State.Name(undone.state) == "STATE_UNDONE"


async def test_an_import_and_its_undo_tell_who_enters_and_leaves_segments(
    world: World, clerk: Clerk
) -> None:
    groups = Groups(world)
    bosses = await groups.create("position = boss")
    chief = await world.contact(position="Boss", phones=[Phone(number="602222222")])
    await groups.until_kept(bosses, chief.id)

    done = await clerk.imported(LINES, options=Options(on_match=OVERWRITE))

    ana = (await people(world))["Ana"]
    assert await groups.kept(bosses) == {ana.id}  # in the transaction that wrote them
    await clerk.undo(done)
    assert await groups.kept(bosses) == {chief.id}
    moves = [
        (m["type"], m["contactId"], m["change"]["cause"]["kind"]) for m in await groups.moves(5)
    ]
    assert moves[0] == ("ContactEnteredSegment", chief.id, "event")
    assert sorted(moves[1:]) == sorted(
        [
            ("ContactLeftSegment", chief.id, "import"),
            ("ContactEnteredSegment", ana.id, "import"),
            ("ContactLeftSegment", ana.id, "import"),
            ("ContactEnteredSegment", chief.id, "import"),
        ]
    )
