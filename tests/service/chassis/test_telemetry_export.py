"""What is measured leaves the process where a collector is named, and only there."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PROGRAM = f"""
import logging, sys
from chassis import telemetry
telemetry.start(sys.argv[1], "contacts", "0")
with telemetry.span("outer", "00-{_TRACE}-b7ad6b7169203331-01", rpc="GetContact"):
    logging.getLogger("akrab").warning("something to know")
    telemetry.CONFLICTS.inc()
    print(telemetry.traceparent())
telemetry.stop()
"""


class Collector(HTTPServer):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {}
        super().__init__(("127.0.0.1", 0), _Receiver)


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.setdefault(self.path, []).append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(endpoint: str) -> str:
    program = [sys.executable, "-c", _PROGRAM, endpoint]
    return subprocess.run(
        program, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_traces_metrics_and_logs_reach_the_collector(collector: Collector) -> None:
    traceparent = run(f"http://127.0.0.1:{collector.server_port}")

    traces = ExportTraceServiceRequest.FromString(collector.bodies["/v1/traces"][0])
    (span,) = traces.resource_spans[0].scope_spans[0].spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == (
        "outer",
        _TRACE,
        "b7ad6b7169203331",
    )
    assert traceparent == f"00-{_TRACE}-{span.span_id.hex()}-01"
    metrics = ExportMetricsServiceRequest.FromString(collector.bodies["/v1/metrics"][-1])
    values = {m.name: m for m in metrics.resource_metrics[0].scope_metrics[0].metrics}
    assert values["akrab_write_conflicts"].sum.data_points[0].as_double == 1.0
    logs = ExportLogsServiceRequest.FromString(collector.bodies["/v1/logs"][0])
    (line,) = logs.resource_logs[0].scope_logs[0].log_records
    assert (line.body.string_value, line.trace_id.hex()) == ("something to know", _TRACE)


def test_without_a_collector_nothing_is_sent_and_the_trace_goes_on(collector: Collector) -> None:
    traceparent = run("")

    assert traceparent[3:35] == _TRACE
    assert collector.bodies == {}
