"""Events of the past, read in batches by JetStream's direct get (server 2.11 and later): no consumer to make and forget."""

import asyncio
import json
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from chassis import errors
from chassis.events.nats import Nats

_BATCH_S = 5.0
_MAX_BYTES = 2 << 20
_END = "204"
_NOTHING = "404"


@dataclass(frozen=True, slots=True)
class Stored:
    """One message of a stream."""

    sequence: int
    headers: dict[str, str]
    data: bytes


async def read(nats: Nats, stream: str, subject: str, after: int, most: int) -> list[Stored]:
    """Up to `most` messages on `subject` behind sequence `after`, in order; empty if there are none.

    Raises Unavailable if NATS does not answer."""
    request = {"seq": after + 1, "next_by_subj": subject, "batch": most, "max_bytes": _MAX_BYTES}
    client = nats.client
    inbox = client.new_inbox()
    try:
        subscription = await client.subscribe(inbox)
        try:
            await client.publish(
                f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), reply=inbox
            )
            found: list[Stored] = []
            async with asyncio.timeout(_BATCH_S):
                while True:
                    message = await subscription.next_msg(timeout=_BATCH_S)
                    if _is_end(message):
                        return found
                    headers = dict(message.headers or {})
                    found.append(Stored(int(headers["Nats-Sequence"]), headers, message.data))
        finally:
            await subscription.unsubscribe()
    except (NatsError, TimeoutError, OSError) as error:
        raise errors.Unavailable(
            "the event streams do not answer; try again", retry_after_s=2
        ) from error


def _is_end(message: Msg) -> bool:
    """True for the closing message of a batch, and for the answer that there is nothing."""
    status = (message.headers or {}).get("Status", "")
    if status and status not in (_END, _NOTHING):
        raise errors.Unavailable(f"the event streams answer {status}; try again", retry_after_s=2)
    return bool(status)
