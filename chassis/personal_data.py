"""One service's part of an archive of personal data: a file of JSON, told by an event."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

if TYPE_CHECKING:
    from chassis.runtime import Runtime

MOST_BYTES = 1 << 30
Content = Mapping[str, Sequence[Any]]
"""What it is -> its records, messages or plain values."""


def encoded(content: Content) -> bytes:
    """The part as JSON, in the names of the API."""
    plain = {name: [_plain(one) for one in each] for name, each in content.items()}
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)


def _plain(one: Any) -> Any:
    return json_format.MessageToDict(one) if isinstance(one, Message) else one


async def keep(
    runtime: "Runtime", tenant: str, name: str, content: bytes, *, type: str, owner_id: str
) -> str:
    """Stores a file and returns its id."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blob = await runtime.blobs.put(
        tenant, chunks(), type=type, name=name, owner_id=owner_id, max_bytes=MOST_BYTES
    )
    return blob.id
