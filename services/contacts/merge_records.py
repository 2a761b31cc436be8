"""The records that one merge or undo works on: locked, with their first references, and written all at once.

Whatever happens to them happens in memory; `write` leads the references to who lives then, and writes every record that
has changed, its displaced references and its external ids in a few statements.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from chassis.kit import bulk
from chassis.kit.save import Conflict
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.contacts.v1 import merge_pb2
from services.contacts import store, subjects
from services.contacts.rules import references
from services.contacts.rules import subjects as subject_rules
from services.contacts.rules.merging import Left

AT_ONCE = 500  # records in one statement: some tenths of a second

Kept = merge_pb2.Kept
Key = tuple[str, str]  # object, id


class Records:
    """A working set. A record is here with its first references, whatever they are led to in the table."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.messages: dict[Key, Any] = {}
        self.left: dict[Key, list[Left]] = {}
        """What somebody changed since in references that a merge had led elsewhere."""
        self.kept: list[Kept] = []
        """External ids that could not be given back."""
        self._docs: dict[Key, bytes] = {}
        self._displaced: dict[Key, list[references.Displaced]] = {}

    def get(self, object: str, id: str) -> Any | None:
        """The record, None if there is none."""
        return self.messages.get((object, id))

    def of(self, object: str) -> Iterator[Any]:
        """The records of one kind."""
        return (message for (kind, _), message in self.messages.items() if kind == object)

    async def load(self, object: str, ids: Iterable[str]) -> None:
        """Locks and reads what is not here yet; deleted ones too."""
        wanted = [id for id in ids if (object, id) not in self.messages]
        if not wanted:
            return
        message_class = store.referring.resources()[object].message
        displaced = await store.referring.displaced_of(self._tx, object, wanted)
        for row in await store.referring.locked_rows(self._tx, object, wanted):
            key = (object, str(row["id"]))
            self._docs[key], self._displaced[key] = row["doc"], displaced.get(key[1], [])
            message = message_class.FromString(row["doc"])
            self.messages[key], self.left[key] = references.unsettle(message, self._displaced[key])

    async def referring(self, object: str, ids: Iterable[str]) -> dict[str, list[str]]:
        """Kind -> the living records that refer to one of these contacts (or companies), one more than allowed at most."""
        wanted, found = sorted(ids), {}
        for kind in store.referring.resources():
            if some := await store.referring.referring_ids(self._tx, kind, object, wanted):
                found[kind] = some
        return found

    async def load_displaced(self, ids: Iterable[str]) -> None:
        """Loads every record that referred to one of these at first."""
        for kind, found in (await store.referring.displaced_to(self._tx, ids)).items():
            await self.load(kind, found)

    # -- writing -----------------------------------------------------------------------------------

    async def write(self) -> None:
        """Writes what has changed; Conflict if a row was gone."""
        resolve = await self._resolve()
        settled: dict[Key, list[references.Displaced]] = {}
        for (object, id), message in self.messages.items():
            # Who lives nowhere refers to nobody: a merged record keeps its first references until it is back.
            living = not message.HasField("delete_time")
            settled[object, id] = references.settle(object, message, resolve) if living else []
        await self._claim()
        for object in dict.fromkeys(object for object, _ in self.messages):
            for batch in _batches(sorted(id for kind, id in self.messages if kind == object)):
                await self._write(object, batch)
            changed = {
                id: fields
                for (kind, id), fields in settled.items()
                if kind == object and fields != self._displaced[kind, id]
            }
            if changed:
                await store.referring.replace_displaced(self._tx, object, changed)

    async def _resolve(self) -> references.Resolve:
        wanted: dict[str, set[str]] = defaultdict(set)
        for (kind, _), message in self.messages.items():
            for object, id in references.targets(kind, message):
                wanted[object].add(id)
        found = {
            object: await store.merges.survivors(self._tx, object, ids)
            for object, ids in wanted.items()
        }
        return lambda object, id: found.get(object, {}).get(id, id)

    async def _write(self, object: str, ids: list[str]) -> None:
        resource, writes = store.referring.resources()[object], []
        for id in ids:
            message, doc = self.messages[object, id], self._docs[object, id]
            self._stand(object, message)
            if (write := _write_of(resource, message, doc)) is not None:
                writes.append(write)
        outcome = await bulk.write(self._tx, resource, writes)
        if outcome.lost:
            raise Conflict

    def _stand(self, object: str, message: Any) -> None:
        """What stands on a contact or company is read by who may read that one."""
        if object not in {standing.resource.object for standing in store.STANDING}:
            return
        subject = self.get(*subject_rules.subject_of(object, message))
        if subject is not None:
            further = subjects.further_readers(message)
            subject_rules.copy_scope(message, subject, also=further)

    async def _claim(self) -> None:
        """The ids in other systems belong to who carries them now; one that somebody else took meanwhile stays his."""
        for object in store.PARTIES:
            changed = [m for m in self.of(object) if _claims_changed(m, self._docs[object, m.id])]
            if not changed:
                continue
            taken = await store.claim_many(self._tx, object, changed)
            for party in changed:
                free = [e for e in party.external_ids if (party.id, e.system, e.id) not in taken]
                if len(free) != len(party.external_ids) and not party.HasField("delete_time"):
                    del party.external_ids[:]
                    party.external_ids.extend(free)
                    self.kept.append(
                        Kept(
                            object=object,
                            id=party.id,
                            field="external_ids",
                            reason=Kept.REASON_TAKEN,
                        )
                    )


def _claims_changed(party: Any, doc: bytes) -> bool:
    before = type(party).FromString(doc)
    lives = not party.HasField("delete_time")
    return (lives, list(party.external_ids)) != (
        not before.HasField("delete_time"),
        list(before.external_ids),
    )


def _write_of(resource: Any, message: Any, doc: bytes) -> bulk.Write | None:
    before = resource.message.FromString(doc)
    was, deleted = before.HasField("delete_time"), message.HasField("delete_time")
    if was != deleted:
        return bulk.Write(message, doc, "deleted" if deleted else "undeleted")
    if not deleted:
        return bulk.Write(message, doc)
    # A deleted record that changes is told as deleted again: neither a copy nor a list as of then may bring it back.
    return bulk.Write(message, doc, "deleted") if message != before else None


def _batches(ids: list[str]) -> Iterator[list[str]]:
    return (ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE))


def created_since(message: Any, moment: Any) -> bool:
    """True if the record was made after this moment."""
    return to_datetime(message.create_time) > moment
