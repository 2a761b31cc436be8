"""JetStream streams into files and back, with their consumers' positions.

The snapshot and restore conversations are those of the JetStream API (ADR-1 of
nats-architecture-and-design; $JS.API.STREAM.SNAPSHOT and .RESTORE), which nats-py does not offer. A
snapshot keeps sequence numbers, times and how far each durable consumer has acknowledged.
"""

# ruff: noqa: ASYNC230  (a command of its own: nothing waits while it reads and writes files)

import base64
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.local.errors import Refusal
from deploy.local.nats import connect_once

CHUNK_BYTES = 128 * 1024
STEP_S = 30.0
"""How long one answer of the server may take."""
_EXPECTATIONS = "nats-expected-"
"""Headers with the sequence a publisher expected; they would refuse the message later."""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A connection to `url`; raises Refusal when there is none to be had."""
    try:
        client = await connect_once(url)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise Refusal(f"NATS does not let us in: {error or type(error).__name__}.") from None
    try:
        yield client
    finally:
        await client.close()


async def last_sequences(client: Client) -> dict[str, int]:
    """Every stream's name and the sequence of its newest message."""
    return {info.config.name or "": info.state.last_seq for info in await _all_streams(client)}


async def save(client: Client, stream: str, folder: Path) -> int:
    """Write the stream and its consumers to `folder`; the newest sequence it is sure to hold."""
    inbox = client.new_inbox()
    chunks = await client.subscribe(inbox, pending_bytes_limit=-1)
    asked = {"deliver_subject": inbox, "chunk_size": CHUNK_BYTES, "no_consumers": False}
    answer = await _ask(client, f"$JS.API.STREAM.SNAPSHOT.{stream}", asked)
    about = {"config": answer["config"], "state": answer["state"]}
    (folder / f"{stream}.json").write_text(json.dumps(about))
    with open(folder / f"{stream}.snapshot", "wb") as file:
        async for data in _chunks(chunks, stream):
            file.write(data)
    await chunks.unsubscribe()
    return int(answer["state"]["last_seq"])


async def save_tail(client: Client, stream: str, folder: Path, first: int, last: int) -> None:
    """Write the messages `first` to `last` that still exist, one JSON object a line."""
    jetstream = client.jetstream(timeout=STEP_S)
    with open(folder / f"{stream}.tail", "w", encoding="utf-8") as file:
        for sequence in range(first, last + 1):
            try:
                message = await jetstream.get_msg(stream, seq=sequence)
            except nats.js.errors.NotFoundError:
                continue  # deleted or replaced since
            line = {
                "sequence": sequence,
                "subject": message.subject,
                "headers": message.headers or {},
                "data": base64.b64encode(message.data or b"").decode(),
            }
            file.write(json.dumps(line) + "\n")


async def load(client: Client, stream: str, folder: Path) -> None:
    """Make the stream as it was saved; raises Refusal when one of that name exists."""
    about = json.loads((folder / f"{stream}.json").read_text())
    answer = await _ask(client, f"$JS.API.STREAM.RESTORE.{stream}", about)
    subject = answer["deliver_subject"]
    with open(folder / f"{stream}.snapshot", "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            await client.request(subject, chunk, timeout=STEP_S)
    done = await client.request(subject, b"", timeout=STEP_S)
    _refuse_error(json.loads(done.data), stream)
    await _load_tail(client, stream, folder)


async def remove(client: Client, names: Iterable[str]) -> None:
    """Take away those of the streams that exist, with their consumers."""
    there = {one.config.name for one in await _all_streams(client)}
    for name in names:
        if name in there:
            await client.jetstream(timeout=STEP_S).delete_stream(name)


async def _load_tail(client: Client, stream: str, folder: Path) -> None:
    tail = folder / f"{stream}.tail"
    if not tail.exists():
        return
    jetstream = client.jetstream(timeout=STEP_S)
    # The snapshot may hold messages that came while it was written: those are not added twice.
    newest = (await jetstream.stream_info(stream)).state.last_seq
    with open(tail, encoding="utf-8") as file:
        for line in file:
            message = json.loads(line)
            if message["sequence"] <= newest:
                continue
            headers = {
                name: value
                for name, value in message["headers"].items()
                if not name.lower().startswith(_EXPECTATIONS)
            }
            await jetstream.publish(
                message["subject"], base64.b64decode(message["data"]), headers=headers or None
            )


async def _chunks(subscription: Any, stream: str) -> AsyncIterator[bytes]:
    """The pieces of a snapshot; each is acknowledged, or the server stops sending."""
    while True:
        try:
            message: Msg = await subscription.next_msg(timeout=STEP_S)
        except TimeoutError:
            raise Refusal(f"NATS stopped sending stream {stream}: try the backup again.") from None
        if not message.data:
            status = (message.headers or {}).get("Status", "")
            if status not in ("", "200", "204"):
                raise Refusal(
                    f"NATS could not finish stream {stream} (status {status}): try again."
                )
            return
        if message.reply:
            await message.respond(b"")
        yield message.data


async def _all_streams(client: Client) -> list[Any]:
    found: list[Any] = []
    while page := await client.jetstream(timeout=STEP_S).streams_info(offset=len(found)):
        found += page
    return found


async def _ask(client: Client, subject: str, request: dict[str, Any]) -> dict[str, Any]:
    answer = await client.request(subject, json.dumps(request).encode(), timeout=STEP_S)
    content: dict[str, Any] = json.loads(answer.data)
    _refuse_error(content, subject.rpartition(".")[2])
    return content


def _refuse_error(answer: dict[str, Any], stream: str) -> None:
    if "error" in answer:
        raise Refusal(f"NATS refused stream {stream}: {answer['error'].get('description', '?')}.")
