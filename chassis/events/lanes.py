"""Work of one key one after the other, work of different keys side by side."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Job = Callable[[], Awaitable[None]]


class Lanes:
    """A queue per key, alive only while it has jobs. Jobs must not raise."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._queues: dict[str, deque[Job]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed = False

    def put(self, key: str, job: Job) -> None:
        """Run the job after all earlier jobs of its key."""
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(job)
            return
        self._queues[key] = deque([job])
        self._empty.clear()
        self._group.create_task(self._run(key))

    async def close(self) -> None:
        """Finish the jobs under way and forget those behind them."""
        self._closed = True
        await self._empty.wait()

    async def _run(self, key: str) -> None:
        queue = self._queues[key]
        try:
            while queue and not self._closed:
                await queue.popleft()()
        finally:
            del self._queues[key]
            if not self._queues:
                self._empty.set()
