"""The standard methods of a resource, written once: Get, BatchGet, List, Create, Update, Delete, Undelete, History, Republish.

`standard(store.contacts, on_save=...)` gives the class that a servicer inherits: one method for each standard RPC that the
contract has for the resource.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from chassis import codec, contracts, errors
from chassis.call import Raw
from chassis.errors import Violation
from chassis.handlers import reads, writes
from chassis.kit import as_of, custom, files, history, late, listing, showing
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.options.v1 import options_pb2

OnSave = Callable[[Tx, Any, Any], Awaitable[None]]
OnDelete = Callable[[Tx, Any], Awaitable[None]]
MOST_AT_ONCE = 200


class InvalidMask(errors.InvalidArgument):
    """An update mask that is missing or names what cannot be set."""

    reason = "INVALID_MASK"


async def _nothing(*_: Any) -> None:
    """No rules of its own."""


def standard(
    resource: Resource[Any],
    on_save: OnSave = _nothing,
    on_delete: OnDelete = _nothing,
    on_undelete: OnDelete = _nothing,
) -> type:
    """A mixin with every standard RPC that the service's contract declares for the resource.

    on_save(tx, new, old) completes and checks `new` in place before it is saved; old is None on creation. on_delete(tx,
    message) and on_undelete(tx, message) may refuse, and do what goes with it.
    """
    message = resource.message.DESCRIPTOR.name
    kit = _Standard(resource, on_save, on_delete, on_undelete)
    plural = resource.plural[0].upper() + resource.plural[1:]
    offered: dict[str, Callable[..., Any]] = {
        f"Get{message}": reads(kit.get),
        f"Create{message}": writes(kit.create),
        f"Update{message}": writes(kit.update),
        f"Delete{message}": writes(kit.delete),
        f"Undelete{message}": writes(kit.undelete),
        f"List{message}History": reads(kit.history),
    }
    names = {
        m.name
        for s in contracts.services()
        if s.file.package == resource.package
        for m in s.methods
    }
    for name in names:
        output = _output_of(resource.package, name)
        if name.startswith("BatchGet") and _carries(output, resource):
            offered[name] = reads(kit.batch_get)
        elif name.startswith("List") and _carries(output, resource):
            offered[name] = reads(kit.list)
        elif name in (f"Republish{plural}", f"Republish{message}s"):
            offered[name] = writes(kit.republish)
    return type(
        f"Standard{message}", (), {name: body for name, body in offered.items() if name in names}
    )


def _output_of(package: str, name: str) -> Any:
    for service in contracts.services():
        if service.file.package == package and name in service.methods_by_name:
            return service.methods_by_name[name].output_type
    raise LookupError(name)


def _carries(output: Any, resource: Resource[Any]) -> bool:
    fields = list(output.fields)
    return (
        bool(fields)
        and fields[0].message_type is resource.message.DESCRIPTOR
        and fields[0].is_repeated
    )


class _Standard:
    """The bodies. A body is given the servicer first; nothing here depends on which."""

    def __init__(
        self, resource: Resource[Any], on_save: OnSave, on_delete: OnDelete, on_undelete: OnDelete
    ) -> None:
        self.resource, self.on_save, self.on_delete, self.on_undelete = (
            resource,
            on_save,
            on_delete,
            on_undelete,
        )
        name = resource.message.DESCRIPTOR.name
        self.get, self.batch_get, self.list = self._get(), self._batch_get(), self._list()
        self.create, self.update = self._create(name), self._update(name)
        self.delete, self.undelete = self._delete(), self._undelete()
        self.history, self.republish = self._history(), self._republish()

    def _get(self) -> Any:
        resource = self.resource

        async def get(_: Any, request: Any, tx: Tx) -> Any:
            fields = (
                showing.checked_fields(tx, resource, request.fields.paths)
                if request.HasField("fields")
                else ()
            )
            if request.HasField("as_of"):
                found = await history.as_of(tx, resource, request.id, request.as_of)
                return showing.limited(tx, resource, found, fields)
            assert tx.call is not None
            json = tx.call.wants_json
            what = showing.column_shown(tx, resource, fields, json=json)
            row = await resource.row(tx, request.id, what)
            tx.call.trailing["crm-etag"] = str(row["version"])
            return Raw(
                showing.shown(tx, resource, row, "json" if json else "doc", fields), json=json
            )

        return get

    def _batch_get(self) -> Any:
        resource = self.resource

        async def batch_get(servicer: Any, request: Any, tx: Tx) -> Any:
            if len(request.ids) > MOST_AT_ONCE:
                raise errors.InvalidArgument(
                    f"{len(request.ids)} ids are too many; at most {MOST_AT_ONCE}",
                    [Violation("ids", f"at most {MOST_AT_ONCE}")],
                )
            fields = showing.checked_fields(tx, resource, request.fields.paths)
            by_id = {
                str(row["id"]): row
                for row in await resource.rows(tx, list(dict.fromkeys(request.ids)))
            }
            answer = tx.call.method.output()  # type: ignore[union-attr]
            items = getattr(answer, answer.DESCRIPTOR.fields[0].name)
            for id in dict.fromkeys(request.ids):
                if id in by_id:
                    items.add().MergeFromString(
                        showing.shown(tx, resource, by_id[id], "doc", fields)
                    )
                else:
                    answer.missing_ids.append(id)
            return answer

        return batch_get

    def _list(self) -> Any:
        resource = self.resource

        async def list_(servicer: Any, request: Any, tx: Tx) -> Any:
            assert tx.call is not None
            tokens = tx.runtime.page_tokens
            if request.HasField("as_of"):
                return await as_of.page(tx, resource, request, tokens)
            records, token, json = await listing.answer(tx, resource, request, tokens)
            return as_of.packed(tx.call.method.output, records, token, json=json)

        return list_

    def _create(self, name: str) -> Any:
        resource, on_save = self.resource, self.on_save
        field = _field_of(f"Create{name}Request", resource)

        async def create(_: Any, request: Any, tx: Tx) -> Any:
            new = getattr(request, field)
            allowed = await files.uploaded(tx, resource, new)
            if not request.HasField(field):
                raise errors.InvalidArgument(
                    f"{field} is required", [Violation(field, "is required")]
                )
            _check_offered_id(new)
            _clear_output_only(new)
            refuse_unwritable(tx, resource, _paths_set(new), new)
            if resource.default_owner and "owner_id" in resource.scope_columns and not new.owner_id:
                new.owner_id = tx.actor.user_id
            files.check(new, None, allowed)
            await on_save(tx, new, None)
            if resource.has_custom:
                await custom.check_values(tx, resource, new, None, allowed)
            await tx.require(resource.object, "create", *resource.scope_of_message(new))
            resource.save(tx, new)
            return new

        return create

    def _update(self, name: str) -> Any:
        resource, on_save = self.resource, self.on_save
        field = _field_of(f"Update{name}Request", resource)

        async def update(_: Any, request: Any, tx: Tx) -> Any:
            sent, mask = getattr(request, field), checked_mask(resource, request.update_mask.paths)
            allowed = await files.uploaded(tx, resource, sent)
            refuse_unwritable(tx, resource, mask, sent)
            old = await resource.get(tx, sent.id)
            if request.etag and request.etag != old.etag:
                await late.check(tx, resource, old, sent, mask, request.etag)
            new = resource.message()
            new.CopyFrom(old)
            codec.merge(new, sent, mask)
            files.check(new, old, allowed)
            await on_save(tx, new, old)
            if resource.has_custom:
                await custom.check_values(tx, resource, new, old, allowed)
            resource.save(tx, new)
            return new

        return update

    def _delete(self) -> Any:
        resource, on_delete = self.resource, self.on_delete

        async def delete(_: Any, request: Any, tx: Tx) -> Any:
            message = await resource.get(tx, request.id, etag=request.etag)
            await on_delete(tx, message)
            resource.delete(tx, message)
            return message

        return delete

    def _undelete(self) -> Any:
        resource, on_undelete = self.resource, self.on_undelete

        async def undelete(_: Any, request: Any, tx: Tx) -> Any:
            message = await resource.get(tx, request.id, deleted=True)
            if not message.HasField("delete_time"):
                raise errors.FailedPrecondition(f"this {resource.object} is not deleted")
            await on_undelete(tx, message)
            resource.undelete(tx, message)
            return message

        return undelete

    def _history(self) -> Any:
        resource = self.resource

        async def list_history(_: Any, request: Any, tx: Tx) -> Any:
            found, token = await history.revisions(tx, resource, request, tx.runtime.page_tokens)
            return tx.call.method.output(revisions=found, next_page_token=token)  # type: ignore[union-attr]

        return list_history

    def _republish(self) -> Any:
        resource = self.resource

        async def republish(_: Any, request: Any, tx: Tx) -> Any:
            return await tx.start_operation(f"republish:{resource.name}", request)

        return republish


def _field_of(request_name: str, resource: Resource[Any]) -> str:
    """The request's field that carries the resource; empty if the contract has no such request."""
    request = contracts.message_class(f"{resource.package}.{request_name}")
    if request is None:
        return ""
    return next(
        f.name for f in request.DESCRIPTOR.fields if f.message_type is resource.message.DESCRIPTOR
    )


def _check_offered_id(message: Any) -> None:
    if message.id and (len(message.id) != 36 or message.id[14] != "7"):
        raise errors.InvalidArgument(
            f"id {message.id[:40]!r} is not a UUIDv7; leave it empty or make one as RFC 9562 says",
            [Violation("id", "must be a UUIDv7")],
        )
    message.id = message.id.lower()


def _paths_set(message: Any) -> list[str]:
    """What a creation sets: its fields, and custom fields one by one."""
    names = [field.name for field, _ in message.ListFields() if field.name != "custom"]
    return [*names, *(f"custom.{key}" for key in getattr(message, "custom", ()))]


def _clear_output_only(message: Message) -> None:
    for name in _set_by_server(message.DESCRIPTOR):
        message.ClearField(name)  # type: ignore[arg-type]


@cache
def _set_by_server(descriptor: Descriptor) -> tuple[str, ...]:
    """The names of the fields that callers read and never set."""
    options = [(field.name, field.GetOptions().Extensions) for field in descriptor.fields]
    return tuple(
        name for name, of in options if of[options_pb2.output_only] or of[options_pb2.computed]
    )


def checked_mask(resource: Resource[Any], paths: Sequence[str]) -> list[str]:
    """The mask's paths; InvalidMask names those that are unknown or only the server sets."""
    if not paths:
        raise InvalidMask(
            "update_mask is required: name the fields to change",
            [Violation("update_mask", "is required")],
        )
    found = []
    for path in paths:
        if not codec.has_path(resource.message.DESCRIPTOR, path):
            found.append(
                Violation("update_mask", f"{path[:80]} is not a field of a {resource.object}")
            )
            continue
        if codec.crosses_list(resource.message.DESCRIPTOR, path):
            found.append(
                Violation(
                    "update_mask", f"{path[:80]} lies in a list, and a list is replaced whole"
                )
            )
            continue
        if path == "id" or path.partition(".")[0] in _set_by_server(resource.message.DESCRIPTOR):
            found.append(Violation("update_mask", f"{path} is set by the server"))
    if found:
        raise InvalidMask(found[0].description, found)
    return list(paths)


def refuse_unwritable(
    tx: Tx, resource: Resource[Any], paths: Sequence[str], sent: Any | None = None
) -> None:
    """Refuses fields that are hidden from the caller or outside a token's writable list.

    A list in which only fields are hidden that its service keeps may be written by a record that was `sent` without them.
    """
    kept = contracts.kept_unseen(resource.object) if sent is not None else frozenset()
    showing.refuse_hidden(tx, resource, paths, kept=kept)
    if kept:
        showing.refuse_unseen(tx, resource, paths, sent, kept)
    writable = tx.rights.writable
    if writable is None:
        return
    allowed = writable.get(resource.object, frozenset())
    refused = [
        p for p in paths if p != "id" and p not in allowed and p.partition(".")[0] not in allowed
    ]
    if refused:
        raise showing.FieldNotWritable(resource.object, refused)
