"""Rules of refusals: every reason that code gives is in a reasons.proto, and every reason there is given by code."""

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType

from google.protobuf.descriptor import EnumDescriptor

from chassis.errors import CrmError


def given_by_code(
    root: ModuleType, leave_out: tuple[str, ...] = ()
) -> dict[str, set[type[CrmError]]]:
    """reason -> the error classes below a package that give it themselves; imports every module of the package."""
    for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
        if not any(
            part in module.name.split(".") for part in (*leave_out, "__main__", "migrations")
        ):
            importlib.import_module(module.name)
    return reasons_of(
        cls for cls in _descendants(CrmError) if cls.__module__.startswith(f"{root.__name__}.")
    )


def reasons_of(classes: Iterable[type[CrmError]]) -> dict[str, set[type[CrmError]]]:
    """reason -> the classes that give it, those left out that only inherit theirs."""
    found: dict[str, set[type[CrmError]]] = defaultdict(set)
    for cls in classes:
        inherited = {getattr(base, "reason", "") for base in cls.__mro__[1:]}
        if cls.reason and cls.reason not in inherited:
            found[cls.reason].add(cls)
    return dict(found)


def _descendants(cls: type[CrmError]) -> Iterator[type[CrmError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def differences(given: Mapping[str, set[type[CrmError]]], enum: EnumDescriptor) -> Iterator[str]:
    """Reasons that code gives and the enum lacks, and the other way round; one reason is given by one class."""
    declared = {value.name.removeprefix("REASON_") for value in enum.values if value.number}
    for reason in sorted(given.keys() - declared):
        yield f"{reason}: given by {_names(given[reason])}, absent in {enum.file.name}"
    for reason in sorted(declared - given.keys()):
        yield f"REASON_{reason} of {enum.file.name}: no error class gives it"
    for reason, classes in sorted(given.items()):
        if len(classes) > 1:
            yield f"{reason}: given by several classes: {_names(classes)}"


def _names(classes: Iterable[type[CrmError]]) -> str:
    return ", ".join(sorted(f"{cls.__module__}.{cls.__name__}" for cls in classes))
