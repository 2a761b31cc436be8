"""How long an import is kept, what its undo tells, and files that name what has been merged since."""

from datetime import timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.kit.imports import forgetting
from chassis.tx import Tx
from crm.contacts.v1 import imports_service_pb2 as pb
from crm.contacts.v1.party_pb2 import ExternalId, Phone
from services.contacts import store
from tests.service.contacts.files import OVERWRITE, Clerk, Import, Options, counts, state_of
from tests.service.contacts.merging import Merging
from tests.service.contacts.test_imports import firms, people
from tests.service.contacts.world import Refused, World
from tests.service.kit.support import until

LINES = "Name,Phone,Position,Company\nAna,601111111,Boss,Okna\nBudi,602222222,Chief,\nEwa,12,,\n"


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


async def forget(world: World, days: int) -> int:
    """What happens so many days from now."""
    runtime = world.running.process.runtimes["contacts"]
    later = runtime.clock.now() + timedelta(days=days)
    return await forgetting.forget(runtime, store.imports, world.tenant.id, later)


async def lines_kept(world: World, imported: Import) -> int:
    """Rows of the import in its three tables."""
    return sum(
        [
            (await world.running.rows("contacts", f"SELECT count(*) AS n FROM {table} WHERE import_id = $1", imported.id))[0]["n"]
            for table in ("import_rows", "import_records", "import_keys")
        ]
    )  # fmt: skip


# -- kept for some time --------------------------------------------------------------------------------


async def test_lines_and_files_go_after_their_days_and_the_summary_stays(
    world: World, clerk: Clerk
) -> None:
    done, before = await clerk.imported(LINES), await state_of(world)

    assert await forget(world, forgetting.DAYS_KEPT - 1) == 0
    assert await lines_kept(world, done) > 0
    assert await forget(world, forgetting.DAYS_KEPT + 1) == 1

    left = await clerk.get(done.id)
    assert await lines_kept(world, done) == 0
    assert (left.state, left.outcome, left.plan) == (Import.STATE_DONE, done.outcome, done.plan)
    assert (list(left.samples), left.error_file_id, left.operation) == ([], "", "")
    assert [list(column.samples) for column in left.columns] == [[], [], [], []]
    for file_id in (done.file_id, done.error_file_id):
        with pytest.raises(errors.NotFound):
            await clerk.content(file_id)
    assert await state_of(world) == before
    assert await forget(world, forgetting.DAYS_KEPT + 2) == 0


async def test_a_forgotten_import_cannot_be_undone_and_says_since_when(
    world: World, clerk: Clerk
) -> None:
    done = await clerk.imported(LINES)
    await forget(world, forgetting.DAYS_KEPT + 1)
    day = (await clerk.get(done.id)).update_time.ToDatetime().date().isoformat()

    for refused in (clerk.undo, clerk.preview, clerk.run, clerk.plan):
        async with Refused(world, errors.FailedPrecondition, "IMPORT_WRONG_STATE"):
            await refused(done)
    with pytest.raises(errors.CrmError, match=f"removed on {day}, 90 days after it was last used"):
        await clerk.undo(done)


async def test_a_file_that_waits_too_long_for_its_run_is_asked_for_again(
    world: World, clerk: Clerk
) -> None:
    planned = await clerk.plan(await clerk.begin(LINES))

    await forget(world, forgetting.DAYS_KEPT + 1)

    left = await clerk.get(planned.id)
    assert (left.state, left.failure) == (
        Import.STATE_FAILED,
        "its file was kept for 90 days; upload it again",
    )


async def test_a_file_that_a_later_import_uses_is_kept(world: World, clerk: Clerk) -> None:
    done = await clerk.imported(LINES)
    runtime = world.running.process.runtimes["contacts"]

    async def age(tx: Tx) -> None:
        first = await store.imports.find(tx, done.id)
        assert first is not None
        aged = first.update_time.ToDatetime() - timedelta(days=forgetting.DAYS_KEPT + 1)
        first.update_time.FromDatetime(aged)
        await world.running.rows(
            "contacts", "UPDATE imports SET doc = $1 WHERE id = $2", first.SerializeToString(), first.id
        )  # fmt: skip

    await runtime.run_system(world.tenant.id, Cause("test"), age)
    again = Import(resource="contacts", file_id=done.file_id)
    second = await clerk.stub.CreateImport(pb.CreateImportRequest(**{"import": again}))
    await clerk.ended(second.operation)
    assert await forget(world, 0) == 1

    assert await lines_kept(world, done) == 0
    assert (await clerk.get(done.id)).operation == ""
    assert await clerk.content(done.file_id) == LINES.encode()
    with pytest.raises(errors.NotFound):
        await clerk.content(done.error_file_id)


# -- what an undo tells --------------------------------------------------------------------------------


async def test_undo_makes_no_timeline_entry_and_no_comparison_per_record(
    world: World, clerk: Clerk
) -> None:
    old = await world.contact(given_name="Ala", phones=[Phone(number="+48604444444")])
    done = await clerk.imported(
        LINES + "Ala,604444444,Chief,\n", options=Options(on_match=OVERWRITE)
    )
    entries = await world.count("timeline")

    undone = await clerk.undo(done)

    assert counts(undone.undo) == {"deleted": 3, "restored": 1}
    told = await world.running.events(world.tenant, "ContactDeleted", count=2)
    assert {e["change"]["cause"]["kind"] for e in told} == {"import"}
    late = await world.contact(
        given_name="Late"
    )  # its own entry comes behind whatever the undo made

    async def of_late() -> Any:
        return await world.running.rows(
            "contacts", "SELECT 1 FROM timeline WHERE party_id = $1", late.id
        )

    await until(of_late)
    assert await world.count("timeline") == entries + 1
    keys = await world.running.rows(
        "contacts", "SELECT DISTINCT record_id FROM match_keys WHERE tenant_id = $1", world.tenant.id
    )  # fmt: skip
    assert {str(row["record_id"]) for row in keys} <= {old.id, late.id}
    (scan,) = await world.running.rows(
        "contacts", "SELECT count(*) AS n FROM timers WHERE tenant_id = $1 AND kind = 'scan-duplicates'",
        world.tenant.id,
    )  # fmt: skip
    assert scan["n"] == 2


# -- merged since ----------------------------------------------------------------------------------------


async def test_an_id_of_another_system_finds_whoever_its_record_went_into(
    world: World, clerk: Clerk
) -> None:
    merging = Merging(world)
    kept = await world.contact(
        given_name="Ana", external_ids=[ExternalId(system="oldcrm", id="001")]
    )
    gone = await world.contact(
        given_name="Anna", external_ids=[ExternalId(system="oldcrm", id="007")]
    )
    await merging.merge(kept, gone, choices={"external_ids": kept.id})
    file = "Customer number,Name,City\n007,Anna,Łódź\n"

    done = await clerk.imported(file, options=Options(external_system="oldcrm"))
    again = await clerk.imported(file, options=Options(external_system="oldcrm"))

    assert done.plan == done.outcome
    assert (counts(done.outcome), counts(again.outcome)) == ({"updated": 1}, {"unchanged": 1})
    found = await people(world)
    assert list(found) == ["Ana"]
    assert (found["Ana"].id, found["Ana"].addresses[0].city) == (kept.id, "Łódź")


async def test_who_is_brought_works_where_the_company_went_since_the_plan(
    world: World, clerk: Clerk
) -> None:
    merging = Merging(world)
    okna = await merging.company(name="Okna")
    other = await merging.company(name="Okna i Drzwi")
    planned = await clerk.plan(await clerk.begin("Name,Company\nAna,Okna\nBudi,Okna\n"))
    await merging.merge(other, okna)

    done = await clerk.run(planned)

    assert counts(done.outcome) == {"created": 2}
    assert list(await firms(world)) == ["Okna i Drzwi"]
    assert {c.company_id for c in (await people(world)).values()} == {other.id}
