"""What a write tells the world: for each saved record and emitted fact one outbox row, with CloudEvents headers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf.message import Message

from chassis import codec, contracts, telemetry
from chassis.events.outbox import CAUSE_HEADER, check_size
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import common_pb2

if TYPE_CHECKING:
    from chassis.kit.resource import Resource


@dataclass(slots=True)
class Save:
    """One recorded write of one record; `old` is the version it replaces, 0 for a creation."""

    resource: "Resource[Any]"
    message: Any
    action: str
    old: int = 0
    old_doc: bytes = b""
    changed: tuple[str, ...] = ()


@dataclass(slots=True)
class Republished:
    """A record whose present state is told again; nothing is written but the event."""

    resource: "Resource[Any]"
    message: Any
    version: int


def json_of(tx: Tx, save: Save) -> bytes:
    """The record's canonical JSON, encoded once per write: for the row, the event and the answer."""
    known = tx.written.get(id(save.message))
    if known is None:  # the message is kept beside its JSON: a freed one's id could come again
        known = tx.written[id(save.message)] = (
            save.message,
            save.resource,
            codec.to_json(save.message),
        )
    return known[2]


OutboxRow = tuple[str, str, str, str]  # subject, record, headers, body


def columns_of(rows: list[OutboxRow]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]


def actor_of(tx: Tx) -> dict[str, str]:
    actor = tx.actor
    return {"kind": actor.kind, "id": actor.id, "user_id": actor.user_id}


def outbox_rows(tx: Tx) -> list[OutboxRow]:
    """One outbox row per recorded event and directory entry; a save without an event of its own gets the kit's."""
    rows: list[OutboxRow] = []
    told: set[int] = set()
    for event in tx.recorded.events:
        save = _save_carried(tx, event)
        if save is not None:
            told.add(id(save))
        rows.append(_event_row(tx, event, save))
    own: list[OutboxRow] = []
    for save in tx.recorded.saves:
        if id(save) not in told:
            own.append(_event_row(tx, kit_event(save.resource, save.action)(), save))
    for item in tx.recorded.republished:
        change = common_pb2.Change(
            cause=common_pb2.Cause(kind="republish", id=tx.cause.id), version=item.version
        )
        change.time.CopyFrom(item.message.update_time)
        change.republished = True
        event = kit_event(item.resource, "updated")()
        body = event_body(event, change, codec.to_json(item.message))
        own.append(
            event_row(
                tx,
                event.DESCRIPTOR.full_name,
                f"{item.resource.name}/{item.message.id}",
                body,
                "republish",
            )
        )
    for kind, id_, value in tx.recorded.directory:
        key = f"{tx.tenant if kind not in ('key', 'beat') else '_'}.{kind}.{id_}"
        own.append(_directory_row(tx, key, value))
    return own + rows


def kit_event(resource: "Resource[Any]", action: str) -> type[Message]:
    """The event class by which the kit tells of an action: <Resource>Created, Updated, Deleted or Undeleted."""
    name = f"{resource.package}.{resource.message.DESCRIPTOR.name}{action.capitalize()}"
    found = contracts.message_class(name)
    if found is None:
        raise LookupError(
            f"{name} is not declared in events.proto and no named fact was emitted instead"
        )
    return found


def _carrier(event: Message) -> str:
    option = contracts.event_option(event.DESCRIPTOR)
    return option.resource if option else ""


def _save_carried(tx: Tx, event: Message) -> Save | None:
    field = _carrier(event)
    if not field:
        return None
    carried = getattr(event, field)
    for save in tx.recorded.saves:
        if carried.DESCRIPTOR is save.message.DESCRIPTOR and carried.id == save.message.id:
            return save
    return None


def _event_row(tx: Tx, event: Any, save: Save | None) -> OutboxRow:
    own = getattr(
        event, "change", None
    )  # a body may say a cause of its own, truer than its entry point's
    told = own.cause if own is not None and own.HasField("cause") else None
    change = common_pb2.Change(
        actor=common_pb2.ActorRef(**actor_of(tx)),
        cause=told or common_pb2.Cause(kind=tx.cause.kind, id=tx.cause.id),
        time=to_timestamp(tx.now),
    )
    if save is not None:
        change.version = save.old + 1
        change.changed_fields.extend(save.changed)
    body = event_body(event, change, json_of(tx, save) if save is not None else None)
    record = f"{save.resource.name}/{save.message.id}" if save else _record_of(event)
    return event_row(tx, event.DESCRIPTOR.full_name, record, body, change.cause.kind)


def _record_of(event: Message) -> str:
    field = _carrier(event)
    return getattr(event, field).id if field else ""


def event_body(event: Any, change: common_pb2.Change, resource_json: bytes | None) -> str:
    """The event's JSON; the resource's stored JSON is set in as it is, never encoded again."""
    field = _carrier(event)
    head = b'{"change":' + codec.to_json(change)
    if resource_json is None or not field:
        event.change.CopyFrom(change)
        return codec.to_json(event).decode()
    event.ClearField(field)
    event.ClearField("change")
    name = event.DESCRIPTOR.fields_by_name[field].json_name
    rest = codec.to_json(event)[1:-1]
    return (
        head + b',"' + name.encode() + b'":' + resource_json + (b"," + rest if rest else b"") + b"}"
    ).decode()


def event_row(tx: Tx, type_name: str, record: str, body: str, cause: str) -> OutboxRow:
    """An outbox row with the CloudEvents 1.0 headers of NATS binary mode, and the kind of the cause as an extension of ours."""
    check_size(body)
    service, event_id = contracts.service_of(type_name), tx.new_id()
    headers = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": type_name,
        "ce-source": f"/{service}",
        "ce-time": tx.now.isoformat().replace("+00:00", "Z"),
        "ce-subject": record.rpartition("/")[2],
        CAUSE_HEADER: cause,
        "content-type": "application/json",
        "Nats-Msg-Id": event_id,
    }
    if traceparent := telemetry.traceparent():
        headers["traceparent"] = traceparent
    subject = f"crm.{tx.tenant}.{service}.{type_name.rpartition('.')[2]}"
    return subject, record, orjson.dumps(headers).decode(), body


def _directory_row(tx: Tx, key: str, value: dict[str, Any] | None) -> OutboxRow:
    headers = {"Nats-Msg-Id": tx.new_id()}
    if value is None:
        headers["KV-Operation"] = "DEL"
    body = orjson.dumps(value).decode() if value is not None else ""
    return f"$KV.DIRECTORY.{key}", f"directory/{key}", orjson.dumps(headers).decode(), body
