"""What an absence may say, and when it begins and ends; pure."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.identity.v1 import absence_pb2, user_pb2
from services.identity import errors

Absence = absence_pb2.Absence

STATE_NAMES: dict[int, str] = {
    Absence.STATE_PLANNED: "planned",
    Absence.STATE_STARTED: "started",
    Absence.STATE_ENDED: "over",
}
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for no end."""


def absence(new: Absence, old: Absence | None, *, zone: ZoneInfo, now: datetime) -> None:
    """Completes moments from days in the user's zone; refuses what no calendar can be, and late changes."""
    if old is not None:
        require_state(old, Absence.STATE_PLANNED, Absence.STATE_STARTED)
        fixed = ["owner_id"] if new.owner_id != old.owner_id else []
        if old.state == Absence.STATE_STARTED:
            fixed += [f for f in ("start_time", "start_date") if getattr(new, f) != getattr(old, f)]
        if fixed:
            raise errors.FieldFixed(fixed)
    else:
        new.state = Absence.STATE_PLANNED
    violations = [*_times(new, old, zone), *_sensible(new, old, now)]
    if violations:
        raise errors.ValueInvalid(violations)


def _times(new: Absence, old: Absence | None, zone: ZoneInfo) -> Iterable[Violation]:
    """Days decide where they are new; a new moment takes the place of a day."""
    was = old or Absence()
    for day, moment in (("start_date", "start_time"), ("end_date", "end_time")):
        if getattr(new, moment) != getattr(was, moment) and getattr(new, day) == getattr(was, day):
            new.ClearField(day)  # type: ignore[arg-type]
        elif old is None and new.HasField(day) and new.HasField(moment):  # type: ignore[arg-type]
            yield Violation(moment, f"is given beside {day}; give one of them")
        if not new.HasField(day):  # type: ignore[arg-type]
            if getattr(was, day) != getattr(new, day) and getattr(new, moment) == getattr(
                was, moment
            ):
                new.ClearField(moment)  # type: ignore[arg-type]
            continue
        value = getattr(new, day)
        try:
            on = date(value.year, value.month, value.day)
        except ValueError:
            yield Violation(day, f"{value.year}-{value.month}-{value.day} is no date")
            continue
        midnight = on if day == "start_date" else on + timedelta(days=1)
        begins = datetime.combine(midnight, time(), zone)
        getattr(new, moment).CopyFrom(to_timestamp(begins.astimezone(UTC)))


def _sensible(new: Absence, old: Absence | None, now: datetime) -> Iterable[Violation]:
    if not new.HasField("start_time"):
        yield Violation("start_time", "or start_date is required")
        return
    if not new.HasField("end_time"):
        return
    end = to_datetime(new.end_time)
    if end <= to_datetime(new.start_time):
        yield Violation("end_time", "must be after start_time")
    elif end <= now:
        yield Violation("end_time", "is over; an absence lasts or lies ahead")


def require_state(current: Absence, *allowed: "Absence.State") -> None:
    """Raises AbsenceStateWrong unless the absence is in one of the states."""
    if current.state not in allowed:
        wanted = " or ".join(STATE_NAMES[state] for state in allowed)
        raise errors.AbsenceStateWrong(STATE_NAMES[current.state], wanted)


def refuse_overlap(other: Absence | None) -> None:
    """Raises AbsenceOverlaps, which names the other one."""
    if other is not None:
        end = (
            f"{to_datetime(other.end_time):%Y-%m-%d %H:%M}"
            if other.HasField("end_time")
            else "further notice"
        )
        raise errors.AbsenceOverlaps(
            other.id, f"{to_datetime(other.start_time):%Y-%m-%d %H:%M}", end
        )


def end_of(one: Absence) -> datetime:
    """The moment of the return; far away if nobody knows."""
    return to_datetime(one.end_time) if one.HasField("end_time") else NEVER


def start(one: Absence, stand_in_id: str) -> None:
    """The user is away from now on."""
    one.state, one.stand_in_id = Absence.STATE_STARTED, stand_in_id
    readers(one)


def end(one: Absence, *, at: datetime) -> None:
    """The user is back."""
    if end_of(one) > at:
        one.end_time.CopyFrom(to_timestamp(at))
        one.ClearField("end_date")
    one.state = Absence.STATE_ENDED


def readers(one: Absence) -> None:
    """The delegate and who really stands in may read it."""
    ids = dict.fromkeys((one.delegate_id, one.stand_in_id))
    one.follower_ids[:] = [id for id in ids if id and id != one.owner_id]


def tell_user(user: user_pb2.User, absences: Iterable[Absence]) -> None:
    """Shows on the user's own record when he is away; `absences` are his, in their order."""
    del user.absences[:]
    user.ClearField("away_from")
    user.ClearField("away_until")
    for one in absences:
        if one.state == Absence.STATE_ENDED:
            continue
        told = user.absences.add(absence_id=one.id, delegate_id=one.delegate_id)
        told.start_time.CopyFrom(one.start_time)
        if one.HasField("end_time"):
            told.end_time.CopyFrom(one.end_time)
        if one.state == Absence.STATE_STARTED:
            user.away_from.CopyFrom(one.start_time)
            if one.HasField("end_time"):
                user.away_until.CopyFrom(one.end_time)
