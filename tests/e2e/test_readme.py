"""The README's tour, command by command, as a stranger would type it: documents may not lie."""

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.machine import free_port
from tests.e2e.runtime.harness import CHECKOUT, Runtime, processes_of, until

START_S = 180.0


class Demo(Runtime):
    """What `make run` runs."""

    def command(self, *words: str) -> list[str]:
        return [self.python, "-m", "deploy.local", *words]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder as the stranger's clone looks: documents, data, and the private environment."""
    made = Path(tempfile.mkdtemp(prefix="akrab-readme-"))
    made.chmod(0o711)
    for name in ("README.md", "docs"):
        (made / name).symlink_to(CHECKOUT / name)
    runtime = Demo(made / "data", free_port(), settings={"DEMO": "1", "DEMO_TRAFFIC": "0"})
    (made / ".venv" / "bin").mkdir(parents=True)
    (made / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{runtime.python}" "$@"\n')
    (made / ".venv" / "bin" / "python").chmod(0o755)
    runtime.spawn()
    try:
        until(
            lambda: "Ctrl-C stops it" in runtime.printed or _ended(runtime),
            "the demo runs",
            START_S,
        )
        assert not _ended(runtime), runtime.printed
        yield made
    finally:
        runtime.end()
        until(lambda: not processes_of(runtime.data), "the demo left processes", 20)
        shutil.rmtree(made)


def _ended(runtime: Runtime) -> bool:
    return runtime.process is not None and runtime.process.poll() is not None


def blocks(folder: Path) -> list[str]:
    """The ```sh blocks of README.md, at this installation's address."""
    found = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    url = json.loads((folder / "data" / "run.json").read_text())["http"]
    return [block.replace("http://127.0.0.1:8800", url) for block in found]


def commands(block: str) -> list[str]:
    """A block's commands without the comments: one ends where the next line begins at the left margin."""
    parts = (part.strip() for part in re.split(r"\n(?=[#A-Za-z.])", block))
    return [part for part in parts if part and not part.startswith("#")]


def typed(folder: Path, lines: list[str]) -> dict[str, str]:
    """Type the commands one after the other in one bash; command -> what it printed."""
    marked = "".join(f"{line}\necho; echo '@@'\n" for line in lines)
    done = subprocess.run(
        ["bash", "-c", marked], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.stderr == "", done.stderr
    printed = done.stdout.split("\n@@\n")
    assert len(printed) == len(lines) + 1, done.stdout
    return dict(zip(lines, printed, strict=False))


def test_every_command_of_the_tour_does_what_it_says(folder: Path) -> None:
    tour, subscribe = blocks(folder)
    lines = commands(tour)
    live = next(line for line in lines if "-sN" in line)

    said = typed(folder, [line for line in lines if line is not live])

    def answer(part: str, which: int = 0) -> Any:
        """The JSON that the (nth) command with this part printed."""
        return json.loads([text for line, text in said.items() if part in line][which])

    receipt = answer("public/forms")
    assert receipt["thankYouText"]
    found = answer("/v1/search")
    assert [c["displayName"] for c in found["contacts"]] == ["Wanda Żak"]
    assigned = answer("/v1/requests?filter")["requests"]
    assert receipt["receiptId"] in [request["id"] for request in assigned]
    assert {request["state"] for request in assigned} == {"STATE_ASSIGNED"}
    mine = answer("orderBy=display_name")["contacts"]
    assert len(mine) == 3
    assert len({row["ownerId"] for row in mine}) == 1
    made = answer("Idempotency-Key: tour-1")
    assert made["phones"][0]["number"] == "+48602333444"
    assert made["id"] in [row["id"] for row in answer("q=wisniewski")["contacts"]]
    assert [answer("-X PATCH", which)["etag"] for which in (0, 1)] == ["2", "3"]
    assert [r["action"] for r in answer("/history")["revisions"]] == [
        "updated",
        "updated",
        "created",
    ]
    card = answer("/card")["contact"]
    assert (card["id"], card["position"], card["salutation"]) == (made["id"], "Buyer", "Pan")
    assert answer("/card")["unavailable"] == []

    setup = [
        line for line in lines if re.match(r"(U|HEAD|SELLER)=|demo\(|password\(|signin\(", line)
    ]
    watch_the_live_stream(
        folder, setup, live, next(line for line in lines if "public/forms" in line)
    )
    subscribe_as_told(folder, setup, commands(subscribe))


def watch_the_live_stream(folder: Path, setup: list[str], live: str, post: str) -> None:
    """Leave one terminal open and post the form in another."""
    heard = folder / "heard"
    with heard.open("wb") as output:
        terminal = subprocess.Popen(
            ["bash", "-c", "\n".join([*setup, f"exec {live}"])], cwd=folder, stdout=output
        )
    try:
        until(lambda: "welcome" in heard.read_text(), "the stream is open", 60)
        began = time.monotonic()
        receipt = json.loads(typed(folder, [*setup, post])[post])
        until(lambda: receipt["receiptId"] in heard.read_text(), "the request is heard", 30)
        assert "crm.contacts.v1.RequestReceived" in heard.read_text()
        assert time.monotonic() - began < 30
    finally:
        terminal.terminate()
        terminal.wait(10)


def subscribe_as_told(folder: Path, setup: list[str], lines: list[str]) -> None:
    """Make the token and start the program; it prints what is in the stream and goes on where it was."""
    program = next(line for line in lines if "docs/subscriber.py" in line)
    typed(folder, [*setup, *(line for line in lines if line is not program)])
    post = next(line for line in commands(blocks(folder)[0]) if "public/forms" in line)

    first = read_for_a_while(folder, program, "crm.contacts.v1.RequestReceived")
    receipt = json.loads(typed(folder, [*setup, post])[post])[
        "receiptId"
    ]  # while the program is off
    second = read_for_a_while(folder, program, receipt)

    assert sum(line.startswith("crm.contacts.v1.ContactCreated ") for line in first) >= 200
    received = [line for line in second if line.startswith("crm.contacts.v1.RequestReceived ")]
    assert [line.split()[1] for line in received] == [receipt]
    assert not {line for line in first} & {line for line in second}


def read_for_a_while(folder: Path, program: str, until_seen: str) -> list[str]:
    """What the program prints until it has printed this; then Ctrl-C."""
    heard = folder / "subscriber.out"
    with heard.open("wb") as output:
        running = subprocess.Popen(
            ["bash", "-c", f"exec {program}"], cwd=folder, stdout=output, stderr=output
        )
    try:
        until(
            lambda: until_seen in heard.read_text() or running.poll() is not None,
            f"it prints {until_seen}",
            60,
        )
        assert running.poll() is None, heard.read_text()
    finally:
        running.terminate()
        code = running.wait(20)
    assert code == 0, heard.read_text()
    return [line for line in heard.read_text().splitlines() if line]
