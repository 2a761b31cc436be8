"""A reader of Server-Sent Events for tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import orjson


@dataclass
class Stream:
    """One open stream; `id` is what a browser would resume from."""

    _lines: AsyncIterator[str]
    id: str = ""
    comments: list[str] = field(default_factory=list)

    async def next(self, timeout_s: float = 10.0) -> tuple[str, dict]:  # type: ignore[type-arg]
        """(event name, data) of the next event that carries data; raises EOFError at the end of the stream."""
        name, data = "message", ""
        async with asyncio.timeout(timeout_s):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments.append(line[1:].strip())
                elif line.startswith("id:"):
                    self.id = line[3:].strip()
                elif line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    data += line[5:].strip()
                elif not line and data:
                    return name, orjson.loads(data)
                elif not line and name == "message" and self.id and not data:
                    continue
        raise EOFError

    async def subject(self, timeout_s: float = 10.0) -> str:
        """The record of the next event."""
        return str((await self.next(timeout_s))[1]["subject"])

    async def until(self, subject: str) -> dict:  # type: ignore[type-arg]
        """The next event about this record."""
        while True:
            _, event = await self.next()
            if event["subject"] == subject:
                return event


@contextlib.asynccontextmanager
async def opened(http: httpx.AsyncClient, since: str = "", **query: str) -> AsyncIterator[Stream]:
    """An open stream, positioned: what happens from now on will come."""
    headers = {"accept": "text/event-stream"} | ({"last-event-id": since} if since else {})
    async with http.stream("GET", "/v1/events", headers=headers, params=query) as answer:
        assert answer.status_code == 200, (await answer.aread()).decode()
        stream = Stream(answer.aiter_lines().__aiter__())
        async with asyncio.timeout(10):
            async for line in stream._lines:
                if line.startswith("id:"):
                    stream.id = line[3:].strip()
                    break
        yield stream
