"""What a service tells the kit about a resource that files bring in and take out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from chassis import errors
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource


@dataclass(frozen=True, slots=True)
class Target:
    """A field that a column may fill. `names` are headers in all languages; several columns may fill one that `repeats`."""

    path: str
    names: tuple[str, ...] = ()
    kind: str = "text"
    """text, email, phone, date, number or yes_no: what values tell about a column."""
    repeats: bool = False
    by_values: bool = False
    """True if values alone may decide: an e-mail is nothing else."""
    hides: str = ""
    """The field that it sets, for roles that may not see it, as object.field where it is another object's; else `path`."""


@dataclass(slots=True)
class Part:
    """What a line says of one record: a message in its normal form, and the keys by which the record is known."""

    resource: "Resource[Any]"
    wish: Any
    keys: tuple[str, ...]
    link: tuple[str, int] | None = None
    """(field, index of an earlier part of the line): the field is set to that part's record."""


class LineRefused(Exception):
    """Why a line cannot be taken; the text goes into the error file."""


@dataclass(slots=True)
class Terms:
    """What all lines of an import share, read once per batch: mapping, options, catalogues and whose rights hold."""

    imported: pb.Import
    fields: tuple[tuple[int, str], ...]
    """(column, target) of the mapped columns."""
    region: str
    actor_user_id: str
    date_orders: Mapping[int, int] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    """The custom fields, those that the run will make included, by key."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The service's own: names of catalogue entries, users by e-mail, and so on."""
    now: Any = None

    @property
    def overwrites(self) -> bool:
        """True if a line's values replace the record's."""
        return self.imported.options.on_match == pb.ImportOptions.ON_MATCH_OVERWRITE

    @property
    def skips(self) -> bool:
        """True if a record that a line finds stays as it is."""
        return self.imported.options.on_match == pb.ImportOptions.ON_MATCH_SKIP


class Adapter(Protocol):
    """One resource's side of imports and exports. Everything but the reads and `written` is pure and may run in a thread."""

    plural: str
    resource: "Resource[Any]"
    resources: "Sequence[Resource[Any]]"
    """Every resource that a line may write, in the order of writing."""
    links: Mapping[str, str]
    """Resource name -> its field that refers to a record of an earlier part."""

    def targets(self, custom: Iterable[Any]) -> list[Target]:
        """The fields on offer, with the tenant's custom fields."""

    async def facts(self, tx: Tx, imported: pb.Import) -> dict[str, Any]:
        """The catalogues that cells refer to by name."""

    def parts(self, terms: Terms, values: Sequence[tuple[int, str, str]]) -> list[Part]:
        """The parts of a line, of (column, target, cell) of its filled cells; the imported resource's own comes last.
        LineRefused with everything that is wrong."""

    def fit(self, terms: Terms, part: Part, message: Any, *, existing: bool) -> None:
        """Puts the wish into the message, a new one or an existing, in normal form; LineRefused if that cannot be."""

    def keys_of(self, terms: Terms, resource: "Resource[Any]", message: Any) -> list[str]:
        """The keys by which lines find this record under these options, the surest first; `kind:value` in normal form."""

    def lock_keys(self, keys: Iterable[str]) -> list[str]:
        """What to lock before the keys are looked up for writing, as the service's other writers do."""

    async def holders(self, tx: Tx, resource: "Resource[Any]", keys: Sequence[str]) -> list[bytes]:
        """The docs of all living records that have one of the keys."""

    async def written(
        self, tx: Tx, resource: "Resource[Any]", changes: Sequence[tuple[Any, bytes]]
    ) -> None:
        """Whatever the service keeps beside these records, which were just written (or, with delete_time, deleted); each
        with the bytes that it replaced, none for a creation. `tx.cause` names the import."""

    async def referred(
        self, tx: Tx, resource: "Resource[Any]", ids: Sequence[str], import_id: str
    ) -> dict[str, str]:
        """id -> why a record that the import made must stay: who refers to it since. Records that the same undo deletes
        do not count."""

    async def undone(self, tx: Tx) -> None:
        """Whatever the service does once an undo has written everything."""

    async def survivors(
        self, tx: Tx, resource: "Resource[Any]", ids: Sequence[str]
    ) -> Mapping[str, str]:
        """Of records that the resource's link refers to: id of one that went into another -> the id under which it lives now."""

    async def former(
        self, tx: Tx, resource: "Resource[Any]", keys: Sequence[str]
    ) -> Mapping[str, bytes]:
        """Key -> the doc of the record into which its last holder went; only keys that outlive a merge."""

    # -- files ---------------------------------------------------------------------------------

    def read_cards(self, path: Path, encoding: str) -> Iterator[list[str]]:
        """The rows of a vCard file, headers first."""

    def export_columns(self, custom: Iterable[Any]) -> list[str]:
        """The names of a file's columns: targets, so that an import understands them."""

    columns_beside: Sequence[str]
    """Further columns, written only where they are named: what is kept beside the record, which no import sets."""

    async def beside(
        self, tx: Tx, ids: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, Mapping[str, list[str]]]:
        """id -> column -> cells of those of `columns` that stand beside the record, as far as the caller may see them."""

    def cells(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, list[str]]:
        """The record's cells by target; `names` are those of catalogues, users and linked records."""

    async def names(self, tx: Tx, messages: Sequence[Any]) -> dict[str, dict[str, str]]:
        """The names that `cells` needs for these records."""

    def card(self, message: Any, names: Mapping[str, Mapping[str, str]]) -> str:
        """The record as a vCard."""


@runtime_checkable
class ManyLines(Protocol):
    """An adapter whose record fills several lines of a file."""

    def lines(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Iterable[Mapping[str, list[str]]]:
        """The cells of each line of the record, as `cells` gives those of a record with one line."""


@runtime_checkable
class Fixes(Protocol):
    """An adapter with records that can come into a state in which an undo may not give them back what an import changed."""

    def fixed(self, message: Any) -> str:
        """Why the record stays as it is; empty if it may be restored."""


class ImportBusy(errors.FailedPrecondition):
    """Something of the import is under way."""

    reason = "IMPORT_BUSY"

    def __init__(self, what: str) -> None:
        super().__init__(f"the import is {what}; wait for its end or cancel it")


class ImportWrongState(errors.FailedPrecondition):
    """The import's state does not allow this."""

    reason = "IMPORT_WRONG_STATE"

    def __init__(self, state: int, advice: str) -> None:
        name = pb.Import.State.Name(state).removeprefix("STATE_").lower()
        super().__init__(f"the import is {name}; {advice}", metadata={"state": name})


class MappingInvalid(errors.InvalidArgument):
    """The mapping or the options contradict themselves or the resource."""

    reason = "IMPORT_MAPPING_INVALID"

    def __init__(self, violations: list[errors.Violation]) -> None:
        super().__init__(f"{violations[0].field}: {violations[0].description}", violations)
