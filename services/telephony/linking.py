"""Who is outside, and what a call may be about: guessed, and correctable."""

from collections.abc import Sequence
from datetime import datetime

from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, line_pb2, parts_pb2
from services.telephony import following, store
from services.telephony.store.numbers import Party

Call = call_pb2.Call


async def name(tx: Tx, call: Call) -> list[Party]:
    """Gives the call whom its number belongs to; everybody who has it, whom we spoke with last first."""
    parties = await store.numbers.whose(tx, call.number) if call.number else []
    await link(tx, call, parties)
    return parties


async def link(tx: Tx, call: Call, parties: Sequence[Party]) -> None:
    """One has the number: it is his. Several have it: all are shown, and it is his whom we spoke with last, if with any.

    Whom the call names already stays: somebody may have corrected it.
    """
    contacts = [party for party in parties if party.kind == "contact"]
    companies = [party for party in parties if party.kind == "company"]
    call.candidate_contact_ids[:] = [p.id for p in contacts] if len(contacts) > 1 else []
    call.candidate_company_ids[:] = [p.id for p in companies] if len(companies) > 1 else []
    call.contact_id = call.contact_id or _one(contacts)
    call.company_id = call.company_id or _one(companies)
    await following.parties.resolve(tx, call, None)


async def of_line(tx: Tx, call: Call, line: line_pb2.Line | None) -> None:
    """What brought the caller and what the call is about, as its line says."""
    if line is None:
        return
    call.source_id, call.campaign, call.keyword = line.source_id, line.campaign, line.keyword
    call.purpose = call.purpose or line.purpose


async def guess(tx: Tx, call: Call) -> None:
    """The customer's only open deal and only open task; whoever bought and has nothing open calls for service.

    The contact's own come before its company's. What the call says already stays.
    """
    known: dict[tuple[str, str], list[str]] = {}
    for kind, id in (("company", call.company_id), ("contact", call.contact_id)):
        if id:
            known |= await store.matters.of_party(tx, kind, id)
    deals, tasks = known.get(("deal", "open"), []), known.get(("task", "open"), [])
    if len(deals) == 1:
        call.deal_id = call.deal_id or deals[0]
    if len(tasks) == 1:
        call.task_id = call.task_id or tasks[0]
    bought = ("deal", "won") in known
    if bought and not deals and call.purpose == parts_pb2.PURPOSE_UNSPECIFIED:
        call.purpose = parts_pb2.PURPOSE_SERVICE


async def touched(tx: Tx, call: Call, at: datetime) -> None:
    """Somebody spoke with him: of several who have the number he comes first from now on."""
    for kind, id in (("contact", call.contact_id), ("company", call.company_id)):
        if id:
            await store.numbers.touch_party(tx, kind, id, at)


def _one(parties: Sequence[Party]) -> str:
    """The one whom it is; empty if there is none, or several with none of whom we spoke."""
    if len(parties) == 1 or (parties and parties[0].last_call_time is not None):
        return parties[0].id
    return ""
