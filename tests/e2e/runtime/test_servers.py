"""A running installation, asked from outside: its servers, its files, a second supervisor."""

import asyncio
import base64
import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import nats.errors
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client
from nats.aio.msg import Msg

from chassis import nkey
from deploy.local import streams
from deploy.local.errors import Refusal
from deploy.local.nats import ACCOUNT, connect_once
from tests.e2e.runtime.harness import Runtime

pytestmark = pytest.mark.large  # starts whole installations


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    one = Runtime(tmp_path_factory.mktemp("servers") / "data")
    yield one.start()
    assert one.end() == 0


def test_our_user_has_jetstream_in_the_account_of_the_callout(runtime: Runtime) -> None:
    async def run() -> int:
        client = await connect_once(runtime.run_json()["nats"])
        try:
            stream = await client.jetstream().add_stream(name="TRIAL", subjects=["trial.>"])
            await client.jetstream().publish("trial.one", b"1")
            assert stream.config.storage == "file"
            return (await client.jetstream().stream_info("TRIAL")).state.messages
        finally:
            await client.jetstream().delete_stream("TRIAL")
            await client.close()

    assert asyncio.run(run()) == 1


def test_stream_comes_back_with_what_arrived_after_its_snapshot(
    runtime: Runtime, tmp_path: Path
) -> None:
    async def run() -> list[tuple[int, str, str | None]]:
        client = await connect_once(runtime.run_json()["nats"])
        jetstream = client.jetstream()
        await jetstream.add_stream(name="TAIL", subjects=["tail.>"])
        for number in (1, 2):
            await jetstream.publish("tail.x", str(number).encode())
        surely = await streams.save(client, "TAIL", tmp_path)
        for number in (3, 4, 5):
            await jetstream.publish(
                "tail.x",
                str(number).encode(),
                headers={"ce-id": str(number), "Nats-Expected-Last-Sequence": str(number - 1)},
            )
        await jetstream.delete_msg("TAIL", 4)
        await streams.save_tail(client, "TAIL", tmp_path, surely + 1, 5)
        await jetstream.delete_stream("TAIL")

        await streams.load(client, "TAIL", tmp_path)

        found = []
        for sequence in range(1, (await jetstream.stream_info("TAIL")).state.last_seq + 1):
            message = await jetstream.get_msg("TAIL", seq=sequence)
            headers = message.headers or {}
            found.append((sequence, (message.data or b"").decode(), headers.get("ce-id")))
        with pytest.raises(Refusal, match="TAIL"):
            await streams.load(client, "TAIL", tmp_path)
        await jetstream.delete_stream("TAIL")
        await client.close()
        return found

    assert asyncio.run(run()) == [(1, "1", None), (2, "2", None), (3, "3", "3"), (4, "5", "5")]


@pytest.mark.parametrize("who", ["", "crm:wrong@", "somebody:secret@"])
def test_nobody_else_is_let_in_while_nobody_answers_for_them(runtime: Runtime, who: str) -> None:
    address = runtime.run_json()["nats"].rpartition("@")[2]

    with pytest.raises(nats.errors.Error):
        asyncio.run(connect_once(f"nats://{who}{address}"))


def account_key(seed: str) -> Ed25519PrivateKey:
    """The private key in an account seed (base32: two bytes of kind, the key, a checksum)."""
    return Ed25519PrivateKey.from_private_bytes(
        base64.b32decode(seed + "=" * (-len(seed) % 8))[2:34]
    )


def signed(seed: str, claims: dict[str, Any]) -> bytes:
    """A NATS JWT of the account, as whoever answers the callout makes it."""

    def part(content: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=")

    standard = {"jti": "x", "iat": int(time.time()), "iss": nkey.AccountKey(seed).public_key}
    body = part({"typ": "JWT", "alg": "ed25519-nkey"}) + b"." + part(standard | claims)
    signature = account_key(seed).sign(body)
    return body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")


def verdict(seed: str, question: bytes) -> bytes:
    """Let user tok with password right in, to read and publish nothing."""
    body = question.split(b".")[1]
    asked = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))["nats"]
    client = asked["user_nkey"]
    nats_claims = {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}
    permissions = {"pub": {"deny": [">"]}, "sub": {"allow": ["crm.tenant.>"]}}
    user = {"sub": client, "aud": ACCOUNT, "nats": nats_claims | permissions}
    right = asked["connect_opts"].get("pass") == "right"
    outcome = {"jwt": signed(seed, user).decode()} if right else {"error": "no"}
    answer = {"type": "authorization_response", "version": 2} | outcome
    return signed(seed, {"sub": client, "aud": asked["server_id"]["id"], "nats": answer})


async def settled(client: Client) -> None:
    """All that was asked of the server is done (nats-py 2.16: one PING may overtake a SUB before it)."""
    await client.flush()
    await client.flush()


def test_user_admitted_by_our_key_may_do_what_the_answer_says_and_no_more(
    runtime: Runtime,
) -> None:
    seed = json.loads((runtime.data / "secrets.json").read_text())["nats_callout_seed"]
    url = runtime.run_json()["nats"]
    address = url.rpartition("@")[2]
    complaints: list[str] = []

    async def note(error: Exception) -> None:
        complaints.append(str(error).lower())

    async def run() -> bytes:
        ours = await connect_once(url)

        async def admit(message: Msg) -> None:
            await message.respond(verdict(seed, message.data))

        await ours.subscribe("$SYS.REQ.USER.AUTH", cb=admit)
        await settled(ours)
        try:
            with pytest.raises(nats.errors.Error):
                await connect_once(f"nats://tok:wrong@{address}")
            theirs = Client()
            await theirs.connect(
                f"nats://tok:right@{address}", error_cb=note, allow_reconnect=False
            )
            heard = await theirs.subscribe("crm.tenant.>")
            await theirs.publish("crm.tenant.contacts.ContactCreated", b"forged")
            await settled(theirs)
            await ours.publish("crm.tenant.contacts.ContactCreated", b"true")
            first = await heard.next_msg(timeout=5)
            await theirs.close()
            return bytes(first.data)
        finally:
            await ours.close()

    assert asyncio.run(run()) == b"true"
    assert any("permissions violation" in complaint for complaint in complaints)


def test_postgres_takes_our_password_only_and_has_no_socket_file(runtime: Runtime) -> None:
    url = runtime.run_json()["postgres"]

    async def run() -> tuple[str, ...]:
        connection = await asyncpg.connect(url)
        try:
            names = (
                "unix_socket_directories",
                "listen_addresses",
                "synchronous_commit",
                "fsync",
                "jit",
                "shared_buffers",
                "log_statement",
                "data_checksums",
            )
            provider = await connection.fetchval(
                "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'template1'"
            )
            return (provider, *[await connection.fetchval(f"SHOW {name}") for name in names])
        finally:
            await connection.close()

    assert asyncio.run(run()) == (
        *("bC.UTF-8", "", "127.0.0.1", "on", "on"),
        *("off", "128MB", "none", "on"),
    )
    wrong = url.replace(url.split(":")[2].split("@")[0], "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(asyncpg.connect(wrong))


def test_failing_statement_leaves_what_was_typed_out_of_the_log(runtime: Runtime) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(runtime.run_json()["postgres"])
        try:
            await connection.execute("CREATE TABLE people (mail text UNIQUE, age int)")
            await connection.execute("INSERT INTO people VALUES ('anna@example.com', 1)")
            for statement in (
                "INSERT INTO people VALUES ('anna@example.com', 2)",
                "SELECT 'Anna Nowak'::int",
            ):
                with pytest.raises(asyncpg.PostgresError):
                    await connection.execute(statement)
        finally:
            await connection.execute("DROP TABLE people")
            await connection.close()

    asyncio.run(run())
    log = (runtime.data / "logs" / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "anna" not in log.lower()
    assert "nowak" not in log.lower()


def test_secrets_are_readable_by_their_owner_only(runtime: Runtime) -> None:
    def others(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode) & 0o077

    assert others(runtime.data) & 0o066 == 0
    private = [path for path in runtime.data.iterdir() if path.is_file()]
    assert {"secrets.json", "setup-token", "nats.conf", "run.json"} <= {p.name for p in private}
    assert [path.name for path in private if others(path)] == []
    assert others(runtime.data / "logs") == 0
    assert others(runtime.data / "nats") == 0


def test_second_supervisor_on_the_same_data_is_refused(runtime: Runtime) -> None:
    sentence = Runtime(runtime.data).refused()

    assert "already runs" in sentence
    assert str(runtime.pids()["supervisor"]) in sentence
    assert runtime.answering() == "0"


def test_status_says_what_runs(runtime: Runtime) -> None:
    done = runtime.verb("status")

    assert done.returncode == 0
    assert f"process {runtime.pids()['postgres']:>7}" in done.stdout
