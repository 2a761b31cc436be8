"""The listening socket that processes share."""

import asyncio
import socket

from chassis.process import reuse_port_socket


async def test_answers_in_several_parts_are_not_held_back() -> None:
    """Without TCP_NODELAY the second part of an answer waits for the other side's delayed acknowledgement: 40 ms."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def on_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = reuse_port_socket("127.0.0.1", 0)
    async with await asyncio.start_server(on_connection, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        assert await asyncio.wait_for(accepted, 10)
        writer.close()
