"""GetUserWorkingHours and AddWorkingTime, and what companies, departments and users may say about hours."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_datetime, to_timestamp
from crm.identity.v1 import department_pb2, role_pb2, tenant_pb2, user_pb2
from crm.identity.v1 import working_hours_pb2 as pb
from crm.identity.v1 import working_hours_service_pb2_grpc as hours_grpc
from tests.service.identity.conftest import Company, grant, grpc

WEEK = [
    pb.WorkingHours(weekday=day, start=start, end=end)
    for day in range(1, 6)
    for start, end in (("08:00", "12:00"), ("13:00", "17:00"))
]


def special(year: int, month: int, day: int, name: str, *hours: tuple[str, str]) -> pb.SpecialDay:
    return pb.SpecialDay(
        date=Date(year=year, month=month, day=day),
        name=name,
        hours=[pb.DayHours(start=start, end=end) for start, end in hours],
    )


def asked(user_id: str, first: str = "", last: str = "") -> pb.GetUserWorkingHoursRequest:
    return pb.GetUserWorkingHoursRequest(id=user_id, from_date=first, to_date=last)


def adding(user_id: str, hours: float, start: datetime | None = None) -> pb.AddWorkingTimeRequest:
    request = pb.AddWorkingTimeRequest(id=user_id, duration=Duration(seconds=int(hours * 3600)))
    if start is not None:
        request.start_time.CopyFrom(to_timestamp(start))
    return request


def stub(company: Company) -> Any:
    return company.admin.stub(hours_grpc.WorkingHoursServiceStub)


async def company_says(company: Company, **fields: Any) -> tenant_pb2.Tenant:
    """Changes the company and waits until the directory has it."""
    changed = await company.stub.UpdateTenant(
        tenant_pb2.UpdateTenantRequest(
            tenant=tenant_pb2.Tenant(**fields), update_mask=FieldMask(paths=list(fields))
        )
    )
    wanted = len(fields.get("working_hours", ()))
    await company.crm.process.directory.until(
        lambda: len(company.directory.tenant().get("working_hours", ())) == wanted
    )
    return changed


async def new_department(company: Company, **fields: Any) -> department_pb2.Department:
    return await company.stub.CreateDepartment(
        department_pb2.CreateDepartmentRequest(
            department=department_pb2.Department(name="Bavaria", **fields)
        )
    )


async def test_each_day_says_when_it_is_open_and_why(company: Company) -> None:
    await company_says(
        company,
        working_hours=WEEK,
        special_days=[special(2026, 5, 2, "Stock-taking", ("10:00", "12:00"))],
    )
    department = await new_department(
        company,
        time_zone="Europe/Berlin",
        holidays=pb.HolidayCalendar(country="DE", subdivision="BY"),
        special_days=[special(2026, 5, 4, "Fair")],
    )
    user = await company.user(
        department_id=department.id, special_days=[special(2026, 5, 5, "Half day", ("08:00", "12:00"))]
    )  # fmt: skip
    entry = await company.known("user", user.id)
    assert entry["special_days"] == [
        {"date": "2026-05-05", "name": "Half day", "hours": [{"start": "08:00", "end": "12:00"}]}
    ]
    await company.known("department", department.id)

    answer = await stub(company).GetUserWorkingHours(asked(user.id, "2026-05-01", "2026-05-06"))
    assert (answer.time_zone, answer.always) == ("Europe/Berlin", False)
    assert [(d.date.day, pb.WorkingDayReason.Name(d.reason)[19:], pb.WorkingDayLevel.Name(d.level)[18:],
             len(d.spans)) for d in answer.days] == [
        (1, "HOLIDAY", "DEPARTMENT", 0),
        (2, "SPECIAL_DAY", "COMPANY", 1),
        (3, "WEEK", "COMPANY", 0),
        (4, "SPECIAL_DAY", "DEPARTMENT", 0),
        (5, "SPECIAL_DAY", "USER", 1),
        (6, "WEEK", "COMPANY", 2),
    ]  # fmt: skip
    assert [d.name for d in answer.days] == [
        "Labor Day", "Stock-taking", "", "Fair", "Half day", ""
    ]  # fmt: skip
    first = answer.days[5].spans[0]
    assert to_datetime(first.start_time) == datetime(2026, 5, 6, 6, tzinfo=UTC)
    assert to_datetime(first.end_time) == datetime(2026, 5, 6, 10, tzinfo=UTC)


async def test_a_deadline_counts_working_time_only(company: Company) -> None:
    await company_says(company, working_hours=WEEK)
    friday = datetime(2026, 5, 8, 14, 0, tzinfo=UTC)  # 16:00 in Warsaw
    answer = await stub(company).AddWorkingTime(adding(company.admin_id, 2, friday))
    assert to_datetime(answer.end_time) == datetime(2026, 5, 11, 7, tzinfo=UTC)
    assert to_datetime(answer.first_time) == friday
    saturday = datetime(2026, 5, 9, 12, tzinfo=UTC)
    answer = await stub(company).AddWorkingTime(adding(company.admin_id, 0, saturday))
    assert to_datetime(answer.end_time) == saturday
    assert to_datetime(answer.first_time) == datetime(2026, 5, 11, 6, tzinfo=UTC)


async def test_without_hours_somebody_works_always(company: Company) -> None:
    answer = await stub(company).GetUserWorkingHours(asked(company.admin_id))
    assert answer.always
    assert [d.reason for d in answer.days] == [pb.WORKING_DAY_REASON_ALWAYS] * 7
    now = datetime(2026, 12, 25, 3, tzinfo=UTC)
    added = await stub(company).AddWorkingTime(adding(company.admin_id, 100, now))
    assert to_datetime(added.end_time) == datetime(2026, 12, 29, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        ("2026-05-02", "2026-05-01", "to_date"),
        ("2026-05-01", "2026-08-01", "to_date"),
        ("2026-02-30", "", "from_date"),
        ("1969-12-31", "", "from_date"),
        ("", "2200-01-01", "to_date"),
    ],
)
async def test_a_period_that_is_none_is_refused(
    company: Company, first: str, last: str, field: str
) -> None:
    with pytest.raises(errors.InvalidArgument) as refusal:
        await stub(company).GetUserWorkingHours(asked(company.admin_id, first, last))
    assert refusal.value.reason == "VALUE_INVALID"
    assert [v.field for v in refusal.value.violations] == [field]


async def test_a_calendar_that_never_opens_and_durations_out_of_bounds_are_refused(
    company: Company,
) -> None:
    await company_says(
        company, working_hours=[pb.WorkingHours(weekday=1, start="09:00", end="09:01")]
    )
    with pytest.raises(errors.FailedPrecondition) as never:
        await stub(company).AddWorkingTime(adding(company.admin_id, 100))
    assert never.value.reason == "WORKING_TIME_NEVER"
    for hours in (-1, 10_001):
        with pytest.raises(errors.InvalidArgument) as refusal:
            await stub(company).AddWorkingTime(adding(company.admin_id, hours))
        assert [v.field for v in refusal.value.violations] == ["duration"]


async def test_hours_of_nobody_are_not_found_and_hidden_ones_stay_hidden(company: Company) -> None:
    with pytest.raises(errors.NotFound):
        await stub(company).GetUserWorkingHours(asked(uuid7()))
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(
                name="Blind", grants=[grant("user", "read")], hidden_fields=["user.working_hours"]
            )
        )
    )
    await company.known("role", role.id)
    _, person = await company.joined("observer", role_ids=[role.id])
    blind = person.stub(hours_grpc.WorkingHoursServiceStub)
    for call in (
        blind.GetUserWorkingHours(asked(company.admin_id)),
        blind.AddWorkingTime(adding(company.admin_id, 1)),
    ):
        with pytest.raises(errors.PermissionDenied) as refusal:
            await call
        assert refusal.value.reason == "FIELD_HIDDEN"
        assert [v.field for v in refusal.value.violations] == ["working_hours"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"working_hours": [pb.WorkingHours(weekday=1, start="17:00", end="09:00")]}, "working_hours"),
        ({"special_days": [special(2026, 2, 30, "x")]}, "special_days[0].date"),
        ({"special_days": [special(0, 12, 24, "x")]}, "special_days[0].date"),
        ({"special_days": [special(2026, 5, 4, "a"), special(2026, 5, 4, "b")]}, "special_days[1].date"),
        ({"special_days": [special(2026, 5, 4, "a", ("09:00", "12:00"), ("11:00", "13:00"))]},
         "special_days[0].hours"),
        ({"holidays": pb.HolidayCalendar(country="XX")}, "holidays.country"),
        ({"holidays": pb.HolidayCalendar(country="DE", subdivision="ZZ")}, "holidays.subdivision"),
        ({"holidays": pb.HolidayCalendar(subdivision="BY")}, "holidays.country"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("who", ["tenant", "department", "user"])
async def test_what_no_calendar_can_be_is_refused_and_nothing_changes(
    company: Company, who: str, fields: dict[str, Any], named: str
) -> None:
    await company.role_id("salesperson")
    save = {"tenant": company_says, "department": new_department, "user": Company.user}[who]
    async with company.unchanged():
        with pytest.raises(errors.InvalidArgument) as refusal:
            await save(company, **fields)
    assert refusal.value.reason == "VALUE_INVALID"
    assert [v.field for v in refusal.value.violations] == [named]


async def test_days_are_kept_in_order(company: Company) -> None:
    user = await company.user(
        special_days=[special(2026, 12, 31, " New  Year's Eve "), special(2026, 5, 4, "Move")],
        working_hours=[WEEK[1], WEEK[0]],
    )
    kept = await company.admin.stub(grpc.IdentityServiceStub).GetUser(
        user_pb2.GetUserRequest(id=user.id)
    )
    assert [d.name for d in kept.special_days] == ["Move", "New Year's Eve"]
    assert [h.start for h in kept.working_hours] == ["08:00", "13:00"]
