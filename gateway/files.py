"""/v1/files: bytes in and out. Rights follow the record that holds the file; until one does, only its uploader may read it.

Whoever reads a file through a record names it (`?in=contacts/<id>`): the record is read as the caller, and the file is given if
that answer names it in a field made for files (FORMAT_FILE, or a custom field of type FILE; see chassis/kit/files.py for who may
put it there). So scopes and hidden fields need no second rule here, and no list of holders can go stale.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor

from chassis import contracts, errors
from chassis.blobs import Blob, BlobStore
from chassis.call import Actor
from chassis.errors import Violation
from chassis.kit.files import is_file
from chassis.rights import Rights
from gateway.edge import FILES_PATH
from gateway.exchange import Exchange, Header, Response
from gateway.multipart import first_file
from gateway.problems import RangeUnsatisfiable
from gateway.routes import Binding, Table

# The name under which API tokens are limited to, or kept from, files.
METHOD = "/crm.gateway.v1.Gateway/Files"

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_HOLDER = re.compile(r"([a-zA-Z]{1,40})/([0-9a-f-]{36})")
# What a browser may show by itself; everything else is only offered for saving, because it could run scripts as ours.
_SHOWN = re.compile(r"image/(png|jpeg|gif|webp|avif)|audio/.+|video/.+|application/pdf|text/plain")
_FILE = "CUSTOM_FIELD_TYPE_FILE"
_MAX_NAME = 255
_POLICY: Header = (
    b"content-security-policy",
    b"default-src 'none'; sandbox; frame-ancestors 'none'",
)

Authenticate = Callable[[str], Awaitable[tuple[str, Actor, Rights]]]


class Files:
    """The endpoints; `call` answers one RPC as the exchange's caller, `custom_fields` tells what such keys mean in a kind of records."""

    def __init__(
        self,
        store: BlobStore,
        authorization: Callable[[Exchange], str],
        authenticate: Authenticate,
        table: Table,
        call: Callable[[Binding, tuple[str, ...], Exchange], Any],
        custom_fields: Callable[[Exchange, str, list[str]], Awaitable[list[dict[str, Any]]]],
    ) -> None:
        self._store = store
        self._authorization = authorization
        self._authenticate = authenticate
        self._table = table
        self._call = call
        self._custom_fields = custom_fields

    def bind(self) -> None:
        """Adds the endpoints to the table."""
        self._table.add("POST", FILES_PATH, self.upload)
        self._table.add("GET", FILES_PATH + "/{id}", self.read)
        self._table.add("DELETE", FILES_PATH + "/{id}", self.delete)

    async def upload(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """Stores the body, or the file of a multipart body."""
        tenant, user_id = await self._caller(exchange)
        kind = exchange.header(b"content-type")
        content: AsyncIterator[bytes] = exchange.chunks()
        name = exchange.argument("name")
        if kind.partition(";")[0].strip().lower() == "multipart/form-data":
            name, kind, content = await first_file(content, kind)
        type_ = kind.partition(";")[0].strip().lower() or "application/octet-stream"
        _check(name, type_)
        blob = await self._store.put(
            tenant, content, type=type_, name=name, owner_id=user_id, max_bytes=exchange.max_body
        )
        return Response(200, _json(blob))

    async def read(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """The bytes, or the range asked for."""
        tenant, user_id = await self._caller(exchange)
        blob = await self._store.get(tenant, variables[0])
        await self._require_right(exchange, blob, user_id)
        return content(self._store, exchange, tenant, blob)

    async def delete(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """Removes a file of the caller's own; records that hold it keep a copy of their own or lose it knowingly."""
        tenant, user_id = await self._caller(exchange)
        blob = await self._store.get(tenant, variables[0])
        if blob.owner_id != user_id:
            raise _absent(blob.id)
        await self._store.delete(tenant, blob.id)
        return Response(200, b"{}")

    async def _caller(self, exchange: Exchange) -> tuple[str, str]:
        authorization = self._authorization(exchange)
        if not authorization:
            raise errors.Unauthenticated("sign in first: send 'Authorization: Bearer <token>'")
        tenant, actor, rights = await self._authenticate(authorization)
        if not rights.allows_method(METHOD):
            raise errors.PermissionDenied(f"this API token may not use files; it lacks {METHOD}")
        return tenant, actor.user_id

    async def _require_right(self, exchange: Exchange, blob: Blob, user_id: str) -> None:
        """NotFound, the same as for a file that does not exist, unless the caller may read this one."""
        holder = exchange.argument("in")
        if not holder:
            if blob.owner_id != user_id or not user_id:
                raise _absent(blob.id)
            return
        named = _HOLDER.fullmatch(holder)
        target, variables = self._table.match("GET", f"/v1/{holder}") if named else (None, ())
        if not isinstance(target, Binding):
            raise errors.InvalidArgument(
                "this is not a record",
                [Violation("in", f"{holder[:60]!r} is not like contacts/<id>")],
            )
        record = await self._call(target, variables, exchange)
        value, message = orjson.loads(record), target.method.output.DESCRIPTOR
        keys = [key for key, held in value.get("custom", {}).items() if held == blob.id]
        if _names(value, message, blob.id):
            return
        if not keys or not await self._any_of_files(exchange, message, keys):
            raise _absent(blob.id)

    async def _any_of_files(self, exchange: Exchange, record: Descriptor, keys: list[str]) -> bool:
        """True if one of the record's custom fields is of type FILE."""
        option = contracts.resource_option(record)
        fields = await self._custom_fields(exchange, option.plural if option else "", keys)
        return any(field["type"] == _FILE for field in fields)


def content(store: BlobStore, exchange: Exchange, tenant: str, blob: Blob) -> Response:
    """The bytes of a file that the exchange's caller may read, or the range of them that he asks for."""
    tag = b'"%b"' % blob.sha256.encode()
    headers: list[Header] = [
        (b"etag", tag),
        (b"accept-ranges", b"bytes"),
        _POLICY,
        (b"cache-control", b"private, no-cache"),
        (b"content-disposition", _disposition(blob)),
    ]
    if exchange.headers.get(b"if-none-match") == tag:
        return Response(304, headers=headers)
    start, end, status = _range(exchange, blob, tag)
    headers.append((b"content-length", b"%d" % (end - start)))
    if status == 206:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, blob.size)))
    return Response(
        status,
        content_type=blob.type.encode("latin-1"),
        headers=headers,
        stream=store.read(tenant, blob.id, start, end),
    )


def _check(name: str, type_: str) -> None:
    violations = []
    if len(name) > _MAX_NAME or any(ord(letter) < 32 or letter in '/\\"' for letter in name):
        violations.append(
            Violation(
                "name", f"at most {_MAX_NAME} characters, no slashes, quotes or control characters"
            )
        )
    if not _TYPE.fullmatch(type_):
        violations.append(Violation("Content-Type", f"{type_[:60]!r} is not a media type"))
    if violations:
        raise errors.InvalidArgument("the file cannot be taken like this", violations)


def _absent(id: str) -> errors.NotFound:
    return errors.NotFound(f"there is no file {id[:60]}")


def _names(value: Any, message: Descriptor, id: str) -> bool:
    """True if the JSON of such a message names the file in a field of FORMAT_FILE, at any depth."""
    for field in message.fields:
        held = value.get(field.json_name)
        many = held if isinstance(held, list) else [held]
        if is_file(field) and id in many:
            return True
        inner = field.message_type
        if inner is not None and not inner.GetOptions().map_entry:
            parts = (part for part in many if isinstance(part, dict))
            if any(_names(part, inner, id) for part in parts):
                return True
    return False


def _json(blob: Blob) -> bytes:
    return orjson.dumps(
        {
            "id": blob.id,
            "name": blob.name,
            "type": blob.type,
            "size": str(blob.size),
            "sha256": blob.sha256,
            "createTime": blob.create_time.isoformat().replace("+00:00", "Z"),
        }
    )


def _range(exchange: Exchange, blob: Blob, tag: bytes) -> tuple[int, int, int]:
    """(start, end, status) by RFC 9110 section 14: one range; several, or another unit, get the whole file."""
    asked = _RANGE.fullmatch(exchange.header(b"range"))
    changed = exchange.headers.get(b"if-range", tag) != tag
    if asked is None or changed or not (asked[1] or asked[2]):
        return 0, blob.size, 200
    if asked[1]:
        start = int(asked[1])
        end = min(int(asked[2]) + 1, blob.size) if asked[2] else blob.size
    else:
        start, end = max(0, blob.size - int(asked[2])), blob.size
    if start >= end:
        raise RangeUnsatisfiable(
            f"the file has {blob.size} bytes", metadata={"size": str(blob.size)}
        )
    return start, end, 206


def _disposition(blob: Blob) -> bytes:
    """RFC 6266: the name in ASCII for old readers, and as it is."""
    kind = "inline" if _SHOWN.fullmatch(blob.type) else "attachment"
    if not blob.name:
        return kind.encode()
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_"
        for letter in blob.name
    )
    encoded = "".join(
        chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"%{byte:02X}"
        for byte in blob.name.encode()
    )
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}".encode()
