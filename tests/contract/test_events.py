"""Every event keeps the rules, and each rule fires on a bad sample."""

import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor

from chassis import contracts
from tests.contract.descriptors import compiled, events, methods, resources
from tools.contracts import events as rules
from tools.contracts import unexcused

# A named fact that takes the place of the kit's event.
NAMED = {
    "crm.contacts.v1.RequestCreated": "RequestReceived",
    "crm.contacts.v1.AgreementCreated": "AgreementMade",
    "crm.deals.v1.DeliveryCreated": "DeliveryPlanned",
    "crm.identity.v1.HandoverCreated": "HandoverProposed",
    "crm.tasks.v1.MeetingCreated": "MeetingScheduled",
}

SAMPLE = """
syntax = "proto3";
package crm.event_sample.v1;
import "crm/common/v1/common.proto";
import "crm/options/v1/options.proto";

message Lamp {
  option (crm.options.v1.resource) = { object: "lamp", plural: "lamps" };
  string id = 1;
  repeated Bulb bulbs = 2;
}
message Bulb { option (crm.options.v1.stored) = true; string id = 1; }
message Heat { string id = 1; }
message LampCreated {
  option (crm.options.v1.event) = { kind: "lamp", headline: "lamp.id", guard: "lamp", guard_id: "lamp.id", resource: "lamp" };
  crm.common.v1.Change change = 1;
  Lamp lamp = 2;
}
message LampLit {
  option (crm.options.v1.event) = {
    kind: "Light", headline: "lamp", contact_ids: "lamp.bulbs.id", company_ids: "of_ids", guard: "sun", resource: "of_ids"
  };
  Lamp lamp = 1;
  repeated string of_ids = 2;
  Heat heat = 3;
  string shown = 4 [(crm.options.v1.computed) = true];
}
message LampBroken {
  option (crm.options.v1.event) = { kind: "lamp", guard: "bulb", guard_id: "lamp.name", resource: "lamp" };
  crm.common.v1.Change change = 1;
  Lamp lamp = 2;
}
service Lamps {
  rpc CreateLamp(Lamp) returns (Lamp);
  rpc DeleteLamp(Lamp) returns (Lamp);
  rpc RepublishLamps(Lamp) returns (Lamp);
}
"""


@pytest.fixture(scope="module")
def sample() -> FileDescriptor:
    return compiled("event_sample.proto", SAMPLE)[1]


@pytest.fixture(scope="module")
def bad(sample: FileDescriptor) -> list[Descriptor]:
    return [sample.message_types_by_name[name] for name in ("LampCreated", "LampLit", "LampBroken")]


def test_every_event_says_what_readers_need() -> None:
    guards = frozenset(object for object, action in contracts.rights() if action == "read")
    excuses = {
        f"crm.gateway.v1.{name}": "visits belong to analytics, which is not there yet; until then only who may do all sees them"
        for name in ("PageViewed", "VisitEnded")
    }

    assert unexcused(rules.options(events(), guards), excuses) == []


def test_bad_options_are_found(bad: list[Descriptor]) -> None:
    assert list(rules.options(bad, frozenset({"lamp", "bulb"}))) == [
        "crm.event_sample.v1.LampLit: field 1 is not crm.common.v1.Change change",
        "crm.event_sample.v1.LampLit: kind 'Light' must be lower_snake",
        "crm.event_sample.v1.LampLit: guard 'sun' is no object whose read right can be granted",
        "crm.event_sample.v1.LampLit: no guard_id, so no scope can decide who sees it",
        "crm.event_sample.v1.LampLit: headline lamp does not lead to a text",
        "crm.event_sample.v1.LampLit: contact_ids lamp.bulbs.id does not lead to ids",
        "crm.event_sample.v1.LampLit: resource of_ids is not a field that holds a resource",
        "crm.event_sample.v1.LampBroken: guard_id lamp.name does not lead to a text",
        "crm.event_sample.v1.LampBroken: carries a lamp but is guarded by bulb",
    ]


def test_events_have_subjects_of_their_own() -> None:
    assert list(rules.subjects(events())) == []


def test_a_shared_subject_is_found(bad: list[Descriptor]) -> None:
    assert list(rules.subjects([bad[0], bad[1], bad[0]])) == [
        "crm.event_sample.v1.LampCreated: has the subject of crm.event_sample.v1.LampCreated"
    ]


def test_events_carry_facts_for_everybody() -> None:
    assert list(rules.carried(events())) == []


def test_fields_for_one_reader_are_found(bad: list[Descriptor]) -> None:
    assert list(rules.carried(bad)) == [
        "crm.event_sample.v1.LampLit.heat: crm.event_sample.v1.Heat is neither a resource nor (stored) = true",
        "crm.event_sample.v1.LampLit.shown: is computed for a reader; an event has none",
    ]


def test_every_change_of_every_resource_has_an_event() -> None:
    assert list(rules.every_change_has_one(methods(), resources(), events(), NAMED)) == []


def test_named_facts_exist_and_the_events_they_replace_do_not() -> None:
    known = contracts.events()

    assert [
        old
        for old, new in NAMED.items()
        if old in known or f"{old.rpartition('.')[0]}.{new}" not in known
    ] == []


def test_changes_without_event_are_found(sample: FileDescriptor, bad: list[Descriptor]) -> None:
    served = sample.services_by_name["Lamps"].methods
    lamp = sample.message_types_by_name["Lamp"]
    named = {"crm.event_sample.v1.LampDeleted": "LampBroken"}

    assert list(rules.every_change_has_one(served, [lamp], bad, named)) == [
        "crm.event_sample.v1.LampUpdated: is published by nobody's contract, and no named fact takes its place"
    ]
