"""Cells as moments."""

from datetime import UTC, date, datetime, time

import pytest

from chassis.kit.imports import moments
from chassis.kit.imports.moments import Said
from chassis.kit.imports.values import DMY, MDY, WrongValue

NOW = datetime(2026, 5, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "order", "said"),
    [
        ("2026-05-03", DMY, "2026-05-03T10:00:00Z"),  # noon in Warsaw
        ("3.05.2026 16:30", DMY, "2026-05-03T14:30:00Z"),
        ("05/03/2026 4:30 pm", MDY, "2026-05-03T14:30:00Z"),
        ("2026-05-03T16:30:15+07:00", DMY, "2026-05-03T09:30:15Z"),
        ("2026-05-03T16:30:00Z", DMY, "2026-05-03T16:30:00Z"),
    ],
)
def test_a_moment_is_read_in_the_zone_unless_it_names_one(cell: str, order: int, said: str) -> None:
    assert moments.written(moments.moment(cell, order).instant("Europe/Warsaw")) == said


@pytest.mark.parametrize(
    ("cell", "order", "day", "clock"),
    [
        ("31.12.2026", DMY, date(2026, 12, 31), None),
        ("12/31/2026 4:05 PM", MDY, date(2026, 12, 31), time(16, 5)),
        ("2026-12-31 12:00 am", DMY, date(2026, 12, 31), time(0, 0)),
        ("2026-12-31T23:59:58.123Z", DMY, date(2026, 12, 31), time(23, 59, 58)),
        ("3 maj 2026 08:30", DMY, date(2026, 5, 3), time(8, 30)),
    ],
)
def test_a_moment_is_read_in_many_spellings(
    cell: str, order: int, day: date, clock: time | None
) -> None:
    said = moments.moment(cell, order)

    assert (said.day, said.clock) == (day, clock)


def test_an_offset_in_the_cell_counts_and_else_the_zone() -> None:
    told = moments.moment("2026-07-01T10:00:00+07:00", DMY)

    assert told.instant("Europe/Warsaw").isoformat() == "2026-07-01T03:00:00+00:00"
    at_ten = Said(date(2026, 7, 1), time(10))
    assert at_ten.instant("Europe/Warsaw").isoformat() == "2026-07-01T08:00:00+00:00"
    assert Said(date(2026, 7, 1)).instant("UTC").hour == 12
    assert told.instant("UTC").tzinfo == UTC


@pytest.mark.parametrize(
    "cell", ["2026-12-31 25:00", "2026-12-31 10:61", "2026-02-30", "2026-05-03 noon:ish", "soon"]
)
def test_what_is_no_moment_is_refused(cell: str) -> None:
    with pytest.raises(WrongValue):
        moments.moment(cell, DMY)


def test_what_happened_today_happened_by_now() -> None:
    today, yesterday = moments.moment("2026-05-03", DMY), moments.moment("2026-05-02", DMY)

    assert today.past("Europe/Warsaw", NOW) == NOW
    assert yesterday.past("Europe/Warsaw", NOW) == datetime(2026, 5, 2, 10, 0, tzinfo=UTC)
