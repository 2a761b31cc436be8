"""Traces, metrics and logs. Prometheus metrics always; traces are exported only where an OTLP endpoint is set.

Personal data never goes in: labels are methods, codes, services and consumers; logs carry ids.
"""

import json
import logging
import random
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

RPC_SECONDS = Histogram(
    "akrab_rpc_seconds",
    "Duration of RPCs.",
    ["method", "code"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
OUTBOX_LAG = Gauge(
    "akrab_outbox_lag_seconds", "Age of the oldest event not yet published.", ["service"]
)
PUBLISHED = Counter("akrab_events_published_total", "Events published.", ["service"])
CONSUMED = Counter("akrab_events_consumed_total", "Events consumed.", ["consumer", "outcome"])
CONSUMER_LAG = Gauge(
    "akrab_consumer_lag_events",
    "Events of a publisher waiting for a consumer.",
    ["consumer", "publisher"],
)
TIMER_LATENESS = Histogram(
    "akrab_timer_lateness_seconds",
    "How late timers fired.",
    ["kind"],
    buckets=(0.1, 0.5, 1, 5, 30, 120, 600, 3600),
)
POOL_WAIT_SECONDS = Histogram("akrab_pool_wait_seconds", "Waits for a database connection.")
CONFLICTS = Counter(
    "akrab_write_conflicts_total", "Bodies that ran again because somebody else was faster."
)
DIRECTORY_FRESH = Gauge("akrab_directory_fresh", "1 while the directory is fresh.")

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_NO_FACTS: Mapping[str, str] = MappingProxyType({})
_facts: ContextVar[Mapping[str, str]] = ContextVar("log_facts", default=_NO_FACTS)
_tracer: Any = None


def _shutdown() -> None:
    """Replaced when something is exported."""


def traceparent() -> str | None:
    """The W3C traceparent of what is under way, or None outside any request."""
    return _traceparent.get()


def trace_id() -> str:
    """The trace id (32 hex digits) of what is under way; empty outside any request."""
    current = _traceparent.get()
    return current[3:35] if current else ""


def new_traceparent(parent: str | None = None) -> str:
    """A child of `parent`, or a new trace if it is absent or malformed; not sampled, since nobody exports it."""
    trace = (
        parent[3:35]
        if parent and len(parent) == 55 and parent[2] == parent[35] == "-"
        else f"{random.getrandbits(128):032x}"  # distinct, not secret: no system call for it
    )
    return f"00-{trace}-{random.getrandbits(64):016x}-00"


class span:
    """Makes `name` the current span, below `parent` or the current one; `facts` go on its log lines.

    A class, because every request passes here: a generator's context manager costs three times as much.
    """

    __slots__ = ("_exported", "_facts", "_facts_token", "_name", "_parent", "_token")

    def __init__(self, name: str, parent: str | None = None, **facts: str) -> None:
        self._name, self._parent, self._facts = name, parent, facts

    def __enter__(self) -> None:
        self._facts_token = _facts.set({**_facts.get(), **self._facts})
        self._exported = None
        if _tracer is None:
            self._token = _traceparent.set(new_traceparent(self._parent or _traceparent.get()))
        else:
            self._exported = _exported_span(self._name, self._parent, self._facts)
            self._exported.__enter__()

    def __exit__(self, *raised: Any) -> None:
        if self._exported is None:
            _traceparent.reset(self._token)
        else:
            self._exported.__exit__(*raised)
        _facts.reset(self._facts_token)


@contextmanager
def _exported_span(name: str, parent: str | None, facts: dict[str, str]) -> Iterator[None]:
    from opentelemetry import propagate

    context = propagate.extract({"traceparent": parent}) if parent else None
    with _tracer.start_as_current_span(name, context=context, attributes=facts):
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        token = _traceparent.set(carrier.get("traceparent"))
        try:
            yield
        finally:
            _traceparent.reset(token)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, text, tenant, actor, trace id and what was given in `extra`."""

    _STANDARD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "text": record.getMessage(),
            **_facts.get(),
        }
        if trace := trace_id():
            line["trace_id"] = trace
        line.update({k: v for k, v in record.__dict__.items() if k not in self._STANDARD})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def start(otlp_endpoint: str = "", service: str = "akrab", process: str = "0") -> None:
    """Sets up logs to standard error and, if an endpoint is given, the export of traces, metrics and logs."""
    global _tracer, _shutdown
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("nats", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if otlp_endpoint:
        from chassis import telemetry_export  # costs memory; off where nobody listens

        _tracer, _shutdown = telemetry_export.start(otlp_endpoint, service, process)


def stop() -> None:
    """Sends what is left to the collector, if there is one."""
    _shutdown()


def exporting() -> bool:
    """True if spans go anywhere: then statements get spans of their own."""
    return _tracer is not None
