"""What is in the way is named, with a way out."""

import os
import socket
from pathlib import Path

import pytest

from deploy.local import checks
from deploy.local.errors import Refusal


def test_full_disk_names_what_is_free_and_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"Only \d+ MB are free .* 1099511627776 MB are needed"):
        checks.disk(tmp_path / "not" / "yet", needed=2**60)


def test_disk_with_room_is_fine(tmp_path: Path) -> None:
    checks.disk(tmp_path / "not" / "yet", needed=1)


def test_listener_is_named_by_program_and_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Refusal) as refusal:
            checks.port_free(port, "CRM_PORT")
    name = Path("/proc/self/comm").read_text().strip()
    assert f"Port {port} is taken by {name} (process {os.getpid()})" in str(refusal.value)


def test_listener_that_shares_its_port_still_counts() -> None:
    server = socket.create_server(("127.0.0.1", 0), reuse_port=True)
    with server, pytest.raises(Refusal, match="is taken"):
        checks.port_free(server.getsockname()[1], "CRM_PORT")


def test_port_of_a_server_that_just_ended_is_free() -> None:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(("127.0.0.1", 0))
    server.listen()
    client = socket.create_connection(server.getsockname())
    connection, _ = server.accept()
    port = server.getsockname()[1]
    connection.close()  # the side that closes first keeps the port in TIME_WAIT
    client.close()
    server.close()

    checks.port_free(port, "CRM_PORT")


def test_remembered_port_is_kept_unless_it_is_taken() -> None:
    free = checks.remembered_or_free_port(0, set())

    assert checks.remembered_or_free_port(free, set()) == free
    assert checks.remembered_or_free_port(free, {free}) != free
    with socket.create_server(("127.0.0.1", free)):
        assert checks.remembered_or_free_port(free, set()) != free
