"""The AsyncAPI document is one, its references lead somewhere, and every event that we could publish fits its schema."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis import asyncapi, codec
from crm.options.v1 import options_pb2
from gateway.schemas import Schemas
from tests.contract.descriptors import events
from tools.docs.__main__ import documents, main

Document = dict[str, Any]
_REF = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"type": "string"}},
    "additionalProperties": False,
}


def _map_of(value: Document) -> Document:
    names = {"pattern": r"^[A-Za-z0-9._-]+$"}
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": names,
        "additionalProperties": value,
    }


def _object(required: str, **properties: Document) -> Document:
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


# The parts of the specification's 3.0.0 schema that the document uses; closed, so that a wrong name is found.
_TEXT = {"type": "string", "minLength": 1}
SPECIFICATION = _object(
    "asyncapi info channels operations components",
    asyncapi={"const": "3.0.0"},
    info=_object("title version", title=_TEXT, version=_TEXT, description=_TEXT),
    defaultContentType=_TEXT,
    servers=_map_of(_object(
        "host protocol", host=_TEXT, protocol={"const": "nats"}, description=_TEXT,
        variables=_map_of(_object("default", default=_TEXT, description=_TEXT)), security={"type": "array", "items": _REF},
    )),
    channels=_map_of(_object(
        "address messages", address=_TEXT, title=_TEXT, description=_TEXT, parameters=_map_of(_REF), messages=_map_of(_REF),
    )),
    operations=_map_of(_object(
        "action channel", action={"enum": ["send", "receive"]}, channel=_REF, messages={"type": "array", "items": _REF},
    )),
    components=_object(
        "messages schemas",
        messages=_map_of(_object(
            "payload headers", name=_TEXT, title=_TEXT, summary=_TEXT, contentType=_TEXT, payload=_REF,
            headers={"type": "object"}, tags={"type": "array", "items": _object("name", name=_TEXT)},
        )),
        parameters=_map_of(_object("", description=_TEXT)),
        schemas=_map_of({"type": "object"}),
        securitySchemes=_map_of(_object("type", type={"const": "userPassword"}, description=_TEXT)),
    ),
)  # fmt: skip


def faults(document: Document) -> Iterator[str]:
    """What is wrong with an AsyncAPI document."""
    for error in jsonschema.Draft202012Validator(SPECIFICATION).iter_errors(document):
        yield f"{error.json_path}: {error.message}"
    for place, ref in _references(document, "#"):
        if _at(document, ref) is None:
            yield f"{place}: {ref} leads nowhere"
    addresses = [channel.get("address", "") for channel in document["channels"].values()]
    yield from (
        f"{address}: the address of several channels"
        for address in sorted(set(addresses))
        if addresses.count(address) > 1
    )
    for name, channel in document["channels"].items():
        if (
            set(re.findall(r"{(\w+)}", channel.get("address", "")))
            != channel.get("parameters", {}).keys()
        ):
            yield f"{name}: the address has other parameters than the channel"
    for name, schema in document["components"]["schemas"].items():
        try:
            jsonschema.Draft7Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            yield f"{name}: {error.message}"


def _references(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if isinstance(ref := value.get("$ref"), str):
            yield place, ref
        for key, inner in value.items():
            yield from _references(inner, f"{place}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _references(inner, f"{place}/{index}")


def _at(document: Document, ref: str) -> Any:
    value: Any = document
    for key in ref.removeprefix("#/").split("/"):
        value = value.get(key) if isinstance(value, dict) else None
    return value


@pytest.fixture(scope="module")
def document() -> Document:
    return asyncapi.document(Schemas(), version="1.2.3")


def test_the_document_is_valid(document: Document) -> None:
    assert list(faults(document)) == []


def test_faults_are_found(document: Document) -> None:
    broken = copy.deepcopy(document)
    broken["channels"]["contacts.ContactCreated"]["address"] = (
        "crm.{tenant}.contacts.ContactUpdated"
    )
    broken["channels"]["contacts.FormCreated"]["parameters"] = {
        "who": {"$ref": "#/components/parameters/who"}
    }
    broken["components"]["schemas"]["contacts.Contact"]["type"] = "thing"
    del broken["operations"]["contacts.ContactCreated"]["action"]

    assert list(faults(broken)) == [
        "$.operations['contacts.ContactCreated']: 'action' is a required property",
        "#/channels/contacts.FormCreated/parameters/who: #/components/parameters/who leads nowhere",
        "crm.{tenant}.contacts.ContactUpdated: the address of several channels",
        "contacts.FormCreated: the address has other parameters than the channel",
        "contacts.Contact: 'thing' is not valid under any of the given schemas",
    ]


def test_every_event_has_a_channel_with_its_subject(document: Document) -> None:
    subjects = {f"crm.{{tenant}}.{e.full_name.split('.')[1]}.{e.name}" for e in events()}

    assert {channel["address"] for channel in document["channels"].values()} == subjects
    assert len(document["operations"]) == len(subjects)


def test_every_event_is_described(document: Document) -> None:
    assert [
        name
        for name, message in document["components"]["messages"].items()
        if not message["summary"]
    ] == []


def _validator(document: Document, schema: Document) -> jsonschema.Draft7Validator:
    whole = {**schema, "components": document["components"]}
    return jsonschema.Draft7Validator(
        whole, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    )


@pytest.mark.parametrize("event", events(), ids=lambda event: event.name)
def test_what_is_published_fits_its_schema(document: Document, event: Descriptor) -> None:
    name = f"{event.full_name.split('.')[1]}.{event.name}"
    body = orjson.loads(codec.to_json(filled(event)))
    payload = document["components"]["messages"][name]["payload"]

    assert body.keys() == {field.json_name for field in event.fields}
    assert [e.message for e in _validator(document, {"allOf": [payload]}).iter_errors(body)] == []
    assert not _validator(document, {"allOf": [payload]}).is_valid({**body, "change": 1})


_EXAMPLES = {
    options_pb2.FORMAT_UUID: "0193a8f0-0000-7000-8000-000000000001",
    options_pb2.FORMAT_FILE: "0193a8f0-0000-7000-8000-000000000002",
    options_pb2.FORMAT_EMAIL: "ewa@example.com",
    options_pb2.FORMAT_URI: "https://example.com/",
    options_pb2.FORMAT_LANGUAGE: "pl",
    options_pb2.FORMAT_TIME_ZONE: "Europe/Warsaw",
    options_pb2.FORMAT_CURRENCY: "PLN",
    options_pb2.FORMAT_COUNTRY: "PL",
    options_pb2.FORMAT_DECIMAL: "12.50",
    options_pb2.FORMAT_KEY: "shoe_size",
    options_pb2.FORMAT_COLOR: "#1f6feb",
    options_pb2.FORMAT_TIME_OF_DAY: "09:30",
}


def filled(message: Descriptor) -> Message:
    """A message with a legal value in every field, computed ones left out, as it is stored."""
    made = message_factory.GetMessageClass(message)()
    for field in message.fields:
        options = field.GetOptions()
        rules = options.Extensions[options_pb2.rules]
        if options.Extensions[options_pb2.computed] or rules.pattern:
            continue
        _fill(made, field, rules)
    return made


def _fill(made: Any, field: FieldDescriptor, rules: options_pb2.FieldRules) -> None:
    target = getattr(made, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        if value.message_type is not None:
            target["key"].CopyFrom(_known(value.message_type))
        else:
            target["key"] = "value"
    elif field.message_type is not None:
        (target.add() if field.is_repeated else target).CopyFrom(_known(field.message_type))
    else:
        value = _scalar(field, rules)
        if field.is_repeated:
            target.append(value)
        else:
            setattr(made, field.name, value)


def _known(message: Descriptor) -> Message:
    """Well-known types whose empty form has no JSON, or another than a filled one."""
    made = message_factory.GetMessageClass(message)()
    if message.full_name == "google.protobuf.Value":
        made.string_value = "anything"  # type: ignore[attr-defined]
    elif message.full_name == "google.protobuf.Timestamp":
        made.FromJsonString("2026-11-23T09:30:00Z")  # type: ignore[attr-defined]
    elif message.full_name == "google.type.Date":
        made.year, made.month, made.day = 1980, 5, 17  # type: ignore[attr-defined]
    else:
        return filled(message)
    return made


def _scalar(field: FieldDescriptor, rules: options_pb2.FieldRules) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _EXAMPLES.get(rules.format, "Łódź"[: rules.max_length or None])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    return max(1, int(rules.min))


def test_stale_documents_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert (
        capsys.readouterr().err
        == "docs: events.md, asyncapi.json stale; run python -m tools.docs\n"
    )
    assert list(tmp_path.iterdir()) == []

    assert main(["--folder", str(tmp_path)]) == 0
    assert main(["--check", "--folder", str(tmp_path)]) == 0

    (tmp_path / "events.md").write_text("# Events\n")
    assert main(["--check", "--folder", str(tmp_path)]) == 1


def test_the_page_names_publishers_and_listeners() -> None:
    page = documents()["events.md"]

    assert "- **contacts** (`contacts-timeline`) hears every event of every service." in page
    line = next(line for line in page.splitlines() if line.startswith("| `TenantCreated`"))
    assert line == (
        "| `TenantCreated` | A company was created. | `tenant` | tenant |  | contacts (`contacts-first-sources`),"
        " deals (`deals-first-pipeline`), deals (`deals-first-taxes`), deals (`deals-legal-entity`),"
        " notifications (`notifications-first-rules`), tasks (`tasks-day-mornings`), tasks (`tasks-first-ladder`),"
        " tasks (`tasks-first-types`),"
        " telephony (`telephony-first-exchange`) |"
    )


@pytest.mark.parametrize("name", ["events.md", "asyncapi.json"])
def test_the_documents_in_the_repository_are_up_to_date(name: str) -> None:
    path = Path(__file__).parents[2] / "docs" / name

    assert path.read_text(encoding="utf-8") == documents()[name], "run python -m tools.docs"
