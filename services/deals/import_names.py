"""Labels and sources as files say them: by name, a source by its key too."""

from collections.abc import Mapping
from typing import Any

from chassis.fold import search_key
from chassis.kit.imports.adapter import Terms
from chassis.kit.imports.custom_cells import SEVERAL
from chassis.kit.imports.values import WrongValue
from chassis.tx import Tx
from services.deals.store import catalogue_names

_FACTS = {"label": "labels", "source": "sources"}


async def facts(tx: Tx) -> dict[str, dict[str, str]]:
    """labels and sources: what a file may say -> id; a name goes before a key, of several the oldest."""
    found: dict[str, dict[str, str]] = {fact: {} for fact in _FACTS.values()}
    entries = await catalogue_names.living_names(tx)
    for said in ("name", "key"):
        for entry in entries:
            if entry[said]:
                found[_FACTS[entry["object"]]].setdefault(search_key(entry[said]), str(entry["id"]))
    return found


async def names(tx: Tx) -> dict[str, dict[str, str]]:
    """labels and sources: id -> name."""
    found: dict[str, dict[str, str]] = {fact: {} for fact in _FACTS.values()}
    for entry in await catalogue_names.living_names(tx):
        found[_FACTS[entry["object"]]][str(entry["id"])] = entry["name"]
    return found


def labels(terms: Terms, cell: str) -> list[str]:
    """The ids of the labels in a cell, each once; WrongValue if there is no such label."""
    known: Mapping[str, str] = terms.facts["labels"]
    found: dict[str, None] = {}
    for part in cell.split(";"):
        # A name may hold what separates others: as it stands it goes first.
        for name in [part] if search_key(part) in known else SEVERAL.split(part):
            if name.strip():
                found[_id(known, name, "label")] = None
    return list(found)


def source(terms: Terms, cell: str) -> str:
    """The id of the source that a cell says; WrongValue if there is none."""
    return _id(terms.facts["sources"], cell, "source")


def label_cells(record: Any, names: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The names of its labels."""
    return [names["labels"][id] for id in record.label_ids if id in names["labels"]]


def _id(known: Mapping[str, str], said: str, noun: str) -> str:
    id = known.get(search_key(said))
    if id is None:
        raise WrongValue(f"there is no {noun} {said.strip()!r}; create it or leave it out")
    return id
