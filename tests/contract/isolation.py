"""Calls an RPC with another tenant's ids and with random ones, and tells where the answers differ.

Which fields name records (isolation_slots.py), and what a valid request looks like, is read from the descriptors;
isolation_samples.py holds what descriptors cannot say.
"""

import asyncio
import itertools
import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from chassis import contracts, errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation
from chassis.waits import first_of
from crm.options.v1 import options_pb2
from tests.contract.isolation_samples import (
    ABOUT_OTHERS,
    HAS_CUSTOM_FIELDS,
    ONE_IN_EACH_SERVICE,
    TAKEN_BACK_BY,
    VALUES,
)
from tests.contract.isolation_slots import Slot, key_of, kind_of, slots

# E-mails are unique over tenants, and workers share the database.
_NUMBERS = itertools.count(os.getpid() * 100_000)
_MINUTES = itertools.count()

_MASKS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z?"), "<time>"),
    (re.compile(r"new\d+x"), "<new>"),
    (re.compile(r"[\w-]{40,}"), "<secret>"),
    (re.compile(r'"etag": "\d+"'), "<etag>"),
    # What a company counts grows from call to call.
    (re.compile(r"\b[A-Z]+-\d{4}-\d{4,}"), "<number>"),
    (re.compile(r'"number": "[^"]*"'), "<number>"),
    (re.compile(r'"hint": "[^"]*"'), "<hint>"),
    (re.compile(r',?\s*"undone": true'), ""),  # of what was done and taken back before
    (re.compile(r'"year": \d+'), "<year>"),
    (re.compile(r'("<id>",?\s*)+'), "<ids> "),  # lists of references grow from call to call
)


def masked(text: str) -> str:
    """The text without ids, times, secrets and what was made up for the call."""
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text


@dataclass
class Company:
    """A tenant in whose name is called, and one record of each kind."""

    crm: Installation
    id: str
    token: str
    records: dict[str, str] = field(default_factory=dict)

    @property
    def user_id(self) -> str:
        """The company's administrator."""
        return str(jwt.decode(self.token, options={"verify_signature": False})["sub"])

    async def call(self, method: MethodDescriptor, request: Message) -> Message:
        """The answer of the RPC to the company's administrator."""
        known = contracts.method_of(method)
        metadata = {"authorization": f"Bearer {self.token}"}
        data, _ = await self.crm.local.unary(known.full_name, request.SerializeToString(), metadata)
        return known.output.FromString(data)

    def build(self, descriptor: Descriptor, depth: int = 0) -> Any:
        """A valid message: what its rules require, with references to this company's own records."""
        message = contracts.message_class(descriptor.full_name)()  # type: ignore[misc]
        self.fill(message, depth)
        return message

    def fill(self, message: Any, depth: int = 0) -> None:
        new, kind = f"new{next(_NUMBERS)}x", message.DESCRIPTOR
        for name, value in (VALUES.get(kind.full_name) or VALUES.get(kind.name, {})).items():
            self._set(message, name, value, new)
        for each in message.DESCRIPTOR.fields:
            rules = each.GetOptions().Extensions[options_pb2.rules]
            if not rules.required or (each.message_type is None and getattr(message, each.name)):
                continue
            if each.message_type is not None:
                part = getattr(message, each.name)
                self.fill(part.add() if each.is_repeated else part, depth + 1)
                if not each.is_repeated:
                    part.SetInParent()
            elif each.enum_type is not None:
                setattr(message, each.name, each.enum_type.values[1].number)
            elif each.type == FieldDescriptor.TYPE_STRING:
                text = self._text(each, rules, new)
                if each.is_repeated:
                    getattr(message, each.name).append(text)
                else:
                    setattr(message, each.name, text)

    def _set(self, message: Any, name: str, value: Any, new: str) -> None:
        if isinstance(value, list) and isinstance(value[0], dict):
            for item in value:
                part = getattr(message, name).add()
                for inner, given in item.items():
                    self._set(part, inner, given, new)
        elif isinstance(value, list):
            own = (self.records[v[1:]] if str(v).startswith("@") else v for v in value)
            getattr(message, name).extend(own)
        elif isinstance(value, dict):
            for part, inner in value.items():
                self._set(getattr(message, name), part, inner, new)
        elif isinstance(value, str) and value.startswith("@"):
            setattr(message, name, self.records[value[1:]])
        else:
            made = value
            if isinstance(value, str):
                made = value.replace("#", new).replace("%", new[-8:-1])
            setattr(message, name, made)

    def _text(self, each: FieldDescriptor, rules: options_pb2.FieldRules, new: str) -> str:
        made = {
            options_pb2.FORMAT_UUID: self.records.get(each.name.removesuffix("_id")) or uuid7(),
            options_pb2.FORMAT_FILE: self.records.get("file") or uuid7(), options_pb2.FORMAT_EMAIL: f"{new}@example.com", options_pb2.FORMAT_LANGUAGE: "en",
            options_pb2.FORMAT_COUNTRY: "PL", options_pb2.FORMAT_CURRENCY: "PLN", options_pb2.FORMAT_COLOR: "#112233",
            options_pb2.FORMAT_TIME_ZONE: "Europe/Warsaw", options_pb2.FORMAT_URI: "https://example.com/",
            options_pb2.FORMAT_TIME_OF_DAY: "09:00", options_pb2.FORMAT_DECIMAL: "1",
        }  # fmt: skip
        return made.get(rules.format, new)

    def request(self, method: MethodDescriptor, slot: Slot, id: str) -> Any:
        """A valid request of the RPC whose slot names this record; the rest names the company's own."""
        request = self.build(method.input_type)
        _suit(request, method)
        for part in request.DESCRIPTOR.fields:
            if "update_mask" in request.DESCRIPTOR.fields_by_name and part.message_type is not None:
                option = contracts.resource_option(part.message_type)
                if option is not None:
                    known = self.records.get(key_of(option.object, method))
                    getattr(request, part.name).id = known or uuid7()
                    named = slot.path[1].name if len(slot.path) > 1 else "id"
                    path = named if named != "id" else ""
                    request.update_mask.paths.append(path or _any_path(part.message_type))
        own = request.DESCRIPTOR.fields_by_name.get("id")
        if own is not None and slot.path != (own,):
            kind = contracts.method_of(method).permission.object
            request.id = self.records.get(key_of(kind, method)) or uuid7()
        slot.put(request, id, self.fill)
        return request

    async def outcome(self, method: MethodDescriptor, slot: Slot, id: str) -> str:
        """What the caller learns, without the ids themselves."""
        try:
            answer = await self.call(method, self.request(method, slot, id))
        except errors.CrmError as refusal:
            told = [f"{v.field}: {v.description}" for v in refusal.violations]
            return masked(
                f"{type(refusal).__name__} {refusal.reason} {refusal.message} {told} {refusal.metadata}"
            )
        return masked(json_format.MessageToJson(answer))


def _any_path(resource: Descriptor) -> str:
    """A field that an update may name; a text if there is one."""
    writable = [
        each
        for each in resource.fields
        if not each.GetOptions().Extensions[options_pb2.output_only]
        and each.name not in ("id", "key", "resource", "can")
        and not each.is_repeated
        and each.message_type is None
    ]
    texts = [each for each in writable if each.type == FieldDescriptor.TYPE_STRING]
    return str((texts or writable)[0].name)


async def populate(company: Company) -> None:
    """Creates records of each resource by its Create RPC, and what has none: a file, a session, operations."""
    company.records["file"] = await _uploaded(company)
    await _called(company)
    every = (method for service in contracts.services() for method in service.methods)
    for method in sorted(every, key=lambda method: method.name in ABOUT_OTHERS):
        if method.name.startswith("Create") and not contracts.method_of(method).public:
            for spare in ("", SPARE):
                await _create(company, method, spare)
        elif method.name == "ListSessions":
            answer: Any = await company.call(method, company.build(method.input_type))
            company.records["session"] = answer.sessions[0].id
        elif method.name in ONE_IN_EACH_SERVICE:
            answer = await company.call(method, company.build(method.input_type))
            company.records[key_of("operation", method)] = answer.name.rpartition("/")[2]
    company.records["tenant"] = company.id


async def _called(company: Company) -> None:
    """A call at the simulated exchange that every company has after a moment."""
    async with asyncio.timeout(20):
        while not await company.crm.rows(
            "telephony", "SELECT 1 FROM connections WHERE tenant_id = $1", company.id
        ):
            await first_of(asyncio.Event(), timeout_s=0.02)
    simulating = _method("SimulateCall")
    request = company.build(simulating.input_type)
    request.number, request.at_once = "600100200", True
    request.user_ids.append(company.user_id)
    call: Any = await company.call(simulating, request)
    company.records["call"] = call.id


def _method(name: str) -> MethodDescriptor:
    every = (method for service in contracts.services() for method in service.methods)
    return next(method for method in every if method.name == name)


async def _uploaded(company: Company) -> str:
    """A file of the company's administrator."""

    async def content() -> AsyncIterator[bytes]:
        yield b"Name,Date,Amount\nAna,2026-11-20,1.00\n"  # read as customers, and as a bank statement

    blobs = company.crm.process.runtimes["contacts"].blobs
    blob = await blobs.put(
        company.id,
        content(),
        type="text/csv",
        name="a.csv",
        owner_id=company.user_id,
        max_bytes=100,
    )
    return blob.id


async def _create(company: Company, method: MethodDescriptor, spare: str = "") -> None:
    request = company.build(method.input_type)
    _suit(request, method)
    if method.name == "CreateAbsence":  # those of one user never overlap
        request.absence.start_time.FromSeconds(4_000_000_000 + 60 * next(_MINUTES))
        request.absence.end_time.FromSeconds(request.absence.start_time.seconds + 30)
    elif method.name == "CreateHandover":  # one at a time for one user
        request.handover.owner_id = await _new_user(company)
        request.handover.rules.add(user_ids=[company.user_id])
    elif method.name == "CreateMeeting":
        request.meeting.start_time.FromSeconds(4_000_000_000)
        request.meeting.end_time.FromSeconds(4_000_003_600)
    elif method.name == "CreateComment":
        heard = "SELECT 1 FROM comment_records WHERE object_id = $1"
        async with asyncio.timeout(20):  # until notifications knows of the contact
            while not await company.crm.rows("notifications", heard, request.comment.object_id):
                await first_of(asyncio.Event(), timeout_s=0.02)
    answer: Any = await company.call(method, request)
    parts = [answer, *(part for each, part in answer.ListFields() if each.message_type)]
    made = next(part for part in parts if contracts.resource_option(part.DESCRIPTOR))
    option = contracts.resource_option(made.DESCRIPTOR)
    assert option is not None
    company.records[spare + key_of(option.object, method)] = made.id


def _suit(request: Any, method: MethodDescriptor) -> None:
    """Custom fields, views and imports name what their service keeps; rates have days of their own."""
    if method.name.startswith("Create") and method.containing_service.name in HAS_CUSTOM_FIELDS:
        part = getattr(request, request.DESCRIPTOR.fields[0].name)
        if "resource" in part.DESCRIPTOR.fields_by_name:
            part.resource = HAS_CUSTOM_FIELDS[method.containing_service.name]
    if method.name == "CreateCurrencyRate":  # one for each day
        request.currency_rate.date.year = 3000 + next(_MINUTES)


async def _new_user(company: Company) -> str:
    creating = _method("CreateUser")
    made: Any = await company.call(creating, company.build(creating.input_type))
    return str(made.id)


SPARE = "spare "
"""Marks records whose ids callers offer in creations: afterwards they have a record of their own with that id."""


async def _fresh(caller: Company, method: MethodDescriptor, slot: Slot, id: str) -> str:
    """The outcome for a record of the caller's to which the RPC has done nothing yet."""
    if name := TAKEN_BACK_BY.get(method.name):
        undo = method.containing_service.methods_by_name[name]
        (own,) = (each for each in slots(undo.input_type) if each.name == "id")
        await caller.outcome(undo, own, caller.records[kind_of(own, undo)])
    return await caller.outcome(method, slot, id)


async def differences(
    caller: Company, strangers: Mapping[str, str], method: MethodDescriptor
) -> list[str]:
    """Where the RPC answers otherwise to another tenant's id than to one that nobody has; empty is as it must be.

    Raises AssertionError for a request that was refused for its shape: then nothing has been compared.
    """
    found = []
    create = method.containing_service.methods_by_name.get(method.name.replace("Update", "Create"))
    for slot in slots(method.input_type):
        if create is not None and create is not method:
            await _create(caller, create)  # so that no earlier comparison left anything behind
        kind = key_of(kind_of(slot, method), method)
        if method.name.startswith("Create") and slot.path[-1].name == "id":
            kind = SPARE + kind
        ids = [strangers[kind]] if kind in strangers else sorted(set(strangers.values()))
        expected = await _fresh(caller, method, slot, uuid7())
        assert "INVALID_FIELDS" not in expected, (
            f"{method.full_name}.{slot.name}: build a valid request: {expected}"
        )
        for id in ids:
            told = await _fresh(caller, method, slot, id)
            if told != expected:
                found.append(
                    f"{method.full_name}.{slot.name}: another tenant's {kind or 'id'} gives {told}, a random id {expected}"
                )
    return found
