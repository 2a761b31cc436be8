"""An outside program that reads a company's events, however long it was away. Needs only `pip install nats-py`.

    python docs/subscriber.py access.json [STREAM ...]

access.json is the answer of `POST /v1/apiTokens {"name": "...", "nats": true, "natsStart": "NATS_START_ALL"}`. For each stream
(IDENTITY, CONTACTS, GATEWAY; all of them unless named) a durable consumer waits on the server: what happens while this program
is off arrives when it is on again, each event once more than zero times and in order per record. So remember `ce-id`s, or
compare versions: `change.version` of a record only grows, and an older one than you have is to be ignored.

To build a copy from nothing: start this program, then `POST /v1/contacts:republish` (and `/v1/companies:republish` ...). Every
record's present state arrives as an event with `change.republished`, also of records that are older than the stream.
"""

import asyncio
import json
import signal
import sys

import nats

STREAMS = ("IDENTITY", "CONTACTS", "GATEWAY")


async def read(
    client: nats.NATS, access: dict, stream: str, seen: set[str], stop: asyncio.Event
) -> None:
    """Prints one line per new event of a stream, and acknowledges it: then the server forgets it for us."""
    subscription = await client.jetstream().pull_subscribe_bind(access["consumer"], stream)
    while not stop.is_set():
        try:
            messages = await subscription.fetch(100, timeout=1)
        except TimeoutError:  # nothing new
            continue
        for message in messages:
            event_id = message.headers["ce-id"]
            if event_id not in seen:  # at least once means that it may come again
                seen.add(event_id)
                body = json.loads(message.data)
                print(
                    message.headers["ce-type"],
                    message.headers["ce-subject"],
                    body["change"].get("version", ""),
                    flush=True,
                )
            await message.ack()


async def main(access: dict, streams: tuple[str, ...]) -> None:
    """Reads until Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await nats.connect(
        access["server"],
        user=access["user"],
        password=access["password"],
        inbox_prefix=access["inboxPrefix"].encode(),
        max_reconnect_attempts=-1,
    )
    seen: set[str] = set()
    try:
        await asyncio.gather(*(read(client, access, stream, seen, stop) for stream in streams))
    finally:
        await client.close()


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        asyncio.run(main(json.load(file)["nats"], tuple(sys.argv[2:]) or STREAMS))
