"""How a consumer says what it hears."""

import pytest

from chassis import contracts
from chassis.handlers import consumer_of, on, on_any
from crm.contacts.v1 import duplicate_events_pb2 as merges
from crm.contacts.v1 import events_pb2 as contacts
from crm.notifications.v1 import notice_events_pb2 as notifications
from crm.tasks.v1 import events_pb2 as tasks


async def body(event: object, tx: object) -> None: ...


def test_it_reads_the_streams_of_the_events_that_it_names_and_nothing_else_there() -> None:
    hearing = on(contacts.ContactUpdated, tasks.TaskDone, contacts.ContactCreated, durable="d")
    consumer = consumer_of(hearing(body))

    assert consumer.services == ("contacts", "tasks")
    created, updated = "crm.*.contacts.ContactCreated", "crm.*.contacts.ContactUpdated"
    assert consumer.subjects("contacts") == [created, updated]
    assert consumer.subjects("tasks") == ["crm.*.tasks.TaskDone"]


def test_all_events_are_asked_for_without_naming_any() -> None:
    consumer = consumer_of(on_any(durable="d")(body))

    assert consumer.services == contracts.load_all()
    assert consumer.subjects("contacts") == []
    assert consumer.hears(tasks.TaskDone())


def test_an_event_that_is_not_named_or_not_wanted_is_not_heard() -> None:
    hearing = on(
        contacts.ContactCreated, durable="d", wants=lambda event: event.contact.display_name != ""
    )
    consumer = consumer_of(hearing(body))
    named = contacts.ContactCreated()
    named.contact.display_name = "Ana"

    assert consumer.hears(named)
    assert not consumer.hears(contacts.ContactCreated())
    assert not consumer.hears(contacts.ContactUpdated(contact=named.contact))


def test_a_consumer_of_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="the consumer nothing names no event; see `on_any`"):
        on(durable="nothing")


def test_whoever_follows_records_hears_all_that_their_owner_tells_of_them() -> None:
    told = contracts.carrying("contact", "company")

    assert {event.DESCRIPTOR.name for event in told} == {
        *("ContactCreated", "ContactUpdated", "ContactDeleted", "ContactUndeleted"),
        *("CompanyCreated", "CompanyUpdated", "CompanyDeleted", "CompanyUndeleted"),
    }
    assert merges.ContactMerged not in told  # it carries ids


def test_a_record_that_another_service_passes_on_tells_nothing_of_it() -> None:
    told = contracts.carrying("task")

    assert tasks.TaskCreated in told
    assert notifications.VisitTomorrow not in told


def test_what_services_share_is_told_by_each_of_them() -> None:
    packages = {event.DESCRIPTOR.file.package for event in contracts.carrying("saved_view")}

    assert {"crm.contacts.v1", "crm.deals.v1", "crm.tasks.v1"} <= packages


def test_an_object_that_no_contract_has_is_refused() -> None:
    with pytest.raises(LookupError, match="no contract has a resource with the object contcat"):
        contracts.carrying("contact", "contcat")


def test_events_of_later_contracts_are_left_out_until_they_exist() -> None:
    found = contracts.known(["crm.tasks.v1.TaskDone", "crm.tasks.v1.TaskImagined"])

    assert found == (tasks.TaskDone,)


def test_an_event_gives_the_record_that_it_carries() -> None:
    event = contacts.ContactCreated()
    event.contact.id = "1"

    assert contracts.carried(event) == ("contact", event.contact)
    assert contracts.carried(merges.ContactMerged()) == ("", None)
