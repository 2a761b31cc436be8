"""Every RPC of every contract keeps the rules, and each rule fires on a bad sample."""

import pytest
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

from chassis import contracts
from tests.contract.descriptors import compiled, files, methods, resources
from tools.contracts import rpcs, unexcused
from tools.contracts.walk import uncommented

_DEALS = "crm.deals.v1.DealsService"
_LADDERS = "crm.tasks.v1.LaddersService"
_IMPORTS = (
    "crm.tasks.v1.TaskImportsService",
    "crm.deals.v1.DealImportsService",
    "crm.telephony.v1.CallImportsService",
)
_NOTICES = "crm.notifications.v1.NoticesService"
_IDENTITY = "crm.identity.v1.IdentityService"
_STATES_ITSELF = "repeating it changes nothing more, and its answer is kept nowhere: it holds or ends credentials"

SAMPLE = """
syntax = "proto3";
package crm.rpc_sample.v1;
import "crm/options/v1/options.proto";
import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";

message Gate {
  option (crm.options.v1.resource) = { object: "gate", plural: "gates" };
  // Which.
  string id = 1;
}
// Asks.
message GetGateRequest { string id = 1; google.protobuf.FieldMask fields = 2; bool loud = 3; }
// Asks.
message ListGatesRequest { int64 page_size = 1; string request_id = 2; string of_tenant_id = 3; }
// A page.
message ListGatesResponse { repeated Gate gates = 1; }
// Opens.
message OpenGateRequest { string id = 1; }

// Gates.
service Gates {
  rpc GetGate(GetGateRequest) returns (Gate) {
    option (google.api.http) = { get: "/v1/gates/{name}" };
    option (crm.options.v1.permission) = { object: "Gate", action: "read" };
  }
  // Lists.
  rpc ListGates(ListGatesRequest) returns (ListGatesResponse) {
    option (google.api.http) = { get: "/v1/gates/{of_tenant_id}" };
    option (crm.options.v1.permission) = { object: "gate", action: "read", access: ACCESS_PUBLIC };
  }
  // Opens.
  rpc OpenGate(OpenGateRequest) returns (Gate) {
    option (google.api.http) = { post: "/gates/{id}:open", body: "gate" };
  }
  // Opens too.
  rpc SwingGate(OpenGateRequest) returns (Gate) {
    option (crm.options.v1.permission) = { object: "gate", action: "swing", feature: "Swing" };
  }
}
"""


@pytest.fixture(scope="module")
def sample() -> FileDescriptor:
    return compiled("rpc_sample.proto", SAMPLE)[1]


@pytest.fixture(scope="module")
def bad(sample: FileDescriptor) -> list[MethodDescriptor]:
    return list(sample.services_by_name["Gates"].methods)


def test_there_are_rpcs_in_every_service() -> None:
    assert {m.full_name.split(".")[1] for m in methods()} >= {"identity", "contacts"}


def test_everything_has_a_comment() -> None:
    assert list(uncommented(files())) == []


def test_missing_comments_are_found() -> None:
    file, _ = compiled(
        "comment_sample.proto",
        """
        syntax = "proto3";
        package crm.comment_sample.v1;
        message Bare { // beside
          string said = 1; map<string, string> mute = 2;
          // Why.
          enum Kind {
            // None.
            KIND_UNSPECIFIED = 0; KIND_ONE = 1; }
          oneof either { string left = 3; } }
        // Served.
        service Served { rpc Call(Bare) returns (Bare); }
    """,
    )

    assert list(uncommented([file])) == [
        f"crm.comment_sample.v1.{name}"
        for name in (
            "Bare",
            "Bare.said",
            "Bare.mute",
            "Bare.left",
            "Bare.Kind.KIND_ONE",
            "Served.Call",
        )
    ]


def test_every_rpc_has_an_http_form() -> None:
    assert list(rpcs.http_forms(methods())) == []


def test_bad_http_forms_are_found(bad: list[MethodDescriptor]) -> None:
    assert list(rpcs.http_forms(bad)) == [
        "crm.rpc_sample.v1.Gates.GetGate: the path names name, the request has no such field",
        "crm.rpc_sample.v1.Gates.OpenGate: path /gates/{id}:open is not /v1/lowerCamel/{field}:verb",
        "crm.rpc_sample.v1.Gates.OpenGate: body gate is not a field of the request",
        "crm.rpc_sample.v1.Gates.SwingGate: no (google.api.http)",
    ]


def test_every_rpc_says_who_may_call() -> None:
    assert list(rpcs.permissions(methods())) == []


def test_bad_permissions_are_found(bad: list[MethodDescriptor]) -> None:
    assert list(rpcs.permissions(bad)) == [
        "crm.rpc_sample.v1.Gates.GetGate: object 'Gate' and action 'read' must be lower_snake",
        "crm.rpc_sample.v1.Gates.ListGates: names gate.read, which nobody needs for it",
        "crm.rpc_sample.v1.Gates.OpenGate: no (crm.options.v1.permission)",
        "crm.rpc_sample.v1.Gates.SwingGate: feature 'Swing' must be lower_snake",
    ]


def test_no_two_rpcs_have_one_path() -> None:
    assert list(rpcs.path_clashes(methods())) == []


def test_clashes_are_found_also_between_names_of_variables(bad: list[MethodDescriptor]) -> None:
    custom = [m for m in methods() if m.name == "GetCustomField"][:1]

    assert list(rpcs.path_clashes([*bad, *custom, *custom])) == [
        "get /v1/gates/{} is bound by crm.rpc_sample.v1.Gates.GetGate, crm.rpc_sample.v1.Gates.ListGates",
        f"get /v1/customFields/{{}} is bound by {custom[0].full_name}, {custom[0].full_name}",
    ]


def test_no_request_carries_a_tenant() -> None:
    assert list(rpcs.tenants(methods())) == []


def test_a_tenant_in_a_request_is_found(bad: list[MethodDescriptor]) -> None:
    assert list(rpcs.tenants(bad)) == [
        "crm.rpc_sample.v1.ListGatesRequest.of_tenant_id: a request must not carry a tenant"
    ]


def test_every_list_is_paged() -> None:
    excuses = {
        f"{_IDENTITY}.ListFeatures": "the features of the program itself, a handful that no tenant adds to"
    }

    assert unexcused(rpcs.lists(methods()), excuses) == []


def test_lists_without_pages_are_found(bad: list[MethodDescriptor]) -> None:
    assert list(rpcs.lists(bad)) == [
        "crm.rpc_sample.v1.Gates.ListGates: the request has no int32 page_size",
        "crm.rpc_sample.v1.Gates.ListGates: the request has no string page_token",
        "crm.rpc_sample.v1.Gates.ListGates: the answer has no next_page_token",
        "crm.rpc_sample.v1.Gates.ListGates: page_size is not limited to 0..200",
    ]


def test_every_write_can_be_repeated_by_its_request_id() -> None:
    excuses = {
        f"{_IDENTITY}.{name}": _STATES_ITSELF
        for name in (
            "Setup", "SignUp", "Login", "Refresh", "Logout", "LogoutEverywhere", "AcceptInvitation", "CompletePasswordReset",
            "ChangePassword", "RevokeSession",
        )
    }  # fmt: skip
    excuses |= {
        f"crm.identity.v1.{name}": _STATES_ITSELF
        for name in (
            "SecondFactorService.EnrolAtSignIn", "SecondFactorService.VerifySecondFactor",
            "IdentityProviderService.BeginProviderSignIn", "IdentityProviderService.FinishProviderSignIn",
        )
    }  # fmt: skip

    assert unexcused(rpcs.request_ids(methods()), excuses) == []


def test_writes_without_request_id_are_found(bad: list[MethodDescriptor]) -> None:
    assert list(rpcs.request_ids(bad)) == [
        "crm.rpc_sample.v1.Gates.ListGates: a read needs no request_id",
        "crm.rpc_sample.v1.Gates.OpenGate: a write needs a request_id",
    ]


def test_an_excuse_that_nothing_needs_is_found() -> None:
    assert unexcused(["a.B: wrong", "a.C: wrong"], {"a.B": "why", "a.D": "why"}) == [
        "a.C: wrong", "a.D: the excuse is not needed any more",
    ]  # fmt: skip


def test_standard_methods_look_alike() -> None:
    excuses = {
        f"{_IDENTITY}.CreateApiToken": "the answer carries the secret, which is shown this once and never stored",
        "crm.deals.v1.PaymentProvidersService.CreatePaymentProvider": "the answer carries the secret, which is shown this once",
        f"{_IDENTITY}.GetTenant": "there is one, the caller's",
        f"{_IDENTITY}.UpdateTenant": "there is one, the caller's",
        f"{_DEALS}.GetDealSettings": "there is one, the caller's",
        f"{_DEALS}.UpdateDealSettings": "there is one, the caller's",
        f"{_LADDERS}.GetTaskSettings": "there is one, the caller's",
        f"{_LADDERS}.UpdateTaskSettings": "there is one, the caller's",
        **{
            f"{service}.{name}": "/v1/imports is that of contacts"
            for service in _IMPORTS
            for name in ("GetImport", "ListImports", "CreateImport", "UpdateImport")
        },
        f"{_NOTICES}.GetNoticePreferences": "there is one, the caller's",
        f"{_NOTICES}.UpdateNoticePreferences": "there is one, the caller's",
    }

    assert unexcused(rpcs.standard_shapes(methods(), resources()), excuses) == []


def test_every_resource_has_standard_methods() -> None:
    names = {method.name for method in methods()}

    assert [r.full_name for r in resources() if f"Get{r.name}" not in names] == []
    assert contracts.resources().keys() >= {"contact", "user", "custom_field"}


def test_misshapen_standard_methods_are_found(
    sample: FileDescriptor, bad: list[MethodDescriptor]
) -> None:
    gate = sample.message_types_by_name["Gate"]

    assert list(rpcs.standard_shapes(bad, [gate])) == [
        "crm.rpc_sample.v1.Gates.GetGate: the kit does not know bool loud in this request",
        "crm.rpc_sample.v1.Gates.GetGate: HTTP ('get', '/v1/gates/{name}', ''), not ('get', '/v1/gates/{id}', '')",
        "crm.rpc_sample.v1.Gates.ListGates: the request's page_size is int64, not int32",
        "crm.rpc_sample.v1.Gates.ListGates: the request's page_token is absent, not string",
        "crm.rpc_sample.v1.Gates.ListGates: the request's filter is absent, not string",
        "crm.rpc_sample.v1.Gates.ListGates: the request's order_by is absent, not string",
        "crm.rpc_sample.v1.Gates.ListGates: the request's q is absent, not string",
        "crm.rpc_sample.v1.Gates.ListGates: the request's fields is absent, not google.protobuf.FieldMask",
        "crm.rpc_sample.v1.Gates.ListGates: the request's show_deleted is absent, not bool",
        "crm.rpc_sample.v1.Gates.ListGates: the kit does not know string of_tenant_id in this request",
        "crm.rpc_sample.v1.Gates.ListGates: the kit does not know string request_id in this request",
        "crm.rpc_sample.v1.Gates.ListGates: answers {'gates': 'repeated crm.rpc_sample.v1.Gate'}, not"
        " {'gates': 'repeated crm.rpc_sample.v1.Gate', 'next_page_token': 'string'}",
        "crm.rpc_sample.v1.Gates.ListGates: HTTP ('get', '/v1/gates/{of_tenant_id}', ''), not ('get', '/v1/gates', '')",
    ]
