"""docs/events.md: who publishes which event and who listens."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor

from chassis import contracts, service
from chassis.handlers import Consumer
from gateway.schemas import comment_of

_HEAD = """\
# Events

Made by `python -m tools.docs` of `protos/` and the services' manifests; do not edit.

Every change of every record is one of these facts. On NATS it has the subject `crm.<tenant>.<service>.<Event>`, the body is
JSON and the headers are those of CloudEvents 1.0; [asyncapi.json](asyncapi.json) says it in full for programs. Each event
carries `change` (who, why, which fields, which version) and what the column *carries* names. *Shown to* is whose read right
decides who gets it in the live stream and on the timeline; *timeline* marks what the timeline shows.
"""


@dataclass(frozen=True, slots=True)
class Listener:
    """One consumer of one service."""

    service: str
    consumer: Consumer

    def hears(self, event: Descriptor) -> bool:
        """True if the consumer names the event."""
        named = self.consumer.events or ()
        return event.full_name in {one.DESCRIPTOR.full_name for one in named}


def listeners() -> list[Listener]:
    """Every consumer of every service of this program."""
    found = [
        Listener(name, vars(body)["consumer"])
        for name in service.names()
        for body in service.load(name).consumers
    ]
    return sorted(found, key=lambda listener: (listener.service, listener.consumer.durable))


def page(events: Mapping[str, Descriptor], listening: Sequence[Listener]) -> str:
    """The whole page."""
    by_service: dict[str, list[Descriptor]] = defaultdict(list)
    for event in events.values():
        by_service[contracts.service_of(event.full_name)].append(event)
    parts = [_HEAD, "\n".join(_everything(listening))]
    for name in sorted(by_service):
        parts.append("\n".join(_table(name, by_service[name], listening)))
    return "\n".join(parts)


def _everything(listening: Sequence[Listener]) -> Iterator[str]:
    yield "## Who listens to everything"
    yield ""
    yield "- **gateway** passes every event on to the live streams of `/v1/events` and keeps nothing."
    for listener in listening:
        if listener.consumer.events is None:
            yield f"- **{listener.service}** (`{listener.consumer.durable}`) hears every event of every service."
    yield ""


def _table(name: str, events: Iterable[Descriptor], listening: Sequence[Listener]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield "| event | what happened | carries | shown to | timeline | who listens |"
    yield "|---|---|---|---|---|---|"
    for event in sorted(events, key=lambda event: event.name):
        option = contracts.event_option(event)
        assert option is not None
        carries = ", ".join(f"`{field.name}`" for field in event.fields if field.name != "change")
        heard = ", ".join(
            f"{one.service} (`{one.consumer.durable}`)" for one in listening if one.hears(event)
        )
        comment = comment_of(event.full_name).replace("|", "\\|")
        cells = (
            f"`{event.name}`",
            comment,
            carries,
            option.guard,
            "yes" if option.timeline else "",
            heard,
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
