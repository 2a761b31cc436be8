"""Tasks and calls of the past as the kit's imports and exports see them: how a line becomes one, and what goes with it.

What is over is history: it gets no timer, no reminder and no assignment, and nobody is told of it (events say cause import). Open
tasks of a file are real work: they get the timers of any task, unless their deadline has passed already.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from chassis.fold import search_key
from chassis.kit import following
from chassis.kit.imports import named
from chassis.kit.imports.adapter import LineRefused, Part, Target, Terms
from chassis.kit.imports.named import Ref
from chassis.kit.imports.reading import Unreadable
from chassis.kit.imports.values import WrongValue
from chassis.kit.resource import Resource
from chassis.rpc import shape
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb
from crm.tasks.v1 import task_pb2, task_type_pb2
from services.tasks import (
    deadlines,
    errors,
    import_cells,
    import_fields,
    people,
    store,
)
from services.tasks.import_cells import Draft
from services.tasks.import_keys import COMPANIES, CONTACTS
from services.tasks.rules import assigning
from services.tasks.rules import tasks as rules
from services.tasks.store import imports as keys

Task = task_pb2.Task
TaskType = task_type_pb2.TaskType
OF_LINE = "line"
"""The system whose ids name lines that had no id of their own, by what they say."""
_APART = {
    "due_time",
    "due_zone",
    "all_day",
    "state",
    "outcome",
    "end_time",
    "ended_by_id",
    "owner_id",
}
"""Fields that a line gives an existing task together or not at all."""


@dataclass(slots=True)
class _Company:
    """What a line refers to beside its contact, and the task that is to name it."""

    task: Task
    said: str


class Tasks:
    """Tasks, open ones and such that are over."""

    plural = "tasks"
    resource: Resource[Any] = store.tasks
    resources: Sequence[Resource[Any]] = (store.tasks,)
    links: Mapping[str, str] = {}
    columns_beside: Sequence[str] = ()
    default_type = ""
    """The key of the type of lines that name none."""

    def targets(self, custom: Iterable[Any]) -> list[Target]:
        return import_fields.with_custom(import_fields.TASK, custom)

    async def facts(self, tx: Tx, imported: pb.Import) -> dict[str, Any]:
        users = sorted(tx.directory.users().items(), key=lambda each: each[1]["state"] == "active")
        types = await keys.all_types(tx)
        return {
            "tenant": tx.tenant,
            "users": {search_key(u[name]): id for name in ("name", "email") for id, u in users},
            "active": {id for id, u in users if u["state"] == "active"},
            "zones": {id: people.zone_of(tx, id) for id, _ in users},
            "homes": {id: people.home_of(tx, id) for id, _ in users},
            "types": {search_key(word): t.id for t in types for word in (t.name, t.key)},
            "type": {t.id: t for t in types},
            "default_type": next((t.id for t in types if t.key == self.default_type), ""),
        }

    # -- a line -------------------------------------------------------------------------------

    def parts(self, terms: Terms, values: Sequence[tuple[int, str, str]]) -> list[Part]:
        draft, wrong = Draft(), list[str]()
        for column, target, cell in values:
            try:
                import_cells.fill(terms, draft, column, target, cell)
            except WrongValue as error:
                wrong.append(f"{target}: {error}")
        if not wrong:  # what follows from a wrong cell is no second mistake
            self._complete(terms, draft, wrong)
        if wrong:
            raise LineRefused("; ".join(wrong))
        parts = _references(terms, draft)
        link = (f"{parts[0].resource.object}_id", 0) if parts else None
        return [*parts, Part(self.resource, draft.task, tuple(_keys(draft.task)), link)]

    def _complete(self, terms: Terms, draft: Draft, wrong: list[str]) -> None:
        """The type, the state that follows from the rest, times in the zone of whose task it is, and an id."""
        task = draft.task
        task.type_id = task.type_id or terms.facts["default_type"]
        if not task.state and (draft.done or draft.outcome):
            task.state = Task.STATE_DONE
        zone = terms.facts["zones"].get(_owner(terms, task), "UTC")
        if draft.due is not None:
            due = draft.due.instant(zone)
            task.due_zone, task.all_day = zone, draft.due.clock is None
            if task.all_day:
                due = rules.end_of_day(due.astimezone(ZoneInfo(zone)), zone)
            task.due_time.CopyFrom(to_timestamp(due))
        _complete_end(terms, draft, zone, wrong)
        if not task.subject and (kind := terms.facts["type"].get(task.type_id)) is not None:
            task.subject = kind.name
        systems = [each.system for each in task.external_ids]
        if len(set(systems)) != len(systems):
            wrong.append("external_id: two ids of one system; map only one of the columns")
        if not task.external_ids:
            task.external_ids.add(system=OF_LINE, id=_digest(terms, draft))

    def fit(self, terms: Terms, part: Part, message: Any, *, existing: bool) -> None:
        if isinstance(message, Ref):
            _refer(part, message, existing=existing)
            return
        if existing:
            _change(terms, message, part.wish)
        else:
            self._begin(terms, message, part.wish)

    def _begin(self, terms: Terms, task: Task, wish: Task) -> None:
        """A new task, as `checking.check` makes one, but that it may be over from the beginning."""
        id = task.id
        task.MergeFrom(wish)
        task.id, task.owner_id = id, _owner(terms, wish)
        state, is_over = wish.state, wish.state in (Task.STATE_DONE, Task.STATE_CANCELLED)
        rules.begin(task, terms.facts["type"].get(task.type_id), by=terms.actor_user_id)
        home = terms.facts["homes"].get(task.owner_id, "")
        assigning.give(task, task.owner_id, home=home, by="", at=terms.now)
        if is_over:
            task.state = state
            task.ended_by_id = task.owner_id
            task.ClearField("assign_time")
            del task.reminders[:]
        elif task.owner_id not in terms.facts["active"]:
            raise errors.AssigneeNotActive(task.owner_id, "owner")
        missing = [
            key for key, known in terms.custom.items() if known.required and key not in task.custom
        ]
        if missing:
            raise LineRefused("; ".join(f"custom.{key} is required" for key in missing))
        rules.normalise(task)
        rules.set_times(task, None, zone=task.due_zone)
        shape.check(task, writes=True)

    # -- keys ---------------------------------------------------------------------------------

    def keys_of(self, terms: Terms, resource: Any, message: Any) -> list[str]:
        return list(message.keys) if isinstance(message, Ref) else _keys(message)

    def lock_keys(self, keys: Iterable[str]) -> list[str]:
        return [f"task/{key}" for key in keys]

    async def holders(self, tx: Tx, resource: Any, keys_: Sequence[str]) -> list[bytes]:
        if resource in (CONTACTS, COMPANIES):
            return await _parties(tx, resource.object, keys_)
        return await keys.holders(tx, keys_)

    async def former(self, tx: Tx, resource: Any, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {}

    async def survivors(self, tx: Tx, resource: Any, ids: Sequence[str]) -> Mapping[str, str]:
        return {}

    # -- what goes with a write ------------------------------------------------------------------

    async def written(self, tx: Tx, resource: Any, changes: Sequence[tuple[Any, bytes]]) -> None:
        claims = []
        for task, doc in changes:
            old = Task.FromString(doc) if doc else None
            had = list(old.external_ids) if old is not None else []
            if had != list(task.external_ids) or task.HasField("delete_time"):
                claims.append(task)
            passed = task.HasField("due_time") and to_datetime(task.due_time) <= tx.now
            if old is not None or (task.state == Task.STATE_OPEN and not passed):
                await deadlines.follow(tx, task, old)
        if claims:
            await keys.claim(tx, claims)

    async def undone(self, tx: Tx) -> None:
        """Nothing more."""

    async def referred(
        self, tx: Tx, resource: Any, ids: Sequence[str], import_id: str
    ) -> dict[str, str]:
        return {}  # what works on a task changes it, and edited ones stay

    # -- files --------------------------------------------------------------------------------

    def read_cards(self, path: Path, encoding: str) -> Iterator[list[str]]:
        raise Unreadable("cards hold people and no tasks; import them as contacts")

    def export_columns(self, custom: Iterable[Any]) -> list[str]:
        single = [
            t.path for t in import_fields.TASK if t.path != "external_id" and not t.path.startswith("contact.")
        ]  # fmt: skip
        return [*single, *(f"custom.{field.key}" for field in custom)]

    def cells(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, list[str]]:
        return import_cells.cells(message, names)

    async def names(self, tx: Tx, messages: Sequence[Any]) -> dict[str, dict[str, str]]:
        return {
            "types": {t.id: t.key for t in await keys.all_types(tx)},
            "users": {id: u["email"] or u["name"] for id, u in tx.directory.users().items()},
        }

    async def beside(
        self, tx: Tx, ids: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, Mapping[str, list[str]]]:
        return {}

    def card(self, message: Any, names: Mapping[str, Mapping[str, str]]) -> str:
        raise errors.NoCards


class Calls(Tasks):
    """The history of calls, of another program or a telephone exchange: tasks of the type call that are done."""

    plural = "calls"
    default_type = "call"


ADAPTERS = {"tasks": Tasks(), "calls": Calls()}


# -- pure ------------------------------------------------------------------------------------------


def _keys(task: Task) -> list[str]:
    return [f"{each.system}/{each.id}" for each in task.external_ids]


def _owner(terms: Terms, task: Task) -> str:
    return task.owner_id or terms.imported.options.owner_id or terms.actor_user_id


def _digest(terms: Terms, draft: Draft) -> str:
    """What a line without an id is known by: two lines that say all of this alike are one task."""
    task = draft.task
    said = [
        task.type_id, search_key(task.subject), _owner(terms, task), *draft.contact, "|", *draft.company,
        rules.shown(task.due_time), rules.shown(task.end_time),
    ]  # fmt: skip
    text = "\n".join([terms.facts["tenant"], *said])
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _complete_end(terms: Terms, draft: Draft, zone: str, wrong: list[str]) -> None:
    """When and how what is over ended."""
    task = draft.task
    if task.state not in (Task.STATE_DONE, Task.STATE_CANCELLED):
        for name, said in (("done_time", draft.done), ("outcome", draft.outcome), ("end_note", task.end_note)):  # fmt: skip
            if said:
                wrong.append(f"{name}: is for a task that is done or cancelled; say so in state")
        return
    ended = _ended(terms, draft, zone)
    if ended is None:
        wrong.append("done_time: is required for what is over; map the column that says when")
    elif ended > terms.now:
        wrong.append(f"done_time: is {ended.isoformat()}, which is still to come; correct it")
    else:
        task.end_time.CopyFrom(to_timestamp(ended))
    if draft.outcome:
        _put_outcome(terms, draft, wrong)


def _ended(terms: Terms, draft: Draft, zone: str) -> datetime | None:
    """As said, else when it was due; of a day alone its noon, and of today now at the latest."""
    if draft.done is None:
        due = to_datetime(draft.task.due_time) if draft.task.HasField("due_time") else None
        return min(due, terms.now) if due is not None else None
    at = draft.done.instant(zone)
    today = terms.now.astimezone(at.tzinfo).date()
    return min(at, terms.now) if draft.done.clock is None and at.date() == today else at


def _put_outcome(terms: Terms, draft: Draft, wrong: list[str]) -> None:
    task, said = draft.task, search_key(draft.outcome)
    if task.state != Task.STATE_DONE:
        wrong.append("outcome: is for a task that is done; leave it out or say done in state")
        return
    kind = terms.facts["type"].get(task.type_id) or TaskType()
    found = next(
        (o.key for o in kind.outcomes if said in (search_key(o.key), search_key(o.label))), ""
    )
    if not found:
        known = ", ".join(each.key for each in kind.outcomes) or "none"
        wrong.append(f"outcome: {draft.outcome!r} is unknown; the outcomes of its type are {known}")
    task.outcome = found


def _references(terms: Terms, draft: Draft) -> list[Part]:
    """Whom the line names: the kit links the first, `_refer` a company behind a contact."""
    parts: list[Any] = []
    if draft.contact and draft.company and terms.skips:
        raise LineRefused("company: cannot be looked up beside a contact while matches are skipped")
    if draft.contact:
        parts.append(Part(CONTACTS, draft.contact[0], tuple(draft.contact)))
    if draft.company:
        wish = _Company(draft.task, draft.company[0])
        parts.append(Part(COMPANIES, wish, tuple(draft.company)))
    return parts


def _refer(part: Part, ref: Ref, *, existing: bool) -> None:
    named = part.wish.said if isinstance(part.wish, _Company) else part.wish
    kind, _, value = named.partition(":")
    object = "company" if isinstance(part.wish, _Company) else "contact"
    if not existing:
        what = {"ext": "id", "id": "id"}.get(kind, kind)
        raise LineRefused(f"{object}: there is none with the {what} {value}; import it first")
    if isinstance(part.wish, _Company):
        part.wish.task.company_id = ref.id


def _change(terms: Terms, task: Task, wish: Task) -> None:
    """Fills what is empty, or replaces what the line says; whose it is and that it is over are facts that stay."""
    before = Task()
    before.CopyFrom(task)
    _unite(task, wish, overwrite=terms.overwrites)
    if terms.overwrites and wish.owner_id and wish.owner_id != before.owner_id:
        raise LineRefused("owner: somebody else has it now; give it away by :assign, not by a file")
    if task == before:
        return
    rules.keep_ended(task, before)
    rules.normalise(task)
    rules.follow_link(task, before)
    rules.set_times(task, before, zone=terms.facts["zones"].get(task.owner_id, "UTC"))
    shape.check(task, writes=True)


def _unite(task: Task, wish: Task, *, overwrite: bool) -> None:
    for field, value in wish.ListFields():
        name = field.name
        if name == "custom":
            for key, item in value.items():
                if overwrite or key not in task.custom:
                    task.custom[key].CopyFrom(item)
        elif name == "external_ids":
            known = {each.system for each in task.external_ids}
            task.external_ids.extend(each for each in value if each.system not in known)
        elif name not in _APART and (overwrite or not getattr(task, name)):
            setattr(task, name, value)
    if wish.HasField("due_time") and (overwrite or not task.HasField("due_time")):
        task.due_time.CopyFrom(wish.due_time)
        task.due_zone, task.all_day = wish.due_zone, wish.all_day
    _unite_end(task, wish, overwrite=overwrite)


def _unite_end(task: Task, wish: Task, *, overwrite: bool) -> None:
    if not wish.state or (wish.state == task.state and not overwrite):
        task.outcome = task.outcome or (wish.outcome if task.state == wish.state else "")
        return
    if not overwrite:
        return
    if wish.state == Task.STATE_OPEN and task.state != Task.STATE_OPEN:
        raise LineRefused(f"state: it is {rules.state_name(task.state)}; reopen it first")
    was_open = task.state == Task.STATE_OPEN
    task.state, task.outcome = wish.state, wish.outcome or task.outcome
    if wish.HasField("end_time"):
        task.end_time.CopyFrom(wish.end_time)
        task.ended_by_id = task.owner_id if was_open else task.ended_by_id


async def _parties(tx: Tx, object: str, sought: Sequence[str]) -> list[bytes]:
    """Whom the keys find, under the ids by which they live now."""
    found = await named.find(tx, object, sought)
    living = await following.survivors(tx, object, [id for id, _ in found])
    return named.refs((living.get(id, id), key) for id, key in found)
