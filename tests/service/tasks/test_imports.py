"""Imports of tasks and calls from the file to the records: guessed, planned, run, run again, undone, exported."""

import csv
import io

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.common.v1 import imports_pb2
from crm.contacts.v1 import company_pb2, contact_pb2, privacy_events_pb2
from crm.contacts.v1 import duplicate_events_pb2 as duplicates
from crm.contacts.v1.party_pb2 import Email, ExternalId, Phone
from crm.tasks.v1 import imports_service_pb2 as pb
from crm.tasks.v1 import task_pb2
from services.tasks import consumers_parties, erasing, following
from tests.service.tasks.moving import answered, system
from tests.service.tasks.task_files import (
    OVERWRITE,
    SKIP,
    Clerk,
    Import,
    Options,
    content_of,
    counts,
    timers,
    told,
)
from tests.service.tasks.world import Outcome, Refused, Task, World

OPEN_AND_OVER = """\
Nr zadania;Temat;Stan;Termin;Data wykonania;Telefon;Uwagi
7;Oddzwonić;otwarte;31.12.2099;;601 234 567;pilne
8;Wysłać katalog;wykonane;03.04.2024;04.04.2024 09:30;;
9;Bez sensu;otwarte;01.02.2020;;;
10;Ktoś obcy;otwarte;;;700 000 000;
"""


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


async def tasks(world: World) -> dict[str, Task]:
    """The living tasks by subject."""
    answer = await world.admin.ListTasks(task_pb2.ListTasksRequest(page_size=200))
    return {task.subject: task for task in answer.tasks}


def ana() -> contact_pb2.Contact:
    return contact_pb2.Contact(
        id=uuid7(), phones=[Phone(number="+48601234567")], emails=[Email(address="Ana@example.com")],
        external_ids=[ExternalId(system="oldcrm", id="K7")],
    )  # fmt: skip


async def test_a_file_is_guessed_planned_run_and_undone(world: World, clerk: Clerk) -> None:
    known = ana()
    await told(world, known)
    before = await content_of(world)
    begun = await clerk.begin(OPEN_AND_OVER, options=Options(phone_country="PL"))
    assert [column.field for column in begun.columns] == [
        "external_id", "subject", "state", "due", "done_time", "contact.phone", "description",
    ]  # fmt: skip
    assert min(column.confidence for column in begun.columns) >= 0.75

    planned = await clerk.plan(begun)
    assert counts(planned.plan) == {"created": 3, "failed": 1}
    assert await content_of(world) == before

    done = await clerk.run(planned)
    assert (done.state, done.outcome) == (Import.STATE_DONE, planned.plan)
    found = await tasks(world)
    call, sent = found["Oddzwonić"], found["Wysłać katalog"]
    assert (call.contact_id, call.state, call.all_day) == (known.id, Task.STATE_OPEN, True)
    assert (call.owner_id, call.creator_id) == (world.tenant.admin.id, world.tenant.admin.id)
    assert (sent.state, sent.contact_id, len(sent.reminders)) == (Task.STATE_DONE, "", 0)
    assert to_datetime(sent.end_time).date().isoformat() == "2024-04-04"
    assert [(e.system, e.id) for e in call.external_ids] == [("import", "7")]
    assert await timers(world) == [("deadline", call.id)]  # neither what is over nor what is past
    failed = [row for row in await clerk.rows(done) if row.reason]
    assert [(r.line, r.reason) for r in failed] == [
        (5, "contact: there is none with the phone +48700000000; import it first")
    ]

    undone = await clerk.undo(done)
    assert counts(undone.undo) == {"deleted": 3}
    assert await content_of(world) == before


async def test_the_same_file_twice_makes_nothing_new(world: World, clerk: Clerk) -> None:
    await told(world, ana())
    without_ids = "Subject,Done,Phone\nCall,2024-05-03,+48601234567\nCall,2024-05-04,+48601234567\n"
    for text, found in (
        (OPEN_AND_OVER, {"unchanged": 3, "failed": 1}),
        (without_ids, {"unchanged": 2}),
    ):
        options = Options(phone_country="PL")
        await clerk.imported(text, options=options)
        before = await content_of(world)

        again = await clerk.imported(text, options=options)

        assert again.plan == again.outcome
        assert counts(again.outcome) == found
        assert await content_of(world) == before


@pytest.mark.large
async def test_history_of_2000_calls_fires_nothing(world: World, clerk: Clerk) -> None:
    known = ana()
    await told(world, known)
    kind = await world.type(
        key="call2", name="Rozmowa", outcomes=[Outcome(key="reached", label="Dodzwoniono się")],
        reminders=[task_pb2.Reminder(minutes_before=10)],
    )  # fmt: skip
    lines = [
        f"{n},Rozmowa,2024-05-{n % 28 + 1:02} {n % 24:02}:{n % 60:02},dodzwoniono się,+48601234567"
        for n in range(2000)
    ]
    text = "\n".join(["Call id,Type,Call time,Outcome,Phone", *lines])

    done = await clerk.imported(text, resource="calls")

    assert (counts(done.plan), done.plan) == ({"created": 2000}, done.outcome)
    assert await timers(world) == []
    await world.published()
    rows = await world.running.rows(
        "tasks", "SELECT count(*) AS n FROM tasks WHERE tenant_id = $1 AND state = 2 AND outcome = 'reached'"
        " AND type_id = $2 AND contact_id = $3 AND end_time < now()", world.tenant.id, kind.id, known.id,
    )  # fmt: skip
    assert rows[0]["n"] == 2000
    stream = await world.running.process.nats.js.stream_info(
        "TASKS", subjects_filter=f"crm.{world.tenant.id}.tasks.>"
    )
    names = {subject.rpartition(".")[2]: n for subject, n in (stream.state.subjects or {}).items()}
    assert names["TaskCreated"] == 2000
    assert not names.keys() & {
        "DeadlineNear",
        "DeadlineMissed",
        "Escalated",
        "TaskAssigned",
        "TaskDone",
    }


async def test_a_past_call_without_a_type_is_a_call(world: World, clerk: Clerk) -> None:
    call = await world.type(key="call", name="Telepon")

    await clerk.imported("Date,Notes\n2024-05-03 10:00,talked\n", resource="calls")

    (made,) = (await tasks(world)).values()
    assert (made.type_id, made.subject, made.state) == (call.id, "Telepon", Task.STATE_DONE)


async def test_a_contact_is_found_by_whatever_names_it(world: World, clerk: Clerk) -> None:
    known, gone = ana(), ana()
    gone.phones[0].number = "+48602000000"
    await told(world, known)
    await told(world, gone)
    merged = duplicates.ContactMerged(contact_id=known.id, merged_ids=[gone.id], merge_id=uuid7())
    await system(world, lambda tx: following.parties.hear(merged, tx))
    named = [
        "ana@EXAMPLE.com",
        "oldcrm/K7",
        "+48 601 234 567",
        known.id,
        gone.id,
        "+48 602 000 000",
    ]
    text = "\n".join(["Subject,Contact", *(f"T{n},{each}" for n, each in enumerate(named))])

    done = await clerk.imported(text)

    assert counts(done.outcome) == {"created": 6}
    assert {task.contact_id for task in (await tasks(world)).values()} == {known.id}


async def test_a_company_beside_a_contact(world: World, clerk: Clerk) -> None:
    known = ana()
    await told(world, known)
    firm = company_pb2.Company(id=uuid7(), external_ids=[ExternalId(system="erp", id="F1")])
    await told(world, firm)
    text = "Subject,Contact,Company\nA,oldcrm/K7,erp/F1\nB,,erp/F1\nC,,erp/F2\n"

    done = await clerk.imported(text)
    skipping = await clerk.plan(await clerk.begin(text, options=Options(on_match=SKIP)))

    assert counts(done.outcome) == {"created": 2, "failed": 1}
    found = await tasks(world)
    assert (found["A"].contact_id, found["A"].company_id) == (known.id, firm.id)
    assert (found["B"].contact_id, found["B"].company_id) == ("", firm.id)
    assert [(row.line, row.reason) for row in await clerk.rows(skipping) if row.reason] == [
        (2, "company: cannot be looked up beside a contact while matches are skipped"),
        (4, "company: there is none with the id erp/F2; import it first"),
    ]


async def test_what_contacts_takes_away_is_not_found(world: World, clerk: Clerk) -> None:
    known = ana()
    await told(world, known, version=2)
    old = contact_pb2.Contact(id=known.id, phones=[Phone(number="+48699999999")])
    await told(world, old, version=1)
    text = "Subject,Phone\nA,+48601234567\nB,+48699999999\n"
    assert counts((await clerk.imported(text)).outcome) == {"created": 1, "failed": 1}

    event = privacy_events_pb2.ContactErased(erasure_id=uuid7(), contact_id=known.id)
    await system(world, lambda tx: consumers_parties.follow(event, tx))
    await told(world, known, version=3)

    assert await world.count("named_record_keys") == 0
    assert counts((await clerk.imported("Subject,Phone\nC,+48601234567\n")).outcome) == {
        "failed": 1
    }


async def test_a_line_changes_what_it_may_and_an_undo_gives_it_back(
    world: World, clerk: Clerk
) -> None:
    await clerk.imported("Id,Subject,Due\n1,Call,2099-01-01\n2,Write,2099-01-01\n")
    found = await tasks(world)
    await world.worker(name="Budi Santoso")
    before = await content_of(world)
    text = (
        "Id,Subject,State,Done,Owner,Description\n"
        "1,Call back,done,2024-01-01 10:00,,soon\n"
        "2,Write,,,budi santoso,x\n"
    )

    skipped = await clerk.imported(text, options=Options(on_match=SKIP))
    assert counts(skipped.outcome).keys() == {"duplicate"}
    assert await content_of(world) == before

    changed = await clerk.imported(text, options=Options(on_match=OVERWRITE))
    task = await world.task(found["Call"].id)
    assert counts(changed.outcome) == {"updated": 1, "failed": 1}
    assert [row.reason for row in await clerk.rows(changed) if row.reason] == [
        "owner: somebody else has it now; give it away by :assign, not by a file"
    ]
    assert (task.subject, task.state, task.description) == ("Call back", Task.STATE_DONE, "soon")
    assert await timers(world) == [("deadline", found["Write"].id)]

    await clerk.undo(changed)
    assert await content_of(world) == before


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A,nonsense,,,,", "state: 'nonsense' is none of open, done, cancelled"),
        ("A,done,,,,", "done_time: is required for what is over; map the column that says when"),
        ("A,open,2024-01-01,,,", "done_time: is for a task that is done or cancelled; say so in state"),
        ("A,done,2024-01-01 25:00,,,", "done_time: '2024-01-01 25:00' is no time of the clock"),
        ("A,,,nobody@example.com,,", "owner: there is no user 'nobody@example.com'; create it or leave it out"),
        ("A,,,,nothing,", "type: there is no task type 'nothing'; create it or leave it out"),
        ("A,done,2024-01-01,,,won", "outcome: 'won' is unknown; the outcomes of its type are none"),
    ],
)  # fmt: skip
async def test_a_line_that_cannot_be_says_why(
    world: World, clerk: Clerk, line: str, reason: str
) -> None:
    before = await content_of(world)
    text = f"Subject,State,Done,Owner,Type,Outcome\nFine,,,,,\n{line}\n"

    planned = await clerk.plan(await clerk.begin(text))

    failed = [row.reason for row in await clerk.rows(planned) if row.reason]
    assert failed == [reason]
    assert await content_of(world) == before


async def test_what_the_future_holds_is_not_done(world: World, clerk: Clerk) -> None:
    planned = await clerk.plan(await clerk.begin("Subject,Done\nA,2099-01-01\n"))

    (row,) = await clerk.rows(planned)
    assert row.reason.endswith("which is still to come; correct it")
    assert counts(planned.plan) == {"failed": 1}


async def test_an_export_gives_back_what_was_imported(world: World, clerk: Clerk) -> None:
    known = ana()
    await told(world, known)
    await clerk.imported(OPEN_AND_OVER, options=Options(phone_country="PL"))
    before = await content_of(world)

    text = await clerk.export()

    lines = {row["subject"]: row for row in csv.DictReader(io.StringIO(text))}
    assert lines["Oddzwonić"]["due"] == "2099-12-31"
    assert lines["Oddzwonić"]["contact"] == known.id
    assert lines["Wysłać katalog"]["state"] == "done"
    again = await clerk.imported(text, options=Options(on_match=OVERWRITE))
    assert counts(again.outcome) == {"unchanged": 3}
    assert await content_of(world) == before


async def test_refusals_change_nothing(world: World, clerk: Clerk) -> None:
    begun = await clerk.begin("Subject,Due\nA,2099-01-01\n")
    begun.columns[0].field = "shoe_size"
    async with Refused(world, errors.InvalidArgument, "IMPORT_MAPPING_INVALID", "columns[0].field"):
        await clerk.update(begun, "columns")
    async with Refused(world, errors.InvalidArgument, "NO_CARDS", "format"):
        await clerk.export(format=imports_pb2.FILE_FORMAT_VCARD)
    async with Refused(world, errors.InvalidArgument, "EXPORT_COLUMN_UNKNOWN", "columns"):
        await clerk.export(columns=["shoe_size"])
    async with Refused(world, errors.FailedPrecondition, "IMPORT_WRONG_STATE"):
        await clerk.stub.RunImport(pb.RunImportRequest(id=begun.id))
    reader = await world.tenant.person([{"object": "task", "action": "read", "scope": "all"}])
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await Clerk(world, reader).stub.PlanImport(pb.PlanImportRequest(id=begun.id))


@pytest.mark.large
async def test_an_erased_person_is_in_no_import_any_more(world: World, clerk: Clerk) -> None:
    known = ana()
    await told(world, known)
    text = "Subject,Phone,Notes\nCall,+48601234567,Brzozowiczowna\nOther,,Nobody\nBad,+48601,Brzozowiczowna\n"
    done = await clerk.imported(text)
    assert counts(done.outcome) == {"created": 2, "failed": 1}

    event = privacy_events_pb2.ContactErased(erasure_id=uuid7(), contact_id=known.id)
    await system(world, lambda tx: erasing.erased.begin(event, tx))
    await answered(world, "ErasureDone")

    for table in (
        "imports",
        "imports_history",
        "import_rows",
        "import_records",
        "tasks",
        "tasks_history",
    ):
        rows = await world.running.rows(
            "tasks", f"SELECT t::text AS text FROM {table} t WHERE tenant_id = $1", world.tenant.id
        )
        for row in rows:
            assert "Brzozowiczowna" not in row["text"]
            assert b"Brzozowiczowna".hex() not in row["text"]
    with pytest.raises(errors.NotFound):
        await clerk.content(done.file_id)
    assert [row.cells[0] for row in await clerk.rows(done)] == ["Other"]
    assert counts((await clerk.undo(await clerk.get(done.id))).undo)["deleted"] == 1
