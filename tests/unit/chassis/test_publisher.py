"""Whose event a test reads, where several services publish one of the same name."""

import pytest

from chassis.testing.installation import publisher_of


def test_a_name_that_one_service_publishes_is_that_services_wherever_it_runs() -> None:
    assert publisher_of("TaskDone", ["contacts"]) == "tasks"


def test_of_several_publishers_it_is_the_one_that_runs() -> None:
    assert publisher_of("HandoverDone", ["tasks", "identity"]) == "tasks"
    assert publisher_of("HandoverDone", ["contacts"]) == "contacts"


@pytest.mark.parametrize(
    ("name", "running"),
    [("HandoverDone", ["contacts", "tasks"]), ("HandoverDone", []), ("NothingHappened", ["tasks"])],
)
def test_where_it_is_not_clear_the_test_must_say_so(name: str, running: list[str]) -> None:
    with pytest.raises(LookupError, match="say which service="):
        publisher_of(name, running)
