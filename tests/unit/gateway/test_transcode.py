"""HTTP requests as messages, and answers back, over the real contracts."""

import httpx
import orjson
import pytest
from google.rpc import code_pb2

from chassis import errors
from crm.contacts.v1 import contact_pb2, intake_pb2
from crm.tasks.v1 import task_pb2, task_verbs_pb2
from gateway import transcode
from tests.unit.gateway.conftest import ID, Service

pytestmark = pytest.mark.asyncio


async def test_get_by_id_passes_stored_json_through(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.answer = b'{"id":"x", "displayName" : "as stored"}'
    service.trailing["crm-etag"] = "7"
    answer = await http.get(f"/v1/contacts/{ID}", headers={"authorization": "Bearer t"})
    assert (answer.status_code, answer.content) == (200, service.answer)
    assert answer.headers["etag"] == '"7"'
    assert answer.headers["content-type"] == "application/json"
    assert service.method == "/crm.contacts.v1.ContactsService/GetContact"
    assert service.request == contact_pb2.GetContactRequest(id=ID)
    assert service.metadata["authorization"] == "Bearer t"
    assert service.metadata["crm-accept"] == "json"


async def test_answer_in_protobuf_becomes_canonical_json(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.answer = contact_pb2.Contact(id=ID, display_name="Łukasz").SerializeToString()
    service.trailing.clear()
    answer = await http.get(f"/v1/contacts/{ID}")
    assert answer.json() == {"id": ID, "displayName": "Łukasz"}


async def test_known_etag_is_answered_not_modified(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.trailing["crm-etag"] = "7"
    answer = await http.get(f"/v1/contacts/{ID}", headers={"if-none-match": 'W/"6", "7"'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"7"')


async def test_query_fills_the_request(http: httpx.AsyncClient, service: Service) -> None:
    await http.get(
        "/v1/contacts?pageSize=7&order_by=display_name&q=a%20b&fields=displayName,phones.number&showDeleted=true"
        "&asOf=2026-01-02T03:04:05Z&filter=custom.shoe_size%20%3E%2042"
    )
    request = service.request
    assert (request.page_size, request.order_by, request.q, request.show_deleted) == (
        7,
        "display_name",
        "a b",
        True,
    )
    assert list(request.fields.paths) == ["display_name", "phones.number"]
    assert request.as_of.ToJsonString() == "2026-01-02T03:04:05Z"
    assert request.filter == "custom.shoe_size > 42"


async def test_repeated_parameters_and_comma_separated_ids(
    http: httpx.AsyncClient, service: Service
) -> None:
    other = ID[:-1] + "c"
    await http.get(f"/v1/contacts:batchGet?ids={ID}&ids={other}")
    assert list(service.request.ids) == [ID, other]
    await http.get(f"/v1/contacts:batchGet?ids={ID},{other}")
    assert list(service.request.ids) == [ID, other]


async def test_unknown_parameters_are_all_named(http: httpx.AsyncClient, service: Service) -> None:
    answer = await http.get("/v1/contacts?page_sise=7&colour=red&q=x")
    assert answer.status_code == 400
    assert [v["field"] for v in answer.json()["violations"]] == ["page_sise", "colour"]
    assert service.calls == 0


async def test_patch_derives_the_mask_from_the_keys_sent(
    http: httpx.AsyncClient, service: Service
) -> None:
    body = {
        "id": ID,
        "etag": "4",
        "displayName": "A",
        "birthday": None,
        "custom": {"shoe_size": 42, "gone": None},
    }
    answer = await http.patch(f"/v1/contacts/{ID}", json=body, headers={"idempotency-key": "k1"})
    assert answer.status_code == 200
    request = service.request
    assert request.contact.id == ID
    assert list(request.update_mask.paths) == [
        "display_name",
        "birthday",
        "custom.shoe_size",
        "custom.gone",
    ]
    assert (request.etag, request.request_id) == ("4", "k1")


async def test_if_match_wins_over_the_etag_in_the_body(
    http: httpx.AsyncClient, service: Service
) -> None:
    await http.patch(
        f"/v1/contacts/{ID}", json={"etag": "4", "displayName": "A"}, headers={"if-match": '"5"'}
    )
    assert service.request.etag == "5"
    await http.delete(f"/v1/contacts/{ID}", headers={"if-match": 'W/"6"'})
    assert service.request.etag == "6"


async def test_path_wins_over_the_body(http: httpx.AsyncClient, service: Service) -> None:
    await http.post(f"/v1/requests/{ID}:close", json={"id": "other", "reason": "CLOSE_REASON_SPAM"})
    assert service.request.id == ID


async def test_create_takes_the_body_as_the_resource(
    http: httpx.AsyncClient, service: Service
) -> None:
    await http.post("/v1/contacts", json={"displayName": "Ana", "phones": [{"number": "+48 1"}]})
    assert service.request.contact.display_name == "Ana"
    assert service.request.contact.phones[0].number == "+48 1"


async def test_map_of_values_in_a_public_form(http: httpx.AsyncClient, service: Service) -> None:
    await http.post(
        "/v1/public/forms/k.e-y", json={"fields": {"name": "Ana", "ok": True}, "requestId": "r"}
    )
    assert isinstance(service.request, intake_pb2.SubmitFormRequest)
    assert service.request.form_key == "k.e-y"
    assert service.request.fields["name"].string_value == "Ana"
    assert service.request.fields["ok"].bool_value is True


async def test_all_violations_of_a_body_come_at_once_with_the_bodys_names(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(
        "/v1/contacts", json={"displayNam": "x", "phones": [{"number": 5}], "labelIds": "no"}
    )
    assert answer.status_code == 400
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert sorted(v["field"] for v in problem["violations"]) == [
        "displayNam",
        "labelIds",
        "phones[0].number",
    ]
    assert problem["reason"] == "INVALID_ARGUMENT"
    assert problem["traceId"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"nan"])
async def test_body_that_is_no_object_is_refused(
    http: httpx.AsyncClient, service: Service, body: bytes
) -> None:
    answer = await http.post(
        "/v1/contacts", content=body, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, service.calls) == (400, 0)


async def test_other_content_types_are_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/contacts", content=b"a=b", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["reason"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("end_note", "endNote"),
        ("result.height_mm", "result.height_mm"),
        ("result", "result"),
        ("nothing.known_here", "nothing.knownHere"),
    ],
)
async def test_keys_that_somebody_has_chosen_stay_as_they_are(path: str, told: str) -> None:
    request = task_verbs_pb2.CompleteTaskRequest.DESCRIPTOR

    assert transcode.field_of(path, "*", request) == told


async def test_keys_inside_the_body_stay_as_they_are() -> None:
    request = task_pb2.CreateTaskRequest.DESCRIPTOR
    paths = ("task.custom.shoe_size", "custom.shoe_size", "task.due_time", "checklist[0].is_done")

    told = [transcode.field_of(path, "task", request) for path in paths]

    assert told == ["custom.shoe_size", "custom.shoe_size", "dueTime", "checklist[0].isDone"]


async def test_refusal_of_a_service_becomes_a_problem(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.error = errors.FailedPrecondition(
        "Ana is absent",
        [
            errors.Violation("contact.owner_id", "absent"),
            errors.Violation("contact.custom.shoe_size", "x"),
        ],
        metadata={"until": "tomorrow"},
    )
    answer = await http.post("/v1/contacts", json={}, headers={"x-request-id": "req-1"})
    assert answer.status_code == 422
    assert answer.json() == {
        "type": "urn:akrab:problem:failed-precondition",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "Ana is absent",
        "reason": "FAILED_PRECONDITION",
        "traceId": answer.json()["traceId"],
        "violations": [
            {"field": "ownerId", "description": "absent"},
            {"field": "custom.shoe_size", "description": "x"},
        ],
        "metadata": {"until": "tomorrow"},
    }
    assert answer.headers["x-request-id"] == "req-1"


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (errors.Unauthenticated("x"), 401, None),
        (errors.PermissionDenied("x"), 403, None),
        (errors.NotFound("x"), 404, None),
        (errors.AlreadyExists("x"), 409, None),
        (errors.Aborted("x"), 409, None),
        (errors.ResourceExhausted("x", retry_after_s=2.1), 429, "3"),
        (errors.Unavailable("x"), 503, "2"),
        (errors.DeadlineExceeded("x"), 504, None),
        (errors.Internal("x"), 500, None),
    ],
)
async def test_codes_over_http(
    http: httpx.AsyncClient,
    service: Service,
    error: errors.CrmError,
    status: int,
    retry: str | None,
) -> None:
    service.error = error
    answer = await http.get(f"/v1/contacts/{ID}")
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry)


async def test_lost_race_is_412_where_if_match_was_sent(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.error = errors.Aborted("changed meanwhile")
    answer = await http.patch(
        f"/v1/contacts/{ID}", json={"displayName": "x"}, headers={"if-match": '"1"'}
    )
    assert answer.status_code == 412
    assert service.error.code == code_pb2.ABORTED


async def test_defect_answers_a_problem_without_its_text(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.error = ZeroDivisionError("secret")  # type: ignore[assignment]
    answer = await http.get(f"/v1/contacts/{ID}")
    assert answer.status_code == 500
    assert b"secret" not in answer.content
    assert orjson.loads(answer.content)["reason"] == "INTERNAL"
