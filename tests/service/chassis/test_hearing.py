"""A consumer is given the events that it names and no others, also where an older program named others."""

from typing import Any

import pytest
from google.protobuf.message import Message
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from chassis.events import dead_letters
from chassis.events.nats import Nats, stream_of
from chassis.handlers import Consumer, on
from chassis.testing.consuming import Bench, Body, all_acknowledged, effect, works
from chassis.testing.events import event_type, eventually, leading, nats_connection, put_event
from chassis.tx import Tx

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def bench() -> Bench:
    return await Bench().open()


def hearing(durable: str, *events: type[Message], body: Body = effect) -> Consumer:
    return on(*events, durable=durable)(body).consumer  # type: ignore[attr-defined,no-any-return]


async def settled(nats: Nats, bench: Bench, consumer: Consumer, **options: Any) -> None:
    """The consumer at work until nothing waits for it."""
    async with leading(bench.url, *works(nats, bench.url, bench.service, consumer, **options)):
        await eventually(lambda: all_acknowledged(nats, bench, consumer), "acknowledged")


async def test_events_that_it_does_not_name_are_neither_delivered_nor_waited_for(
    bench: Bench,
) -> None:
    third, other = event_type(bench.service, "ThingLost"), event_type(bench.service, "ThingSeen")
    consumer = hearing(f"{bench.service}-some", bench.event, third)
    async with nats_connection() as nats:
        for number, event in enumerate((other, bench.event, other, third, bench.event, other)):
            await put_event(bench.connection, bench.tenant, event, "r", number)

        await settled(nats, bench, consumer)
        info = await nats.js.consumer_info(stream_of(bench.service), consumer.durable)
        stream = await nats.js.stream_info(stream_of(bench.service))

    assert await bench.effects() == ["r:1", "r:3", "r:4"]
    assert stream.state.messages == 6
    assert (info.delivered.consumer_seq, info.num_pending, info.num_ack_pending) == (3, 0, 0)
    assert await bench.connection.fetchval("SELECT count(*) FROM inbox") == 3


async def test_a_durable_that_heard_everything_goes_on_where_it_was(bench: Bench) -> None:
    other = event_type(bench.service, "ThingSeen")
    consumer = hearing(f"{bench.service}-things", bench.event)
    stream = stream_of(bench.service)
    async with nats_connection() as nats:
        await nats.ensure_streams([bench.service])
        for number, event in enumerate((bench.event, other, bench.event, other, bench.event)):
            await put_event(bench.connection, bench.tenant, event, "r", number)
        await settled(nats, bench, hearing(f"{bench.service}-published", other))  # by its relay
        left = ConsumerConfig(
            durable_name=consumer.durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30.0,
            max_ack_pending=1000,
            max_deliver=-1,
        )
        await nats.js.add_consumer(stream, left)
        held = await nats.js.pull_subscribe_bind(consumer=consumer.durable, stream=stream)
        for place, message in enumerate(await held.fetch(4, timeout=5)):
            if place < 2:
                await message.ack_sync()  # of the others, one is not named any more
        await held.unsubscribe()

        await settled(nats, bench, consumer)
        info = await nats.js.consumer_info(stream, consumer.durable)

    assert await bench.effects() == ["r:1", "r:3", "r:2", "r:4"]
    assert (info.num_pending, info.num_ack_pending) == (0, 0)


async def test_an_event_that_it_names_later_is_heard_from_then_on(bench: Bench) -> None:
    second = event_type(bench.service, "ThingSeen")
    durable = f"{bench.service}-more"
    async with nats_connection() as nats:
        for number, event in enumerate((second, bench.event)):
            await put_event(bench.connection, bench.tenant, event, "r", number)
        await settled(nats, bench, hearing(durable, bench.event))

        for number, event in enumerate((second, bench.event, second), start=2):
            await put_event(bench.connection, bench.tenant, event, "r", number)
        await settled(nats, bench, hearing(durable, bench.event, second))

    assert await bench.effects() == ["r:1", "r:2", "r:3", "r:4"]


async def test_a_durable_ends_where_it_reads_no_more(bench: Bench) -> None:
    second = event_type(bench.service, "ThingSeen")
    consumer = hearing(f"{bench.service}-left", bench.event, second)
    async with nats_connection() as nats:
        await nats.ensure_streams(["contacts", "deals"])
        for stream in ("CONTACTS", "DEALS"):
            await nats.js.add_consumer(stream, durable_name=consumer.durable)
        await bench.put("r", 1)

        await settled(nats, bench, consumer)
        for stream in ("CONTACTS", "DEALS"):
            with pytest.raises(NotFoundError):
                await nats.js.consumer_info(stream, consumer.durable)

    assert await bench.effects() == ["r:1"]


async def test_what_followed_a_dead_letter_is_what_its_consumer_hears(bench: Bench) -> None:
    third, other = event_type(bench.service, "ThingLost"), event_type(bench.service, "ThingSeen")

    async def poisoned(event: Any, tx: Tx) -> None:
        if event.number == 0:
            raise ValueError("cannot be")
        await effect(event, tx)

    consumer = hearing(f"{bench.service}-some", bench.event, third, body=poisoned)
    async with nats_connection() as nats:
        for number, event in enumerate((bench.event, third, other, bench.event, other)):
            await put_event(bench.connection, bench.tenant, event, "r", number)
        await settled(nats, bench, consumer, retry_delays_s=())
        (letter,) = [letter async for letter in dead_letters.find(nats, bench.service)]
        later = await dead_letters.later_events(nats, letter)
        single = hearing(f"{bench.service}-one", bench.event, body=poisoned)
        await settled(nats, bench, single, retry_delays_s=())
        (_, letter) = [letter async for letter in dead_letters.find(nats, bench.service)]
        later_of_single = await dead_letters.later_events(nats, letter)

    heard = [(event.state, event.type.rpartition(".")[2]) for event in later]
    assert heard == [("processed", "ThingLost"), ("processed", "ThingChanged")]
    assert [event.sequence for event in later_of_single] == [4]
