"""What the screens share: asking several services at once, and being partial when one of them is down."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf.message import Message

from chassis import errors
from chassis.contracts import service_of
from gateway.calls import Calls

# What is down or too slow is left out; anything else a service refuses is either the caller's right or our defect.
_DOWN = (errors.Unavailable, errors.DeadlineExceeded)


class Parts:
    """The calls of one screen."""

    def __init__(
        self, calls: Calls, metadata: Mapping[str, str], *, within_s: float | None = None
    ) -> None:
        """With `within_s` whoever does not answer so soon counts as down."""
        self._calls = calls
        self._metadata = metadata
        self._within_s = within_s
        self.unavailable: set[str] = set()

    async def one(self, method: str, request: Message) -> bytes | None:
        """The answer's JSON; None if its owner is down or the caller may not see it, or it is not there."""
        try:
            async with asyncio.timeout(self._within_s):
                return await self._calls.ask(method, request, self._metadata)
        except (TimeoutError, *_DOWN):
            self.unavailable.add(service_of(method[1:]))
        except (errors.PermissionDenied, errors.NotFound, errors.FailedPrecondition):
            pass  # the role has no right to this part, or it is switched off or not installed: the screen stands without it
        return None

    async def needed(self, method: str, request: Message) -> bytes:
        """The answer's JSON; what is refused is the screen's refusal."""
        return await self._calls.ask(method, request, self._metadata)

    async def many(self, method: str, request: Message, key: str) -> list[Any]:
        """The records under `key` of a list's answer; empty where `one` gives none."""
        answer = await self.one(method, request)
        found: list[Any] = orjson.loads(answer).get(key, []) if answer is not None else []
        return found

    async def whole(self, method: str, request: Message) -> dict[str, Any]:
        """The answer by its fields; empty where `one` gives none."""
        answer = await self.one(method, request)
        return dict(orjson.loads(answer)) if answer is not None else {}

    def compose(self, sections: dict[str, Any]) -> bytes:
        """The screen's JSON: bytes are put in as they are, sections that are None are left out."""
        shown = {
            name: orjson.Fragment(part) if isinstance(part, bytes) else part
            for name, part in sections.items()
            if part is not None
        }
        shown["unavailable"] = sorted(self.unavailable)
        return orjson.dumps(shown)


async def together(*calls: Any) -> list[Any]:
    """The results in order; if one fails, the others are cancelled and its error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except* errors.CrmError as failed:
        raise _first(failed) from None
    return [task.result() for task in tasks]


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
