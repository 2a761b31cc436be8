"""Nothing stays in the temporary folder after a test run, however it ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from chassis.testing import run_folder

ROOT = Path(__file__).parents[3]
_MAKE = "from chassis.testing import run_folder; print(run_folder.folder(), flush=True); "


def run(there: Path, then: str) -> "subprocess.Popen[str]":
    """A run of its own in the temporary folder `there`."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    return subprocess.Popen(
        [sys.executable, "-c", _MAKE + then], cwd=ROOT, env={**environ, "TMPDIR": str(there)},
        stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True,
    )  # fmt: skip


def folder_of(one: "subprocess.Popen[str]") -> Path:
    assert one.stdout is not None
    return Path(one.stdout.readline().strip())


def test_run_without_servers_removes_its_folder_itself(tmp_path: Path) -> None:
    with run(tmp_path, "(run_folder.folder() / 'left').touch()") as one:
        assert folder_of(one).parent == tmp_path
        assert one.wait(20) == 0

    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_killed_run_goes_with_the_next(tmp_path: Path) -> None:
    with run(tmp_path, "input()") as killed, run(tmp_path, "input()") as alive:
        left, kept = folder_of(killed), folder_of(alive)
        killed.send_signal(signal.SIGKILL)
        killed.wait(20)
        stranger = tmp_path / "crm-servers-notours"
        stranger.mkdir()
        assert (run_folder.is_left_over(left), run_folder.is_left_over(kept)) == (True, False)

        with run(tmp_path, "") as following:
            folder_of(following)
            assert following.wait(20) == 0

        assert set(tmp_path.iterdir()) == {kept, stranger}
        alive.communicate("\n", timeout=20)
    assert set(tmp_path.iterdir()) == {stranger}


def test_folder_is_not_left_over_while_a_guardian_works_in_it(tmp_path: Path) -> None:
    with run(tmp_path, "input()") as killed:
        left = folder_of(killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait(20)

    (left / "nats-main.json").write_text(f'{{"port": 1, "pid": {os.getpid()}}}')
    assert not run_folder.is_left_over(left)
    (left / "nats-main.json").write_text('{"port": 1, "pid": 999999999}')
    assert run_folder.is_left_over(left)
