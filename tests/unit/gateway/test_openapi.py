"""The OpenAPI document."""

import orjson
import pytest
from openapi_spec_validator import validate

from chassis import contracts
from gateway import openapi, routes


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    return orjson.loads(openapi.document(routes.build(contracts.services())))


@pytest.mark.large
def test_document_is_valid_openapi(document: dict[str, object]) -> None:
    validate(document)


def test_every_binding_is_documented_with_a_summary(document: dict) -> None:  # type: ignore[type-arg]
    table = routes.build(contracts.services())
    for binding in table.bindings:
        operation = document["paths"][openapi._path(binding)][binding.verb.lower()]
        assert operation["summary"], binding.template
    ids = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(ids) == len(set(ids))


def test_rules_and_comments_become_constraints(document: dict) -> None:  # type: ignore[type-arg]
    sent = document["components"]["schemas"]["contacts.ContactInput"]
    assert sent["additionalProperties"] is False
    assert "etag" not in sent["properties"]
    answered = document["components"]["schemas"]["contacts.Contact"]
    assert answered["properties"]["etag"]["readOnly"] is True
    assert answered["properties"]["createTime"]["format"] == "date-time"
    assert answered["properties"]["displayName"]["description"]
    phone = document["components"]["schemas"]["contacts.PhoneInput"]
    assert phone["required"] == ["number"]


@pytest.mark.large
def test_public_operations_need_no_session_and_others_say_the_right(document: dict) -> None:  # type: ignore[type-arg]
    assert document["paths"]["/v1/auth:login"]["post"]["security"] == []
    assert "contact.update" in document["paths"]["/v1/contacts/{id}"]["patch"]["description"]
    headers = [
        p["name"]
        for p in document["paths"]["/v1/contacts/{id}"]["patch"]["parameters"]
        if p["in"] == "header"
    ]
    assert headers == ["If-Match", "Idempotency-Key"]
