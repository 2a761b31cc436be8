"""Every stored message keeps the rules, and each rule fires on a bad sample."""

import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor

from chassis import contracts
from tests.contract.descriptors import compiled, methods, resources
from tools.contracts import resources as rules
from tools.contracts import unexcused
from tools.contracts.walk import reachable

SAMPLE = """
syntax = "proto3";
package crm.resource_sample.v1;
import "crm/common/v1/common.proto";
import "crm/options/v1/options.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";

message Good {
  option (crm.options.v1.resource) = { object: "good", plural: "goods", custom_fields: true };
  string id = 1 [(crm.options.v1.rules) = { format: FORMAT_UUID }];
  string etag = 2 [(crm.options.v1.output_only) = true];
  google.protobuf.Timestamp create_time = 3 [(crm.options.v1.output_only) = true];
  google.protobuf.Timestamp update_time = 4 [(crm.options.v1.output_only) = true];
  google.protobuf.Timestamp delete_time = 5 [(crm.options.v1.output_only) = true];
  crm.common.v1.Money price = 6;
  Lock shown = 7 [(crm.options.v1.computed) = true];
  map<string, google.protobuf.Value> custom = 98;
  repeated string can = 99 [(crm.options.v1.computed) = true];
}
message Bad {
  option (crm.options.v1.resource) = { object: "bad-one", plural: "Bads", custom_fields: true };
  string id = 1;
  string tag = 2;
  google.protobuf.Timestamp create_time = 3;
  google.protobuf.Timestamp update_time = 4 [(crm.options.v1.output_only) = true];
  google.protobuf.Timestamp delete_time = 5 [(crm.options.v1.output_only) = true];
  map<string, Lock> locks = 6;
  Good good = 7;
  Key key = 8;
  string api_secret = 9;
  string good_id = 10;
  repeated string good_ids = 11 [(crm.options.v1.rules) = { format: FORMAT_UUID }];
  string made_by = 12 [(crm.options.v1.rules) = { format: FORMAT_UUID }];
  repeated string can = 13;
  string photo_file_id = 14 [(crm.options.v1.rules) = { format: FORMAT_UUID }];
}
message Lock { string password_hash = 1; }
message Key { option (crm.options.v1.stored) = true; string owner = 1 [(crm.options.v1.computed) = true]; }
message OpenRequest { string request_id = 1; string bad_id = 2; }
"""


@pytest.fixture(scope="module")
def sample() -> FileDescriptor:
    return compiled("resource_sample.proto", SAMPLE)[1]


@pytest.fixture(scope="module")
def both(sample: FileDescriptor) -> list[Descriptor]:
    return [sample.message_types_by_name[name] for name in ("Good", "Bad")]


def test_every_resource_begins_and_ends_alike() -> None:
    assert list(rules.common_fields(resources())) == []


def test_resources_that_differ_are_found(both: list[Descriptor]) -> None:
    assert list(rules.common_fields(both)) == [
        "crm.resource_sample.v1.Bad: field 2 is not string etag",
        "crm.resource_sample.v1.Bad.create_time: only the server sets it, so it needs (output_only)",
        "crm.resource_sample.v1.Bad: the last field is not repeated string can [(computed) = true]",
        "crm.resource_sample.v1.Bad: object 'bad-one' must be lower_snake",
        "crm.resource_sample.v1.Bad: plural 'Bads' must be lowerCamel",
        "crm.resource_sample.v1.Bad: custom_fields says True, the field custom is absent",
    ]


def test_every_part_of_a_resource_is_stored_or_computed() -> None:
    assert list(rules.stored_parts(resources())) == []
    assert list(rules.computed_fields(m for _, m in reachable(resources(), computed=False))) == []


def test_parts_that_are_not_stored_are_found(
    both: list[Descriptor], sample: FileDescriptor
) -> None:
    assert list(rules.stored_parts(both[:1])) == []
    assert list(rules.stored_parts(both[1:])) == [
        "crm.resource_sample.v1.Bad.locks: holds crm.resource_sample.v1.Lock, which is not (stored) = true",
        "crm.resource_sample.v1.Bad.good: holds a whole crm.resource_sample.v1.Good; a record names another by its id",
    ]
    assert list(rules.computed_fields([sample.message_types_by_name["Key"]])) == [
        "crm.resource_sample.v1.Key.owner: is computed inside a stored message"
    ]


def test_no_secret_is_stored() -> None:
    assert list(rules.secrets(resources())) == []


def test_names_of_secrets_are_found(both: list[Descriptor]) -> None:
    assert list(rules.secrets(both[:1])) == []
    assert list(rules.secrets(both[1:])) == [
        "crm.resource_sample.v1.Bad.api_secret: looks like a secret; keep it in a table of its own",
        "crm.resource_sample.v1.Lock.password_hash: looks like a secret; keep it in a table of its own",
    ]


def test_references_are_uuids_by_name_and_rule() -> None:
    visitor = "the number that the site's snippet gave itself, not a record"
    excuses = {
        "crm.contacts.v1.ExternalId.id": "as the other system writes it",
        "crm.deals.v1.DealExternalId.id": "as the other system writes it",
        "crm.deals.v1.Payment.provider_event_id": "as the provider writes it",
        "crm.deals.v1.ProductExternalId.id": "as the other system writes it",
        "crm.deals.v1.GetOrderRequest.id": "as the shop writes it",
        "crm.deals.v1.ShopOrder.id": "as the shop writes it",
        "crm.tasks.v1.TaskExternalId.id": "as the other system writes it",
        "crm.contacts.v1.Request.visitor_id": visitor,
        "crm.contacts.v1.SubmitFormRequest.visitor_id": visitor,
        "crm.contacts.v1.Request.first_response_by": "beside first_response_time it says by whom",
    }
    sent = {method.input_type.full_name: method.input_type for method in methods()}

    assert (
        unexcused(
            rules.references(m for _, m in reachable([*resources(), *sent.values()])), excuses
        )
        == []
    )


def test_references_without_rule_or_name_are_found(sample: FileDescriptor) -> None:
    bad, request = (sample.message_types_by_name[name] for name in ("Bad", "OpenRequest"))

    assert list(rules.references([bad, request])) == [
        "crm.resource_sample.v1.Bad.id: is named like a reference but not FORMAT_UUID",
        "crm.resource_sample.v1.Bad.good_id: is named like a reference but not FORMAT_UUID",
        "crm.resource_sample.v1.Bad.made_by: is a UUID, so its name ends in _id",
        "crm.resource_sample.v1.Bad.photo_file_id: what names a file is FORMAT_FILE, and nothing else is",
        "crm.resource_sample.v1.OpenRequest.bad_id: is named like a reference but not FORMAT_UUID",
    ]


def test_objects_of_rights_are_named_once() -> None:
    named = [contracts.resource_option(resource).object for resource in resources()]  # type: ignore[union-attr]

    assert sorted(named) == sorted(set(named))
