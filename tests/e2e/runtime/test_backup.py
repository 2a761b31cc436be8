"""A backup holds everything, taken at one moment while people work; a restore proves it."""

import asyncio
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats.js.api import ConsumerConfig

from deploy.local.nats import connect_once
from tests.e2e.runtime.conftest import MakeRuntime
from tests.e2e.runtime.harness import Runtime, processes_of

pytestmark = pytest.mark.large  # starts whole installations

TABLES = """
    CREATE TABLE contacts (
        id uuid PRIMARY KEY DEFAULT uuidv7(), name text, doc bytea, facts jsonb, at timestamptz,
        amount numeric(12, 2), labels text[]
    );
    CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY, contact uuid NOT NULL);
    ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, INSERT ON contacts, outbox TO crm_contacts_service;
    INSERT INTO contacts (name, doc, facts, at, amount, labels)
    SELECT 'Łukasz ' || n, decode(md5(n::text), 'hex'), jsonb_build_object('n', n),
           timestamptz '2024-02-29 12:00+01' + n * interval '1 hour', n / 7.0, ARRAY['a', n::text]
    FROM generate_series(1, 2000) n;
    INSERT INTO outbox (contact) SELECT id FROM contacts LIMIT 3;
"""


async def connect(url: str, database: str = "postgres") -> asyncpg.Connection:
    return await asyncpg.connect(url, database=database, timeout=10)


async def furnish(runtime: Runtime) -> None:
    """Databases, a role, a stored file and a stream whose consumer has acknowledged two of five."""
    told = runtime.run_json()
    server = await connect(told["postgres"])
    await server.execute("CREATE ROLE crm_contacts_service LOGIN PASSWORD 'kept'")
    for name in ("crm_contacts", "crm_tasks"):
        await server.execute(f"CREATE DATABASE {name}")
    await server.close()
    contacts = await connect(told["postgres"], "crm_contacts")
    await contacts.execute(TABLES)
    await contacts.close()
    tasks = await connect(told["postgres"], "crm_tasks")
    await tasks.execute("CREATE TABLE inbox (event text PRIMARY KEY); CREATE TABLE empty (t text)")
    await tasks.close()
    (runtime.data / "blobs" / "ab").mkdir(parents=True)
    (runtime.data / "blobs" / "ab" / "photo").write_bytes(b"a photo")
    os.link(runtime.data / "blobs" / "ab" / "photo", runtime.data / "blobs" / "ab" / "same")
    client = await connect_once(told["nats"])
    jetstream = client.jetstream()
    await jetstream.add_stream(name="CONTACTS", subjects=["crm.*.contacts.>"])
    await jetstream.add_consumer("CONTACTS", ConsumerConfig(durable_name="tasks", ack_wait=60))
    for number in range(5):
        await publish(jetstream, number)
    reading = await jetstream.pull_subscribe_bind("tasks", "CONTACTS")
    for message in await reading.fetch(2, timeout=5):
        await message.ack_sync()
    await client.close()


async def publish(jetstream: Any, number: int) -> None:
    await jetstream.publish(
        "crm.t.contacts.ContactCreated", str(number).encode(), headers={"Nats-Msg-Id": f"m{number}"}
    )


async def stream_contents(url: str) -> tuple[list[str], list[str]]:
    """(everything in the stream, what its consumer has still to read)."""
    client = await connect_once(url)
    jetstream = client.jetstream()
    last = (await jetstream.stream_info("CONTACTS")).state.last_seq
    messages = [await jetstream.get_msg("CONTACTS", seq=n) for n in range(1, last + 1)]
    reading = await jetstream.pull_subscribe_bind("tasks", "CONTACTS")
    pending = (await jetstream.consumer_info("CONTACTS", "tasks")).num_pending
    unread = await reading.fetch(pending, timeout=5)
    await client.close()
    return [bytes(m.data or b"").decode() for m in messages], [m.data.decode() for m in unread]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Runtime, Path]:
    """A furnished installation, stopped after a backup that was taken while it ran."""
    folder = tmp_path_factory.mktemp("backup")
    runtime = Runtime(folder / "data").start()
    asyncio.run(furnish(runtime))
    done = runtime.verb("backup", f"--to={folder / 'all.tar'}")
    assert done.returncode == 0, done
    assert runtime.answering() == "0"
    assert runtime.end() == 0
    return runtime, folder / "all.tar"


def manifest(file: Path) -> dict[str, Any]:
    with tarfile.open(file) as tar:
        content = tar.extractfile("manifest.json")
        assert content is not None
        return dict(json.load(content))


def test_restored_installation_is_the_one_that_was_saved(
    saved: tuple[Runtime, Path], make_runtime: MakeRuntime
) -> None:
    original, file = saved
    other = make_runtime()

    done = other.verb("restore", f"--from={file}")

    assert done.returncode == 0, done
    assert f"state hash equal ({manifest(file)['state_hash']})" in done.stdout
    assert processes_of(other.data) == []
    for name in ("secrets.json", "setup-token", "blobs/ab/photo"):
        assert (other.data / name).read_bytes() == (original.data / name).read_bytes()
    blobs = other.data / "blobs" / "ab"
    assert (blobs / "same").stat().st_ino == (blobs / "photo").stat().st_ino
    other.start()
    everything, unread = asyncio.run(stream_contents(other.run_json()["nats"]))
    assert (everything, unread) == (["0", "1", "2", "3", "4"], ["2", "3", "4"])

    async def service_still_signs_in() -> tuple[int, list[Any]]:
        url = other.run_json()["postgres"]
        address = url.rpartition("@")[2].replace("/postgres", "/crm_contacts")
        connection = await connect(
            f"postgresql://crm_contacts_service:kept@{address}", "crm_contacts"
        )
        outbox = await connection.fetchval("SELECT count(*) FROM outbox")
        visible = await connection.fetch("SELECT * FROM contacts")
        await connection.close()
        return outbox, list(visible)

    # Row level security came along too: without a policy the service sees no contact.
    assert asyncio.run(service_still_signs_in()) == (3, [])


def test_backup_is_private_and_counts_every_table(saved: tuple[Runtime, Path]) -> None:
    _, file = saved

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = {
        f"{database} {name}": one["rows"]
        for database, tables in manifest(file)["databases"].items()
        for name, one in tables.items()
    }
    assert rows == {
        "crm_contacts public.contacts": 2000,
        "crm_contacts public.outbox": 3,
        "crm_tasks public.inbox": 0,
        "crm_tasks public.empty": 0,
    }


def test_backup_of_the_stopped_installation_has_the_same_state(
    saved: tuple[Runtime, Path], tmp_path: Path
) -> None:
    runtime, file = saved

    done = runtime.verb("backup", f"--to={tmp_path / 'again.tar'}")

    assert done.returncode == 0, done
    assert manifest(tmp_path / "again.tar")["state_hash"] == manifest(file)["state_hash"]
    assert processes_of(runtime.data) == []
    assert list(runtime.data.glob(".backup-*")) == []


def test_restore_that_differs_names_the_table_and_changes_nothing(
    saved: tuple[Runtime, Path], tmp_path: Path, make_runtime: MakeRuntime
) -> None:
    _, file = saved
    changed = manifest(file)
    changed["databases"]["crm_contacts"]["public.contacts"]["hash"] = "1"
    forged = tmp_path / "forged.tar"
    _copy_with_manifest(file, forged, changed)
    other = make_runtime()

    done = other.verb("restore", f"--from={forged}")

    assert done.returncode == 1
    assert "NOT equal" in done.stderr
    assert "crm_contacts public.contacts" in done.stderr
    assert not other.data.exists()
    assert [path.name for path in tmp_path.iterdir() if "restoring" in path.name] == []


def _copy_with_manifest(source: Path, target: Path, content: dict[str, Any]) -> None:
    import io

    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            if member.islnk():
                new.addfile(member)
                continue
            file = old.extractfile(member)
            assert file is not None
            data = file.read()
            if member.name == "manifest.json":
                data = json.dumps(content).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))


def test_restore_refuses_a_directory_in_use_unless_it_may_move_it_aside(
    saved: tuple[Runtime, Path], make_runtime: MakeRuntime
) -> None:
    _, file = saved
    other = make_runtime()
    other.data.mkdir()
    (other.data / "precious").write_text("mine")

    refused = other.verb("restore", f"--from={file}")
    assert refused.returncode == 1
    assert "FORCE=1" in refused.stderr
    assert [path.name for path in other.data.iterdir()] == ["precious"]

    done = other.verb("restore", f"--from={file}", "--force")
    assert done.returncode == 0, done
    aside = list(other.data.parent.glob(f"{other.data.name}.before-restore-*"))
    assert [(path / "precious").read_text() for path in aside] == ["mine"]
    assert (other.data / "postgres" / "PG_VERSION").exists()


def test_restore_of_a_running_installation_is_refused(
    saved: tuple[Runtime, Path], make_runtime: MakeRuntime
) -> None:
    _, file = saved
    running = make_runtime().start()

    done = running.verb("restore", f"--from={file}", "--force")

    assert done.returncode == 1
    assert "stop it first" in done.stderr
    assert running.answering() == "0"


def test_file_that_is_no_backup_is_named(make_runtime: MakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "holiday.tar").write_bytes(b"not a tar file at all")

    for name in ("holiday.tar", "absent.tar"):
        done = make_runtime().verb("restore", f"--from={tmp_path / name}")
        assert done.returncode == 1
        assert name in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_backup_under_load_is_one_moment(make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """A service and its relay work on: no event is lost, none speaks of what is not there."""
    runtime = make_runtime().start()
    asyncio.run(furnish(runtime))
    file = tmp_path / "busy.tar"

    written = asyncio.run(_work_during(runtime, "backup", f"--to={file}"))
    assert written > 10
    runtime.end()
    other = make_runtime()
    done = other.verb("restore", f"--from={file}")
    assert done.returncode == 0, done
    other.start()

    async def compare() -> tuple[set[str], set[str], set[str]]:
        database = await connect(other.run_json()["postgres"], "crm_contacts")
        rows = await database.fetch("SELECT name FROM contacts WHERE name LIKE 'new %'")
        waiting = await database.fetch(
            "SELECT c.name FROM outbox o JOIN contacts c ON c.id = o.contact"
        )
        await database.close()
        everything, _ = await stream_contents(other.run_json()["nats"])
        published = {one for one in everything if one.startswith("new ")}
        return {row[0] for row in rows}, {row[0] for row in waiting}, published

    contacts, waiting, published = asyncio.run(compare())
    assert published <= contacts, "an event speaks of a contact that is not in the backup"
    assert contacts <= published | waiting, "a contact's event is neither published nor waiting"


async def _work_during(runtime: Runtime, *words: str) -> int:
    """Write, publish and delete like a service and its relay during a command; the writes."""
    told = runtime.run_json()
    command = await asyncio.create_subprocess_exec(
        *runtime.command(*words), env=runtime.environment(), stdout=asyncio.subprocess.DEVNULL
    )
    database, client = (
        await connect(told["postgres"], "crm_contacts"),
        await connect_once(told["nats"]),
    )
    relay = await connect(told["postgres"], "crm_contacts")
    ended = asyncio.create_task(command.wait())
    count = 0
    while not ended.done():
        count += 1
        await asyncio.wait({ended}, timeout=0.005)  # a busy office, not a bench
        await database.execute(
            "WITH c AS (INSERT INTO contacts (name) VALUES ($1) RETURNING id) "
            "INSERT INTO outbox (contact) SELECT id FROM c",
            f"new {count}",
        )
        rows = await relay.fetch(
            "SELECT o.id, c.name FROM outbox o JOIN contacts c ON c.id = o.contact WHERE name LIKE 'new %'"
        )
        for row in rows:
            await client.jetstream().publish(
                "crm.t.contacts.ContactCreated", row[1].encode(), headers={"Nats-Msg-Id": row[1]}
            )
        await relay.execute("DELETE FROM outbox WHERE id = ANY($1)", [row[0] for row in rows])
    for one in (database, relay, client):
        await one.close()
    assert await ended == 0
    return count
