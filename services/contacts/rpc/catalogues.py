"""The catalogues: sources, needs and labels."""

from chassis.handlers import Servicer
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.contacts.v1 import label_pb2, need_pb2, source_pb2
from services.contacts import store
from services.contacts.rules import catalogues as rules


async def check_source(tx: Tx, new: source_pb2.Source, old: source_pb2.Source | None) -> None:
    """Keeps I7."""
    rules.keep_key("source", new, old)
    rules.normalise(new)


async def check_need(tx: Tx, new: need_pb2.Need, old: need_pb2.Need | None) -> None:
    """Keeps I7."""
    rules.keep_key("need", new, old)
    rules.normalise(new)


async def check_label(tx: Tx, new: label_pb2.Label, old: label_pb2.Label | None) -> None:
    """Keeps I7."""
    rules.normalise(new)


class Sources(standard(store.sources, on_save=check_source), Servicer):  # type: ignore[misc]
    """`/v1/sources`."""


class Needs(standard(store.needs, on_save=check_need), Servicer):  # type: ignore[misc]
    """`/v1/needs`."""


class Labels(standard(store.labels, on_save=check_label), Servicer):  # type: ignore[misc]
    """`/v1/labels`."""
