"""Reads what is in a stream now, once, from a place on: for the command line, erasure and catching up."""

from collections.abc import AsyncIterator, Sequence

from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis.events.nats import Nats, ending

_BATCH = 256
_IDLE_S = 60.0  # the server forgets the consumer of a reader that vanished


async def read(
    nats: Nats,
    stream: str,
    *,
    start: int = 1,
    subjects: Sequence[str] = (),
    headers_only: bool = False,
) -> AsyncIterator[Msg]:
    """The messages that the stream holds at this moment from sequence `start` on, oldest first."""
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=max(1, start),
        ack_policy=AckPolicy.NONE,
        filter_subjects=list(subjects) or None,
        headers_only=headers_only,
        inactive_threshold=_IDLE_S,
        mem_storage=True,
    )
    consumer = await nats.js.add_consumer(stream, config)
    remaining = consumer.num_pending or 0
    subscription = await nats.js.pull_subscribe_bind(consumer=consumer.name, stream=stream)
    try:
        while remaining > 0:
            for message in await subscription.fetch(min(_BATCH, remaining), timeout=10):
                remaining -= 1
                yield message
    finally:
        await ending(subscription.unsubscribe())
        await ending(nats.js.delete_consumer(stream, consumer.name))
