"""B10: an import of many rows, CSV and XLSX, with normalising, duplicate check, history and events, over HTTP.

A file of a tenth of the lines comes first, so that what the big one needs more of memory can be told; each brings other people.
The budget's "import" is the run; plan and run together are told beside it. CPU is that of everything that runs (relay included).
"""

import csv
import io
import json
import random
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chassis.kit.imports.workbook_writer import WorkbookWriter
from deploy.local.demo.client import Client
from tests.bench import contacts, machine
from tests.bench.company import Company
from tests.bench.installation import Installation, until
from tests.bench.report import Result, at_least, at_most, told

HEADERS = ["Imię", "Nazwisko", "Telefon", "E-mail", "Miasto", "Stanowisko", "Firma"]
_LEAST_ROWS_S = 5_000
_FLAT = 1.1
"""How much more memory ten times the lines may take: what else happens meanwhile differs by so much."""
_LONGEST_S = 1_800.0
_TOKEN_S = 600.0  # an access token lives fifteen minutes


def people(first: int, count: int) -> Iterator[list[str]]:
    """Headers and lines; every fiftieth line has a company of a thousand. No other part of the bench gives these keys."""
    yield HEADERS
    for number in range(first, first + count):
        chance = random.Random(number)
        given, family = contacts.name(chance)
        phone = f"{700_000_000 + number * 7 % 100_000_000}"
        phone = phone if number % 2 else f"+48 {phone[:3]} {phone[3:6]} {phone[6:]}"
        company = f"Firma {number % 1000}" if number % 50 == 0 else ""
        yield [given, family, phone, f"import{number}@customers.example", "Łódź", "Kupiec", company]


def csv_file(rows: Iterator[list[str]]) -> bytes:
    """A file as Excel in Poland writes it."""
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows(rows)
    return text.getvalue().encode()


def xlsx_file(rows: Iterator[list[str]]) -> bytes:
    """A workbook with one sheet."""
    file = io.BytesIO()
    writer = WorkbookWriter(file)
    writer.write(rows)
    writer.close()
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Step:
    """What a plan or a run took."""

    rows_s: float
    application_us: float
    postgres_us: float


def measure(installation: Installation, company: Company, rows: int) -> list[Result]:
    """B10 on the running installation, which gets the people of three files."""
    few = rows // 10
    importing = _Importing(installation, company)
    from_csv = importing.file("people.csv", csv_file(people(0, few)), few)
    from_xlsx = importing.file("people.xlsx", xlsx_file(people(few, few)), few)
    plan, run, peak = importing.file("people.csv", csv_file(people(2 * few, rows)), rows)
    together = 1 / (1 / plan.rows_s + 1 / run.rows_s)
    memory = peak / from_csv[2]
    return [
        at_least("B10", f"import of {rows:,} lines: the run", run.rows_s, "1/s", _LEAST_ROWS_S),
        at_most("B10", f"most memory with {rows:,} lines / with {few:,}", memory, "", _FLAT),
        told("B10", f"import of {rows:,} lines: its plan", plan.rows_s, "1/s"),
        told("B10", f"import of {rows:,} lines: plan and run together", together, "1/s"),
        *_cpu("plan", plan),
        *_cpu("run", run),
        told("B10", f"plan of {few:,} lines of CSV", from_csv[0].rows_s, "1/s"),
        told("B10", f"plan of {few:,} lines of XLSX", from_xlsx[0].rows_s, "1/s"),
        told("B10", f"run of {few:,} lines", from_csv[1].rows_s, "1/s"),
        told("B10", f"most memory of the application with {rows:,} lines, RSS", peak, "MiB"),
    ]


def _cpu(what: str, step: Step) -> list[Result]:
    return [
        told("B10", f"CPU of the {what} per line, application", step.application_us, "us"),
        told("B10", f"CPU of the {what} per line, PostgreSQL", step.postgres_us, "us"),
    ]


class _Importing:
    """Imports over HTTP, one after the other."""

    def __init__(self, installation: Installation, company: Company) -> None:
        self._installation, self._company = installation, company
        self._signed_in = float("-inf")
        self._known: Client

    def file(self, name: str, content: bytes, rows: int) -> tuple[Step, Step, float]:
        """Plans and runs an import of these new people: (plan, run, most RSS of the application in MiB)."""
        self._installation.until_idle()
        for pid in self._installation.app_pids:
            machine.forget_peak(pid)
        imported = self._client.post("/v1/imports", {"resource": "contacts", "fileId": self._upload(name, content)})  # fmt: skip
        self._ended(imported["operation"])
        steps = [self._step(imported["id"], verb, rows) for verb in ("plan", "run")]
        done = self._client.get(f"/v1/imports/{imported['id']}")
        if done["outcome"] != done["plan"] or int(done["outcome"].get("created", 0)) != rows:
            counts = {part: done[part] for part in ("plan", "outcome")}
            raise RuntimeError(f"not all of {rows} lines were created: {json.dumps(counts)}")
        return steps[0], steps[1], sum(map(machine.peak_mib, self._installation.app_pids))

    @property
    def _client(self) -> Client:
        if time.monotonic() - self._signed_in > _TOKEN_S:
            self._known = self._company.sign_in(self._installation)
            self._signed_in = time.monotonic()
        return self._known

    def _upload(self, name: str, content: bytes) -> str:
        headers = {"Authorization": f"Bearer {self._client.token}", "Content-Type": "text/csv"}
        address = f"{self._installation.url}/v1/files?name={name}"
        request = urllib.request.Request(address, data=content, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(json.load(answer)["id"])

    def _step(self, id: str, verb: str, rows: int) -> Step:
        postmaster = self._installation.pids()["postgres"]
        apps = self._installation.app_pids
        began, before = time.perf_counter(), (machine.cpu_s(apps), machine.cpu_s([], postmaster))
        self._ended(self._client.post(f"/v1/imports/{id}:{verb}", {})["name"])
        seconds = time.perf_counter() - began
        after = machine.cpu_s(apps), machine.cpu_s([], postmaster)
        used = [(b - a) / rows * 1e6 for a, b in zip(before, after, strict=True)]
        return Step(rows / seconds, *used)

    def _ended(self, name: str) -> None:
        """Waits for the end of an operation."""

        def ended() -> Any:
            found = self._client.get(f"/v1/{name}")
            return found if found.get("done") else None

        found = until(ended, name, _LONGEST_S, every_s=0.2)
        if "error" in found:
            raise RuntimeError(f"{name}: {found['error']}")
