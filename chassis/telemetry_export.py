"""Sends traces, metrics and logs to an OpenTelemetry collector (OTLP over HTTP). Imported only where an endpoint is set."""

import logging
from collections.abc import Callable, Iterable

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer
from prometheus_client import REGISTRY

Observe = Callable[[CallbackOptions], Iterable[Observation]]


def start(endpoint: str, service: str, process: str) -> tuple[Tracer, Callable[[], None]]:
    """Begins to export; returns the tracer, and what sends the rest and ends it all."""
    resource = Resource.create({"service.name": service, "service.instance.id": process})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{endpoint}/v1/logs")))
    logging.getLogger().addHandler(LoggingHandler(logger_provider=logs))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint}/v1/metrics"))
    metrics = MeterProvider([reader], resource=resource)
    _mirror(metrics.get_meter("akrab"))

    def shutdown() -> None:
        for provider in (traces, logs, metrics):
            provider.shutdown()  # type: ignore[attr-defined]

    return traces.get_tracer("akrab"), shutdown


def _mirror(meter: Meter) -> None:
    """Every metric of the Prometheus endpoint under the same name, read from the same registry: one truth, two ways out."""
    for family in REGISTRY.collect():
        if not family.name.startswith("akrab_"):
            continue
        if family.type == "counter":
            meter.create_observable_counter(
                family.name, [_observe(family.name, "_total")], description=family.documentation
            )
        elif family.type == "gauge":
            meter.create_observable_gauge(
                family.name, [_observe(family.name, "")], description=family.documentation
            )
        elif family.type == "histogram":
            for part in ("_count", "_sum"):
                meter.create_observable_counter(family.name + part, [_observe(family.name, part)])


def _observe(name: str, suffix: str) -> Observe:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        for family in REGISTRY.collect():
            if family.name == name:
                for sample in family.samples:
                    if sample.name == name + suffix:
                        yield Observation(sample.value, sample.labels)

    return observe
