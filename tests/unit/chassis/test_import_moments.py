"""Cells as moments."""

from datetime import UTC, datetime

import pytest

from chassis.kit.imports import moments
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


@pytest.mark.parametrize("cell", ["2026-05-03 25:00", "2026-05-03 noon:ish", "yesterday"])
def test_what_is_no_moment_is_refused(cell: str) -> None:
    with pytest.raises(WrongValue):
        moments.moment(cell, DMY)


def test_what_happened_today_happened_by_now() -> None:
    today, yesterday = moments.moment("2026-05-03", DMY), moments.moment("2026-05-02", DMY)

    assert today.past("Europe/Warsaw", NOW) == NOW
    assert yesterday.past("Europe/Warsaw", NOW) == datetime(2026, 5, 2, 10, 0, tzinfo=UTC)
