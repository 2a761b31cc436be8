"""Sources, needs and labels: what a catalogue entry must be."""

from crm.contacts.v1 import label_pb2, need_pb2, source_pb2
from services.contacts import errors
from services.contacts.attribution import SOURCES

Keyed = source_pb2.Source | need_pb2.Need
Entry = Keyed | label_pb2.Label


def normalise(entry: Entry) -> None:
    """One spelling of the name."""
    entry.name = " ".join(entry.name.split())


def keep_key(noun: str, new: Keyed, old: Keyed | None) -> None:
    """Refuses a new key: rules, forms and reports know the entry by it."""
    if old is not None and new.key != old.key:
        raise errors.KeyFixed(noun, old.key)


def first_sources() -> list[source_pb2.Source]:
    """The catalogue of sources that a tenant begins with (S27)."""
    return [
        source_pb2.Source(key=key, name=name, position=position)
        for position, (key, name) in enumerate(SOURCES.items(), start=1)
    ]
