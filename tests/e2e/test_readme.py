"""The README's tour, command by command, as a stranger would type it: documents may not lie."""

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.machine import free_port
from tests.e2e.runtime.harness import CHECKOUT, Runtime, processes_of, until

pytestmark = pytest.mark.large  # starts whole installations
START_S = 180.0
PATIENCE = {
    "CALL=": "",
    "notices?pageSize=3": "$CALL",
    "notices?pageSize=1": "mention",
    "fields=subject,dueTime": "Call back",
}
"""Part of a command -> what its answer holds a moment later: a person types more slowly than events travel."""
SETUP = r"(U|HEAD|SELLER)=|(demo|password|pick|signin)\(\)"


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
    marked = "".join(f"{_patiently(line)}\necho; echo '@@'\n" for line in lines)
    done = subprocess.run(
        ["bash", "-c", marked], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.stderr == "", done.stderr
    printed = done.stdout.split("\n@@\n")
    assert len(printed) == len(lines) + 1, done.stdout
    return dict(zip(lines, printed, strict=False))


def _patiently(line: str) -> str:
    """The command, repeated until it says what it says after a moment; the time limit is that of the whole bash."""
    word = next((word for part, word in PATIENCE.items() if part in line), None)
    if word is None:
        return line
    if not word:
        return f"until {{ {line}\n}} 2>/dev/null; do sleep 0.1; done"
    return (
        f'until answer=$({line}) && grep -q "{word}" <<<"$answer"; do sleep 0.1; done\n'
        'echo "$answer"'
    )


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
    assert len({row["ownerId"] for row in mine if "ownerId" in row}) == 1
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

    the_call_is_made(answer, found["contacts"][0]["id"])
    the_visit_ends_with_its_result(answer)
    (mention,) = answer("notices?pageSize=1")["notices"]
    assert mention["code"] == "mention"
    assert mention["headline"].endswith("send him the catalogue, please")
    calendar = next(text for line, text in said.items() if "$U$CALENDAR" in line)
    assert calendar.startswith("BEGIN:VCALENDAR")
    assert "BEGIN:VEVENT" in calendar

    popup = answer("/popup")
    assert (popup["person"]["contactId"], popup["person"]["name"]) == (
        found["contacts"][0]["id"],
        "Wanda Żak",
    )
    assert "Call back" in [task["subject"] for task in answer("fields=subject,dueTime")["tasks"]]

    setup = [line for line in lines if re.match(SETUP, line)]
    watch_the_live_stream(
        folder, setup, live, next(line for line in lines if "public/forms" in line)
    )
    subscribe_as_told(folder, setup, commands(subscribe))


Answer = Callable[..., Any]


def the_call_is_made(answer: Answer, contact_id: str) -> None:
    """Who asked has a task with a ladder; it is given to the salesperson, who is told, sees it first and does it."""
    (run,) = answer("/ladder")["runs"]
    assert [step["step"]["afterMinutes"] for step in run["steps"]] == [10, 15, 20, 30]
    given = answer(":assign")
    assert given["contactId"] == contact_id
    told = [n for n in answer("notices?pageSize=3")["notices"] if n["code"] == "task_assigned"]
    assert given["id"] in [notice["objectId"] for notice in told]
    first = answer("v1/me/day")["lines"][0]["reasons"][0]
    assert (first["code"], first["taskId"]) == ("CODE_REACTION_CLOCK", given["id"])
    done = answer("she is at home on Friday")
    assert (done["id"], done["state"]) == (given["id"], "STATE_DONE")
    assert done["reaction"]["stoppedBy"] == "done"


def the_visit_ends_with_its_result(answer: Answer) -> None:
    """It says when to leave; a result without its height is refused by name, the whole one is kept."""
    visit = answer("fields=subject,visit")["visit"]
    leave, appointment = (
        datetime.fromisoformat(visit[name]) for name in ("departureTime", "appointmentTime")
    )
    assert appointment - leave == timedelta(minutes=40)
    refused, done = answer('"outcome": "measured"'), answer('"outcome": "measured"', 1)
    assert refused["reason"] == "RESULT_INVALID"
    assert [each["field"] for each in refused["violations"]] == ["result.height_mm"]
    assert done["state"] == "STATE_DONE"
    assert done["result"] == {"width_mm": 1200, "height_mm": 1450, "count": 4}


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
