"""Each house rule fires on its bad samples, at the right line, and leaves its good ones alone."""

import textwrap

import pytest

from tools.lint.__main__ import lint
from tools.lint.checks import CHECKS
from tools.lint.checks.registry_hosts import _HOSTS as HOSTS
from tools.lint.source import Source

# rule -> (path, text); a line that must be found ends in "# bad" (or "// bad").
BAD: dict[str, list[tuple[str, str]]] = {
    "import-direction": [
        ("chassis/db/pool.py", "import services.deals  # bad"),
        ("chassis/start.py", "from gateway import edge  # bad"),
        ("gateway/views/card.py", "from services.deals import rules  # bad"),
        ("services/deals/rpc.py", "from services.tasks import store  # bad"),
        (
            "services/deals/rpc.py",
            "def f():\n    from services.tasks.store import x  # bad",
        ),
        ("services/deals/rpc.py", "import gateway.edge  # bad"),
        ("services/deals/rules.py", "from services.deals import errors, store  # bad"),
        ("services/deals/rules/quotes.py", "from ..store import quotes  # bad"),
        ("services/deals/rules.py", "from . import rpc  # bad"),
        ("services/deals/store.py", "from services.deals import rpc  # bad"),
        (
            "services/deals/store.py",
            "from services.deals.consumers import names  # bad",
        ),
        ("services/deals/errors.py", "from services.deals.rules import limit  # bad"),
        ("services/deals/jobs.py", "from services.deals import service  # bad"),
        (
            "services/deals/quotes/store.py",
            "from services.deals.quotes import rpc  # bad",
        ),
    ],
    "sql-outside-store": [
        ("services/deals/rpc.py", "import sqlalchemy as sa  # bad"),
        ("services/deals/jobs.py", "from asyncpg import Record  # bad"),
        ("services/deals/rpc.py", 'x = "SELECT id FROM deals"  # bad'),
        ("services/deals/matching.py", 'x = "select id from deals where x"  # bad'),
        ("services/deals/timers.py", 'x = f"UPDATE {table} SET a = 1"  # bad'),
        ("services/deals/rpc.py", 'x = "  insert into deals values (1)"  # bad'),
        ("services/deals/rpc.py", 'x = "DELETE FROM deals"  # bad'),
        ("services/deals/rpc.py", 'x = "WITH k AS (SELECT 1) SELECT * FROM k"  # bad'),
        ("gateway/views/card.py", 'x = "SELECT id FROM deals"  # bad'),
    ],
    "tenant-by-hand": [
        ("services/deals/rpc.py", "def f(tx, tenant): ...  # bad"),
        ("services/deals/rules.py", "def f(deal, *, tenant_id: str): ...  # bad"),
        ("services/deals/consumers.py", "async def f(tenant_id=None): ...  # bad"),
        ("services/deals/jobs/imports.py", "store.rows(tx, tenant=row.owner)  # bad"),
        ("services/deals/timers.py", "events.Due(tenant_id=row.tenant_id)  # bad"),
        ("services/deals/rpc.py", "sort(key=lambda tenant: 1)  # bad"),
    ],
    "chassis-noun": [
        ("chassis/outbox.py", "def contact_changed(): ...  # bad"),
        ("chassis/outbox.py", "class DealRelay: ...  # bad"),
        ("chassis/outbox.py", "companies = []  # bad"),
        ("chassis/outbox.py", 'x = "crm.contacts"  # bad'),
        ("chassis/outbox.py", 'x = f"{y} invoices"  # bad'),
        ("chassis/outbox.py", "from crm.contacts.v1 import contact_pb2  # bad"),
        ("chassis/outbox.py", "f(lead=1)  # bad"),
        ("chassis/outbox.py", "x.customer_id  # bad"),
        ("chassis/outbox.py", "task_id = 1  # bad"),
        ("chassis/outbox.py", 'x = "the task is late"  # bad'),
    ],
    "publish-or-commit": [
        ("services/deals/rpc.py", "import nats  # bad"),
        ("services/deals/consumers.py", "from nats.js import api  # bad"),
        ("services/deals/rpc.py", "await js.publish(subject, body)  # bad"),
        ("services/deals/store.py", "connection.commit()  # bad"),
        ("services/deals/jobs.py", "tx.connection.rollback()  # bad"),
        ("services/deals/rpc.py", "await context.abort(code, text)  # bad"),
        ("services/deals/rpc.py", "await self.context.abort(code, text)  # bad"),
    ],
    "file-length": [
        ("services/deals/rpc.py", "x = 1\n" * 400 + "x = 2  # bad\n"),
        ("web/src/board.ts", "let x = 1\n" * 400 + "let y  // bad\n"),
        ("protos/crm/deals/v1/deal.proto", "//\n" * 400 + "// bad\n"),
    ],
    "broad-except": [
        ("services/deals/rpc.py", "try: f()\nexcept Exception: pass  # bad"),
        ("chassis/pool.py", "try: f()\nexcept BaseException as e: log(e)  # bad"),
        ("tests/unit/test_x.py", "try: f()\nexcept: pass  # bad"),
        ("tools/gen.py", "try: f()\nexcept (OSError, Exception): pass  # bad"),
        ("gateway/edge.py", "try: f()\nexcept Exception as e: raise E from e  # bad"),
        ("gateway/edge.py", "with contextlib.suppress(Exception): f()  # bad"),
    ],
    "registry-host": [
        ("README.md", f"See {'.'.join(HOSTS[0])} # bad"),
        (
            "package-lock.json",
            f'"resolved": "https://registry.{".".join(HOSTS[2])}/x" # bad',
        ),
        ("tools/x.sh", f"mmdebstrap http://{'.'.join(HOSTS[5])}/debian # bad"),
        ("Containerfile", f"FROM {'.'.join(HOSTS[9]).upper()}/library/python # bad"),
    ],
    "sleep-in-test": [
        ("tests/unit/test_x.py", "import time\ntime.sleep(1)  # bad"),
        ("tests/chaos/test_x.py", "import asyncio\nawait asyncio.sleep(0.1)  # bad"),
        ("tests/e2e/test_x.py", "from time import sleep\nsleep(2)  # bad"),
        ("tests/conftest.py", "import anyio\nawait anyio.sleep(seconds)  # bad"),
    ],
}

GOOD: dict[str, list[tuple[str, str]]] = {
    "import-direction": [
        (
            "services/deals/service.py",
            "from services.deals import rpc, consumers, store",
        ),
        (
            "services/deals/rpc.py",
            "from services.deals import store, rules, errors, jobs",
        ),
        ("services/deals/rpc/quotes.py", "from services.deals.rpc import deals"),
        ("services/deals/rules.py", "from services.deals import errors, commission"),
        (
            "services/deals/store.py",
            "from services.deals import errors\nfrom chassis import db",
        ),
        ("services/deals/quotes/rpc.py", "from . import store, rules"),
        (
            "gateway/views/card.py",
            "from gateway import edge\nfrom crm.deals.v1 import deal_pb2",
        ),
        (
            "chassis/start.py",
            'import importlib\nimportlib.import_module(f"services.{name}")',
        ),
        ("tests/service/deals/test_x.py", "from services.deals import rules, store"),
    ],
    "sql-outside-store": [
        ("services/deals/store.py", 'import sqlalchemy\nx = "SELECT id FROM deals"'),
        ("services/deals/store/quotes.py", "import sqlalchemy as sa"),
        ("services/deals/migrations/20260101_0001_start.py", "import sqlalchemy"),
        ("services/deals/rpc.py", '"""SELECT id FROM deals is what the store does."""'),
        ("services/deals/errors.py", 'x = "Select a deal from the list of open ones"'),
        (
            "services/deals/errors.py",
            'x = "update the deal first, then set its amount"',
        ),
        ("services/deals/errors.py", 'x = "delete from here"\ny = "with care"'),
        ("chassis/db/pool.py", "import asyncpg"),
    ],
    "tenant-by-hand": [
        ("services/deals/store.py", "def f(tx, tenant_id): ..."),
        ("services/deals/service.py", "def f(tenant): ..."),
        ("services/identity/rules.py", "def rename(tenant: pb.Tenant, name): ..."),
        ("services/identity/rpc.py", "tx.emit(events.TenantCreated(tenant=tenant))"),
        ("services/deals/rpc.py", "x = tx.tenant\nf(tenants=3)"),
        ("chassis/db/tx.py", "def f(tenant): ..."),
    ],
    "chassis-noun": [
        ("chassis/outbox.py", '"""Relays, say, that a deal was won."""\n# a contact'),
        (
            "chassis/outbox.py",
            "asyncio.create_task(f())\nasync with asyncio.TaskGroup(): ...",
        ),
        ("chassis/outbox.py", "leading = dealing = accompany = misleads = 1"),
        ("chassis/outbox.py", "x: asyncio.Task[None]"),
        ("chassis/outbox.py", "tasks = [task for task in x]"),
        ("chassis/openapi.py", 'x = {"contact": {}}'),
        ("chassis/events/leader.py", "def lead(): ..."),
        ("services/contacts/rpc.py", "def contact_changed(): ..."),
        ("gateway/views/card.py", "deal = 1"),
    ],
    "publish-or-commit": [
        ("services/deals/rpc.py", "tx.emit(events.DealWon())\nprice_list.publisher()"),
        ("services/deals/migrations/20260101_0001_start.py", "connection.commit()"),
        ("chassis/relay.py", "import nats\njs.publish(x)\nconnection.commit()"),
        ("services/deals/rpc.py", "self.run.abort(why)"),
        ("services/README.py", "import nats"),
    ],
    "file-length": [
        ("services/deals/rpc.py", "x = 1\n" * 400),
        ("docs/tour.md", "x\n" * 900),
        ("protos/google/api/http.proto", "//\n" * 900),
        ("protos/crm/deals/v1/deals_service.proto", "//\n" * 900),
    ],
    "broad-except": [
        ("services/deals/rpc.py", "try: f()\nexcept (OSError, ValueError): pass"),
        ("chassis/events/relay.py", "try: f()\nexcept Exception: pass"),
        (
            "chassis/db/pool.py",
            "try: f()\nexcept BaseException:\n    close()\n    raise",
        ),
        ("gateway/edge.py", "with contextlib.suppress(OSError): f()"),
        ("gateway/edge.py", "class Exceptional(Exception): ..."),
    ],
    "registry-host": [
        ("README.md", "pip install akrab; see crm.example and orgpypi.organ"),
        ("deploy/k8s/base/x.yaml", "apiVersion: networking.k8s.io/v1\n# kubernetes.io"),
        ("docs/x.md", f"not{'.'.join(HOSTS[0])}"),
    ],
    "sleep-in-test": [
        ("tests/unit/test_x.py", "await asyncio.sleep(0)\nclock.sleep(3)"),
        ("chassis/relay.py", "await asyncio.sleep(1)"),
        ("tests/unit/test_x.py", "from edges import sleep\nsleep(3)"),
    ],
}


def _cases(samples: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str, str]]:
    return [(rule, path, text) for rule, pairs in samples.items() for path, text in pairs]


@pytest.mark.parametrize(("rule", "path", "text"), _cases(BAD))
def test_rule_fires_on_bad_sample(rule: str, path: str, text: str) -> None:
    marked = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith(" bad")]

    findings = [f for f in lint(Source(path, text)) if f.rule == rule]

    assert sorted({finding.line for finding in findings}) == marked
    assert all(finding.path == path and finding.message for finding in findings)


@pytest.mark.parametrize(("rule", "path", "text"), _cases(GOOD))
def test_rule_leaves_good_sample_alone(rule: str, path: str, text: str) -> None:
    assert [str(f) for f in lint(Source(path, text)) if f.rule == rule] == []


def test_every_check_has_samples() -> None:
    rules = {check.__globals__["RULE"] for check in CHECKS}

    assert rules == set(BAD) == set(GOOD)


def test_a_line_may_break_a_rule_with_a_reason() -> None:
    text = textwrap.dedent("""\
        import time
        time.sleep(1)  # allow sleep-in-test: the server under test is slow on purpose
        time.sleep(1)  # allow sleep-in-test:
        time.sleep(1)  # allow broad-except: another rule
        """)

    findings = list(lint(Source("tests/unit/test_x.py", text)))

    assert [finding.line for finding in findings] == [3, 4]


def test_a_file_that_does_not_parse_is_a_finding() -> None:
    (finding,) = lint(Source("chassis/x.py", "x = 1\ndef (:\n"))

    assert (finding.line, finding.rule) == (2, "syntax")
