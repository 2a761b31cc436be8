"""One service's part of an archive of personal data: a file of JSON, told by an event.

The docstring of erasure_part.py shows how a service adds its part.
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message
from sqlalchemy import MetaData

from chassis import contracts, erasure
from chassis.handlers import on, operation
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.tx import Tx
from crm.common.v1 import privacy_pb2

KIND = "personal_data"
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
    runtime: Runtime, tenant: str, name: str, content: bytes, *, type: str, owner_id: str
) -> str:
    """Stores a file and returns its id."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blob = await runtime.blobs.put(
        tenant, chunks(), type=type, name=name, owner_id=owner_id, max_bytes=MOST_BYTES
    )
    return blob.id


Read = Callable[[Tx, Any], Awaitable[Content]]
"""What the service keeps of whom the event asks for; it changes nothing."""


class Part:
    """The part of one service. LookupError if its contract declares no answer."""

    def __init__(self, metadata: MetaData, asked: type[Message], read: Read) -> None:
        package = metadata.info["package"]
        self._service, self._read = contracts.service_of(package), read
        self._answer = erasure.answer_of(package, "part", privacy_pb2.PersonalDataPart)
        begin = on(asked, durable=f"{self._service}-personal-data")
        self.consumers = (begin(functools.partial(self.begin)),)
        self.operations = (operation(KIND)(functools.partial(self.hand_out)),)

    async def begin(self, event: Any, tx: Tx) -> None:
        """The file is written by an operation: no transaction waits for the blob store."""
        await tx.start_operation(KIND, event)

    async def hand_out(self, run: OperationRun) -> None:
        """Puts it into a file, once, and says which."""
        event: Any = run.request
        if "file_id" not in run.position:
            content = encoded(await run.write(lambda tx: self._read(tx, event)))
            file_id = await keep(
                await erasure.runtime_of(run), run.tenant, f"{self._service}-{event.export_id}.json",
                content, type="application/json", owner_id="",
            )  # fmt: skip
            await run.progress(1, 1, position={"file_id": file_id})
        await run.write(lambda tx: self._tell(tx, event, run.position["file_id"]))

    async def _tell(self, tx: Tx, event: Any, file_id: str) -> None:
        part = privacy_pb2.PersonalDataPart(service=self._service, file_id=file_id)
        # The archive and whom it is about are called alike in what is asked and in what is answered.
        for name in {*event.DESCRIPTOR.fields_by_name} & {*part.DESCRIPTOR.fields_by_name}:
            setattr(part, name, getattr(event, name))
        tx.emit(self._answer(part=part))
