"""A tiny HTTP server in place of one application process: for tests of the supervisor only.

It binds CRM_PORT with SO_REUSEPORT, answers /readyz with 200 and anything else with its number, and
on SIGTERM finishes after writing `drained-<number>` into the data directory.
"""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    body = os.environ["CRM_PROCESS"].encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()


async def main() -> None:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(("127.0.0.1", int(os.environ["CRM_PORT"])))
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with await asyncio.start_server(answer, sock=listening):
        await stopping.wait()


def note_the_drain() -> None:
    Path(os.environ["CRM_DATA_DIR"], f"drained-{os.environ['CRM_PROCESS']}").write_text("yes")


if "STAND_IN_FAILS" in os.environ:
    sys.exit(os.environ["STAND_IN_FAILS"])
asyncio.run(main())
note_the_drain()
