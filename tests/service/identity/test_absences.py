"""Absences: planned, begun and ended by themselves, never two at once, and who stands in (S20)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.identity.v1 import absence_pb2 as pb
from crm.identity.v1 import absences_service_pb2_grpc as grpc
from crm.identity.v1 import department_pb2, user_pb2
from tests.service.identity.conftest import Company

Absence = pb.Absence


def stub(person: Person) -> Any:
    return person.stub(grpc.AbsencesServiceStub)


def at(hours: float) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours))
    return moment


def absence(owner_id: str = "", **values: Any) -> Absence:
    return Absence(**{"owner_id": owner_id, "kind": Absence.KIND_LEAVE, **values})


async def create(company: Company, one: Absence, by: Person | None = None) -> Absence:
    made: Absence = await stub(by or company.admin).CreateAbsence(
        pb.CreateAbsenceRequest(absence=one)
    )
    return made


async def get(company: Company, id: str) -> Absence:
    found: Absence = await stub(company.admin).GetAbsence(pb.GetAbsenceRequest(id=id))
    return found


async def user_of(company: Company, id: str) -> user_pb2.User:
    found: user_pb2.User = await company.stub.GetUser(user_pb2.GetUserRequest(id=id))
    return found


async def test_a_planned_absence_shows_on_the_user_and_not_yet_as_away(company: Company) -> None:
    ana, _ = await company.joined()
    dewi, _ = await company.joined()

    made = await create(
        company, absence(ana.id, start_time=at(24), end_time=at(48), delegate_id=dewi.id)
    )

    assert (made.state, list(made.follower_ids)) == (Absence.STATE_PLANNED, [dewi.id])
    user = await user_of(company, ana.id)
    assert not user.HasField("away_from")
    (told,) = user.absences
    assert (told.absence_id, told.delegate_id, told.end_time) == (made.id, dewi.id, made.end_time)
    await until_told(company, ana.id, [made.id])


async def until_told(company: Company, user_id: str, ids: list[str]) -> None:
    """Returns when the directory tells exactly these absences of the user."""

    def told() -> bool:
        return [a["id"] for a in (company.directory.user(user_id) or {}).get("absences", ())] == ids

    await company.crm.process.directory.until(told)


async def test_an_absence_that_is_now_begins_at_once_and_tells_who_stands_in(
    company: Company,
) -> None:
    dewi, _ = await company.joined()
    budi, _ = await company.joined()
    ana, _ = await company.joined()
    away = await create(
        company, absence(dewi.id, start_time=at(-1), end_time=at(5), delegate_id=budi.id)
    )
    await until_told(company, dewi.id, [away.id])

    made = await create(
        company, absence(ana.id, kind=Absence.KIND_SICK, start_time=at(-1), delegate_id=dewi.id)
    )

    assert (made.state, made.stand_in_id) == (Absence.STATE_STARTED, budi.id)
    assert list(made.follower_ids) == [dewi.id, budi.id]
    told = (await company.event("AbsenceStarted", count=2))["absence"]
    assert (told["ownerId"], told["standInId"]) == (ana.id, budi.id)
    user = await user_of(company, ana.id)
    assert user.away_from == made.start_time
    assert not user.HasField("away_until")


async def test_days_are_whole_days_of_the_user_s_zone(company: Company) -> None:
    ana, _ = await company.joined(time_zone="Asia/Jakarta")

    made = await create(
        company,
        absence(
            ana.id,
            start_date={"year": 2099, "month": 3, "day": 1},
            end_date={"year": 2099, "month": 3, "day": 2},
        ),
    )

    assert made.start_time.ToJsonString() == "2099-02-28T17:00:00Z"
    assert made.end_time.ToJsonString() == "2099-03-02T17:00:00Z"
    made.end_date.day = 3
    changed = await stub(company.admin).UpdateAbsence(
        pb.UpdateAbsenceRequest(absence=made, update_mask={"paths": ["end_date"]})
    )
    assert changed.end_time.ToJsonString() == "2099-03-03T17:00:00Z"
    changed.end_time.FromJsonString("2099-03-03T10:00:00Z")
    changed = await stub(company.admin).UpdateAbsence(
        pb.UpdateAbsenceRequest(absence=changed, update_mask={"paths": ["end_time"]})
    )
    assert (changed.HasField("end_date"), changed.HasField("start_date")) == (False, True)
    assert changed.end_time.ToJsonString() == "2099-03-03T10:00:00Z"


@pytest.mark.parametrize(
    ("start", "end"), [(30, 40), (20, 25), (47, 60), (20, 60), (24, 48), (20, None)]
)
async def test_two_absences_of_one_user_never_overlap(
    company: Company, start: float, end: float | None
) -> None:
    ana, _ = await company.joined()
    other = await create(company, absence(ana.id, start_time=at(24), end_time=at(48)))

    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition, match=other.id) as refused:
            await create(
                company,
                absence(ana.id, start_time=at(start), end_time=None if end is None else at(end)),
            )
    assert refused.value.reason == "ABSENCE_OVERLAPS"


async def test_absences_that_touch_do_not_overlap_and_others_may_be_away_too(
    company: Company,
) -> None:
    ana, _ = await company.joined()
    dewi, _ = await company.joined()
    middle = at(48)
    await create(company, absence(ana.id, start_time=at(24), end_time=middle))
    await create(company, absence(ana.id, start_time=middle, end_time=at(72)))
    await create(company, absence(dewi.id, start_time=at(24)))

    found = await stub(company.admin).ListAbsences(
        pb.ListAbsencesRequest(filter=f'owner_id = "{ana.id}"', order_by="start_time")
    )
    assert len(found.absences) == 2


async def test_a_changed_absence_does_not_overlap_itself(company: Company) -> None:
    ana, _ = await company.joined()
    made = await create(company, absence(ana.id, start_time=at(24), end_time=at(48)))
    made.end_time.CopyFrom(at(50))
    changed = await stub(company.admin).UpdateAbsence(
        pb.UpdateAbsenceRequest(absence=made, update_mask={"paths": ["end_time"]})
    )
    assert changed.end_time == made.end_time
    assert (await user_of(company, ana.id)).absences[0].end_time == made.end_time


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"end_time": 1}, "VALUE_INVALID", "start_time"),
    ({"start_time": 5, "end_time": 5}, "VALUE_INVALID", "end_time"),
    ({"start_time": -9, "end_time": -5}, "VALUE_INVALID", "end_time"),
    ({"start_time": 5, "delegate_id": "self"}, "VALUE_INVALID", "delegate_id"),
    ({"start_time": 5, "delegate_id": "nobody"}, "REFERENCE_UNKNOWN", "delegate_id"),
    ({"start_time": 5, "delegate_id": "invited"}, "RECIPIENT_NOT_ACTIVE", "delegate_id"),
    ({"start_time": 5, "owner_id": "nobody"}, "REFERENCE_UNKNOWN", "owner_id"),
    ({"start_time": 5, "start_date": {"year": 2099, "month": 1, "day": 1}}, "VALUE_INVALID", "start_time"),
    ({"start_date": {"year": 2099, "month": 2, "day": 30}}, "VALUE_INVALID", "start_date"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "reason", "field"), REFUSED)
async def test_what_no_absence_can_be_is_refused(
    company: Company, values: dict[str, Any], reason: str, field: str
) -> None:
    ana, _ = await company.joined()
    invited = await company.user()
    named = {"self": ana.id, "nobody": uuid7(), "invited": invited.id}
    values = {
        name: at(value) if isinstance(value, int) else named.get(value, value) if isinstance(value, str) else value
        for name, value in values.items()
    }  # fmt: skip
    async with company.unchanged():
        with pytest.raises(errors.CrmError) as refused:
            await create(company, absence(**{"owner_id": ana.id, **values}))
    assert refused.value.reason == reason
    assert field in [violation.field for violation in refused.value.violations]


async def test_a_started_absence_keeps_its_start_and_is_ended_not_deleted(company: Company) -> None:
    ana, _ = await company.joined()
    made = await create(company, absence(ana.id, start_time=at(-1)))
    moved = Absence(id=made.id, start_time=at(-2))
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refused:
            await stub(company.admin).UpdateAbsence(
                pb.UpdateAbsenceRequest(absence=moved, update_mask={"paths": ["start_time"]})
            )
        assert refused.value.reason == "FIELD_FIXED"
        with pytest.raises(errors.FailedPrecondition) as refused:
            await stub(company.admin).DeleteAbsence(pb.DeleteAbsenceRequest(id=made.id))
        assert refused.value.reason == "ABSENCE_STATE_WRONG"

    ended = await stub(company.admin).EndAbsence(pb.EndAbsenceRequest(id=made.id))

    assert ended.state == Absence.STATE_ENDED
    assert ended.HasField("end_time")
    user = await user_of(company, ana.id)
    assert (user.HasField("away_from"), len(user.absences)) == (False, 0)
    assert (await company.event("AbsenceEnded"))["absence"]["ownerId"] == ana.id
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refused:
            await stub(company.admin).EndAbsence(pb.EndAbsenceRequest(id=made.id))
    assert refused.value.reason == "ABSENCE_STATE_WRONG"


async def test_a_planned_absence_can_be_taken_back(company: Company) -> None:
    ana, _ = await company.joined()
    made = await create(company, absence(ana.id, start_time=at(24)))
    await stub(company.admin).DeleteAbsence(pb.DeleteAbsenceRequest(id=made.id))
    assert len((await user_of(company, ana.id)).absences) == 0
    assert not await company.rows("SELECT 1 FROM timers WHERE key = $1", made.id)


async def test_an_absence_that_lies_ahead_cannot_be_ended(company: Company) -> None:
    ana, _ = await company.joined()
    made = await create(company, absence(ana.id, start_time=at(24)))
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refused:
            await stub(company.admin).EndAbsence(pb.EndAbsenceRequest(id=made.id))
    assert refused.value.reason == "ABSENCE_STATE_WRONG"


async def test_everybody_plans_his_own_absence_and_nobody_another_s(company: Company) -> None:
    ana, as_ana = await company.joined()
    dewi, as_dewi = await company.joined()

    mine = await create(
        company, absence(start_time=at(24), end_time=at(48), delegate_id=dewi.id), by=as_ana
    )

    assert mine.owner_id == ana.id
    # Who stands in may read it, and no more.
    read = await stub(as_dewi).GetAbsence(pb.GetAbsenceRequest(id=mine.id))
    assert read.id == mine.id
    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied):
            await stub(as_dewi).DeleteAbsence(pb.DeleteAbsenceRequest(id=mine.id))
        with pytest.raises(errors.PermissionDenied):
            await create(company, absence(ana.id, start_time=at(100)), by=as_dewi)
    _, stranger = await company.joined()
    with pytest.raises(errors.NotFound):
        await stub(stranger).GetAbsence(pb.GetAbsenceRequest(id=mine.id))


async def test_the_head_stands_in_where_nobody_is_named(company: Company) -> None:
    head, _ = await company.joined("head")
    department = await company.stub.CreateDepartment(
        department_pb2.CreateDepartmentRequest(
            department=department_pb2.Department(name="Sales", head_id=head.id)
        )
    )
    ana, _ = await company.joined(department_id=department.id)
    await company.known("department", department.id)

    made = await create(company, absence(ana.id, start_time=at(-1)))

    assert made.stand_in_id == head.id
