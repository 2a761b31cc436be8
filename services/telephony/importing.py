"""The history of calls as the kit's imports and exports see it: how a line becomes a call that is over.

It is history: it rings nowhere, nobody is told of it (events say cause import), a call that was missed then is no open missed call,
and nobody takes part in anything because of it. A line finds a call by its id elsewhere, or by number and start: then also one that
an exchange has told of, which is right as it is and only gains a note.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chassis.fold import search_key
from chassis.kit.imports.adapter import LineRefused, Part, Target, Terms
from chassis.kit.imports.named import Ref, Refs
from chassis.kit.imports.reading import Unreadable
from chassis.kit.imports.values import WrongValue
from chassis.kit.resource import Resource
from chassis.rpc import shape
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb
from crm.telephony.v1 import call_pb2
from services.telephony import errors, import_cells, import_fields, people, store
from services.telephony.import_cells import Draft
from services.telephony.store import imports as keys

Call = call_pb2.Call

CONTACTS: Any = Refs("contact")
COMPANIES: Any = Refs("company")
_NOBODY = keys.ELSEWHERE
"""Whose a number is that is nobody's: most callers are strangers, and their calls are taken all the same."""
_ID, _AT = "id/", "at/"
_SPOKEN = (Call.OUTCOME_ANSWERED, Call.OUTCOME_TRANSFERRED)
_MISSED = {
    Call.OUTCOME_MISSED: Call.MISSED_REASON_NO_ANSWER, Call.OUTCOME_NO_ANSWER: Call.MISSED_REASON_NO_ANSWER,
    Call.OUTCOME_NOT_CONNECTED: Call.MISSED_REASON_NO_ANSWER, Call.OUTCOME_BUSY: Call.MISSED_REASON_BUSY,
    Call.OUTCOME_ABANDONED_IN_QUEUE: Call.MISSED_REASON_ABANDONED,
}  # fmt: skip
"""Why an inbound call was missed that ended so."""


@dataclass(slots=True)
class _OfCompany:
    """The call that is to name the company."""

    call: Call


class Calls:
    """Calls that are over."""

    plural = "calls"
    resource: Resource[Any] = store.calls.calls
    resources: Sequence[Resource[Any]] = (store.calls.calls,)
    links: Mapping[str, str] = {}
    columns_beside: Sequence[str] = ()

    def targets(self, custom: Iterable[Any]) -> list[Target]:
        return import_fields.CALL

    async def facts(self, tx: Tx, imported: pb.Import) -> dict[str, Any]:
        users = sorted(tx.directory.users().items(), key=lambda each: each[1]["state"] == "active")
        agents = {each.number: each.user_id for each in await keys.all_extensions(tx) if each.user_id}  # fmt: skip
        agents |= {search_key(u[name]): id for name in ("name", "email") for id, u in users}
        lines = await keys.all_lines(tx)
        return {
            "agents": agents,
            "lines": {search_key(said): line.id for line in lines for said in (line.name, line.number)},
            "homes": {id: people.home_of(tx, id) for id, _ in users},
            "zone": people.zone_of(tx),
        }  # fmt: skip

    # -- a line -------------------------------------------------------------------------------

    def parts(self, terms: Terms, values: Sequence[tuple[int, str, str]]) -> list[Part]:
        draft, wrong = Draft(), list[str]()
        for column, target, cell in values:
            try:
                import_cells.fill(terms, draft, column, target, cell)
            except WrongValue as error:
                wrong.append(f"{target}: {error}")
        if not wrong:  # what follows from a wrong cell is no second mistake
            _complete(terms, draft, wrong)
        if wrong:
            raise LineRefused("; ".join(wrong))
        call = draft.call
        named = (call.number,)
        parts: list[Any] = [Part(CONTACTS, None, named), Part(COMPANIES, _OfCompany(call), named)]
        return [*parts, Part(self.resource, call, (_keys(call)[0],), ("contact_id", 0))]

    def fit(self, terms: Terms, part: Part, message: Any, *, existing: bool) -> None:
        if isinstance(message, Ref):
            if isinstance(part.wish, _OfCompany) and message.id != _NOBODY:
                part.wish.call.company_id = message.id
            return
        if message.contact_id == _NOBODY:
            message.contact_id = ""
        if existing:
            _change(terms, message, part.wish)
        else:
            id, contact_id = message.id, message.contact_id
            message.MergeFrom(part.wish)
            message.id, message.contact_id = id, contact_id
        shape.check(message, writes=True)

    # -- keys ---------------------------------------------------------------------------------

    def keys_of(self, terms: Terms, resource: Any, message: Any) -> list[str]:
        return list(message.keys) if isinstance(message, Ref) else _keys(message)

    def lock_keys(self, keys: Iterable[str]) -> list[str]:
        return [f"imported call {key}" for key in keys]

    async def holders(self, tx: Tx, resource: Any, keys_: Sequence[str]) -> list[bytes]:
        if resource in (CONTACTS, COMPANIES):
            found = await keys.whose(tx, resource.object, keys_)
            by_id: dict[str, list[str]] = {}
            for number in keys_:
                by_id.setdefault(found.get(number, _NOBODY), []).append(number)
            return [Ref(id, tuple(numbers)).doc() for id, numbers in by_id.items()]
        ids = [key.removeprefix(_ID) for key in keys_ if key.startswith(_ID)]
        begun = [key.removeprefix(_AT).partition("/") for key in keys_ if key.startswith(_AT)]
        numbers = sorted({number for number, _, _ in begun})
        starts = sorted({datetime.fromisoformat(start) for _, _, start in begun})
        return [*await keys.with_ids(tx, ids), *await keys.begun_at(tx, numbers, starts)]

    async def former(self, tx: Tx, resource: Any, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {}

    async def survivors(self, tx: Tx, resource: Any, ids: Sequence[str]) -> Mapping[str, str]:
        return {}

    # -- what goes with a write ------------------------------------------------------------------

    async def written(self, tx: Tx, resource: Any, changes: Sequence[tuple[Any, bytes]]) -> None:
        gone = [call.id for call, _ in changes if call.HasField("delete_time")]
        here = [call for call, _ in changes if not call.HasField("delete_time")]
        if gone:
            await keys.release(tx, gone)
        if named := {call.external_key: call.id for call in here if call.external_key}:
            await keys.claim(tx, named)

    async def undone(self, tx: Tx) -> None:
        """Nothing more."""

    async def referred(
        self, tx: Tx, resource: Any, ids: Sequence[str], import_id: str
    ) -> dict[str, str]:
        return {}  # nothing follows from a call of the past

    # -- files --------------------------------------------------------------------------------

    def read_cards(self, path: Path, encoding: str) -> Iterator[list[str]]:
        raise Unreadable("cards hold people and no calls; import them as contacts")

    def export_columns(self, custom: Iterable[Any]) -> list[str]:
        return [target.path for target in import_fields.CALL]

    def cells(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, list[str]]:
        return import_cells.cells(message, names)

    async def names(self, tx: Tx, messages: Sequence[Any]) -> dict[str, dict[str, str]]:
        return {
            "users": {id: u["email"] or u["name"] for id, u in tx.directory.users().items()},
            "lines": {line.id: line.number for line in await keys.all_lines(tx)},
        }

    async def beside(
        self, tx: Tx, ids: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, Mapping[str, list[str]]]:
        return {}

    def card(self, message: Any, names: Mapping[str, Mapping[str, str]]) -> str:
        raise errors.NoCards


ADAPTERS = {"calls": Calls()}


# -- pure ------------------------------------------------------------------------------------------


def _keys(call: Call) -> list[str]:
    start = to_datetime(call.start_time).astimezone(UTC).isoformat(timespec="seconds")
    begun = f"{_AT}{call.number}/{start}"
    return [f"{_ID}{call.external_key}", begun] if call.external_key else [begun]


def _complete(terms: Terms, draft: Draft, wrong: list[str]) -> None:
    """What a line does not say follows from the rest: a call of some seconds was answered, one of none was not."""
    call = draft.call
    for name in ("number", "direction"):
        if not getattr(call, name):
            wrong.append(f"{name}: is required; map the column that says it")
    if draft.start is None:
        wrong.append("start: is required; map the column that says when the call began")
    if wrong or draft.start is None:
        return
    start = draft.start.past(terms.facts["zone"], terms.now)
    if start > terms.now:
        wrong.append(f"start: is {start.isoformat()}, which is still to come; correct it")
        return
    seconds = draft.seconds or 0
    _complete_outcome(call, seconds)
    call.state, call.imported = Call.STATE_ENDED, True
    call.owner_id = call.owner_id or terms.imported.options.owner_id or terms.actor_user_id
    call.department_id = terms.facts["homes"].get(call.owner_id, "")
    call.start_time.CopyFrom(to_timestamp(start))
    call.end_time.CopyFrom(to_timestamp(start + timedelta(seconds=seconds)))
    if call.outcome in _SPOKEN:
        call.talk_seconds = seconds
        call.answer_time.CopyFrom(call.start_time)
        call.spoke_user_ids.append(call.owner_id)
    else:
        call.wait_seconds = seconds


def _complete_outcome(call: Call, seconds: int) -> None:
    """What files call missed, busy or unanswered is one thing for calls that came in and another for calls that went out."""
    inbound = call.direction == Call.DIRECTION_INBOUND
    if not call.outcome:
        unanswered = Call.OUTCOME_MISSED if inbound else Call.OUTCOME_NO_ANSWER
        call.outcome = Call.OUTCOME_ANSWERED if seconds else unanswered
    if inbound and call.outcome in _MISSED:
        call.missed_reason = _MISSED[call.outcome]
        if call.outcome != Call.OUTCOME_ABANDONED_IN_QUEUE:
            call.outcome = Call.OUTCOME_MISSED
    elif call.outcome in (Call.OUTCOME_MISSED, Call.OUTCOME_ABANDONED_IN_QUEUE):
        call.outcome = Call.OUTCOME_NO_ANSWER


def _change(terms: Terms, call: Call, wish: Call) -> None:
    """Fills what is empty. Overwriting replaces the note, and what came from a file; what an exchange told stays, and whose it is."""
    call.note = wish.note if terms.overwrites and wish.note else call.note or wish.note
    if not call.imported:
        return
    for name in ("external_key", "line_id", "company_id"):
        if terms.overwrites or not getattr(call, name):
            setattr(call, name, getattr(wish, name) or getattr(call, name))
    if terms.overwrites:
        for name in ("direction", "outcome", "missed_reason", "talk_seconds", "wait_seconds", "number"):  # fmt: skip
            setattr(call, name, getattr(wish, name))
        for name in ("start_time", "answer_time", "end_time"):
            call.ClearField(name)  # type: ignore[arg-type]
            if wish.HasField(name):  # type: ignore[arg-type]
                getattr(call, name).CopyFrom(getattr(wish, name))
        call.spoke_user_ids[:] = [call.owner_id] if wish.spoke_user_ids else []
