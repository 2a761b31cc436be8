"""What a line about a deal comes to: names looked up, times put in order, the deal as it would have become here. Pure.

Guards and ways of stages are not asked: what a file tells has happened.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from chassis.fold import search_key
from chassis.kit.imports.adapter import LineRefused, Terms
from chassis.kit.imports.moments import Said
from chassis.rpc import shape
from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import deal_pb2, deal_reason_pb2
from services.deals import errors, import_cells
from services.deals.import_cells import Draft
from services.deals.money import currencies
from services.deals.rules import deals as rules
from services.deals.rules import moving
from services.deals.rules import pipelines as pipeline_rules
from services.deals.rules.pipelines import Pipeline, Stage

Deal = deal_pb2.Deal
DealReason = deal_reason_pb2.DealReason

OF_LINE = "line"
"""The system whose ids name lines that had no id of their own, by what they say."""
_ENDED = {Deal.STATE_WON: DealReason.KIND_WON, Deal.STATE_LOST: DealReason.KIND_LOST}
_FACTS = {
    "pipeline_id", "stage_id", "state", "ending", "stage_time", "past_stays", "request_time", "owner_id", "currency",
}  # fmt: skip
"""What a line tells of a new deal only: of one that is known they change by verbs."""


def complete(terms: Terms, draft: Draft, wrong: list[str]) -> None:
    """Puts where the deal stands, since when, and how it ended into the draft's deal; says what is wrong."""
    deal = draft.deal
    pipeline = _pipeline(terms, draft, wrong)
    if pipeline is not None:
        deal.pipeline_id = pipeline.id
        deal.currency = deal.currency or pipeline.currency or terms.facts["currency"]
        if deal.amount:
            deal.amount = currencies.shown(Decimal(deal.amount), deal.currency)
        _put_state(terms, draft, wrong)
        if not wrong:
            _put_stages(terms, draft, pipeline, wrong)
    _put_promise(terms, draft, wrong)
    if not deal.title.strip():
        wrong.append("title: is required; map the column that says what the deal is about")
    systems = [each.system for each in deal.external_ids]
    if len(set(systems)) != len(systems):
        wrong.append("external_id: two ids of one system; map only one of the columns")
    if not deal.external_ids:
        deal.external_ids.add(system=OF_LINE, id=_digest(terms, draft))


def owner_of(terms: Terms, deal: Deal) -> str:
    """Who has a new deal of this line."""
    return deal.owner_id or terms.imported.options.owner_id or terms.actor_user_id


def begin(terms: Terms, deal: Deal, wish: Deal) -> None:
    """Makes the new deal of the line, as `checking.check` makes one, but that it may have a past and an end."""
    id, state = deal.id, wish.state
    deal.MergeFrom(wish)
    deal.id, deal.owner_id = id, owner_of(terms, wish)
    deal.source_id = deal.source_id or terms.imported.options.source_id
    _add_labels(deal, terms.imported.options.label_ids)
    rules.begin(deal, by=terms.actor_user_id, home=terms.facts["homes"].get(deal.owner_id, ""))
    pipeline = terms.facts["pipeline_by_id"][wish.pipeline_id]
    stage = pipeline_rules.stage_of(pipeline, wish.stage_id) or Stage()
    moving.enter(deal, pipeline, stage, to_datetime(wish.stage_time))
    if state in _ENDED:
        deal.state = state
        deal.ending.stage_id, deal.ending.owner_id = stage.id, deal.owner_id
        deal.ending.department_id = deal.department_id
        deal.activity_time.CopyFrom(deal.ending.time)
        deal.ClearField("idle_time")
    elif deal.owner_id not in terms.facts["active"]:
        raise errors.OwnerNotActive(deal.owner_id, "owner")
    _convert(terms, deal)
    missing = [k for k, known in terms.custom.items() if known.required and k not in deal.custom]
    if missing:
        raise LineRefused("; ".join(f"custom.{key} is required" for key in missing))
    _zone_promise(terms, deal)
    rules.normalise(deal)
    rules.check(deal, deal, now=terms.now, today=terms.facts["today"])  # days of the past are right
    shape.check(deal, writes=True)


def change(terms: Terms, deal: Deal, wish: Deal) -> None:
    """Fills what is empty, or replaces what the line says; where it stands, whose it is and its end are facts that stay."""
    before = Deal()
    before.CopyFrom(deal)
    if terms.overwrites:
        _refuse_facts(deal, wish)
    for field, value in wish.ListFields():
        name = field.name
        if name == "custom":
            for key, item in value.items():
                if terms.overwrites or key not in deal.custom:
                    deal.custom[key].CopyFrom(item)
        elif name == "external_ids":
            known = {each.system for each in deal.external_ids}
            deal.external_ids.extend(each for each in value if each.system not in known)
        elif name == "label_ids":
            _add_labels(deal, value)
        elif name in _FACTS or (name == "amount" and deal.lines):
            continue
        elif name == "promise" and deal.HasField("promise"):
            _promise_anew(terms, deal, value)
        elif field.message_type is not None:
            if terms.overwrites or not deal.HasField(name):
                getattr(deal, name).CopyFrom(value)
        elif terms.overwrites or not getattr(deal, name):
            setattr(deal, name, value)
    _add_labels(deal, terms.imported.options.label_ids)
    _zone_promise(terms, deal)
    if deal == before:
        return
    rules.keep_ended(deal, before, moving.state_of(before))
    rules.normalise(deal)
    rules.check(deal, before, now=terms.now, today=terms.facts["today"])
    if deal.state == Deal.STATE_OPEN:
        _convert(terms, deal)
    shape.check(deal, writes=True)


def _convert(terms: Terms, deal: Deal) -> None:
    """What it is worth in the company's currency, by the rate of today or of the day it ended."""
    deal.base_amount = terms.facts["rates"].base_amount_of(
        deal, today=terms.facts["today"], zone=terms.facts["zone"]
    )


def stays(deal: Deal) -> list[tuple[str, datetime, datetime | None]]:
    """Through which stages the imported deal went: stage, when it came, when it went."""
    came = [(each.stage_id, to_datetime(each.enter_time)) for each in deal.past_stays]
    came.append((deal.stage_id, to_datetime(deal.stage_time)))
    ended = None if deal.state == Deal.STATE_OPEN else to_datetime(deal.ending.time)
    went = [*(at for _, at in came[1:]), ended]
    return [(id, at, left) for (id, at), left in zip(came, went, strict=True)]


def _add_labels(deal: Deal, ids: Iterable[str]) -> None:
    deal.label_ids.extend(id for id in ids if id not in deal.label_ids)


# -- the parts of a line ---------------------------------------------------------------------------


def _pipeline(terms: Terms, draft: Draft, wrong: list[str]) -> Pipeline | None:
    found = terms.facts["pipelines"].get(search_key(draft.pipeline or terms.facts["pipeline"]))
    if found is None:
        wrong.append(
            f"pipeline: there is no pipeline {draft.pipeline!r}; create it or leave it out"
            if draft.pipeline
            else "pipeline: the company has none; create one first"
        )
    return found  # type: ignore[no-any-return]


def _stage(pipeline: Pipeline, said: str, field: str, wrong: list[str]) -> Stage | None:
    for stage in pipeline.stages:
        if search_key(said) in (search_key(stage.key), search_key(stage.name)):
            return stage
    known = ", ".join(stage.name for stage in pipeline.stages if not stage.retired)
    wrong.append(f"{field}: {said!r} is no stage of {pipeline.name!r}; its stages are {known}")
    return None


def _put_state(terms: Terms, draft: Draft, wrong: list[str]) -> None:
    """Won or lost, when and why; a reason tells which where the line does not."""
    deal = draft.deal
    kinds = terms.facts["reasons"].get(search_key(draft.reason), {}) if draft.reason else {}
    if not deal.state and len(kinds) == 1:
        deal.state = next(state for state, kind in _ENDED.items() if kind in kinds)
    deal.state = deal.state or Deal.STATE_OPEN
    if deal.state == Deal.STATE_OPEN:
        for name in ("ended", "reason", "competitor", "end_note"):
            if getattr(draft, name):
                wrong.append(f"{name}: is for a deal that is won or lost; say so in state")
        return
    reason = kinds.get(_ENDED[deal.state])
    if draft.reason and reason is None:
        word = import_cells.state_name(deal)
        wrong.append(f"reason: there is no reason {draft.reason!r} for a deal that is {word}; create it or leave it out")  # fmt: skip
    ended = _ended(terms, draft)
    if ended is None:
        wrong.append("ended: is required for what is won or lost; map the column that says when")
    elif ended > terms.now:
        wrong.append(f"ended: is {ended.isoformat()}, which is still to come; correct it")
    else:
        deal.ending.time.CopyFrom(to_timestamp(ended))
        deal.ending.reason_id = reason or ""
        deal.ending.note, deal.ending.competitor = draft.end_note, draft.competitor


def _ended(terms: Terms, draft: Draft) -> datetime | None:
    """As said, else on the day on which it was expected to close."""
    said, day = draft.ended, draft.deal.expected_close_date
    if said is None and day.year:
        expected = rules.day_of(day)
        said = Said(expected) if expected is not None else None
    return said.past(terms.facts["zone"], terms.now) if said is not None else None


def _put_stages(terms: Terms, draft: Draft, pipeline: Pipeline, wrong: list[str]) -> None:
    """Where it stands and since when, and where it stood before."""
    deal, zone = draft.deal, terms.facts["zone"]
    came = []
    for said, when in draft.stages:
        if (stage := _stage(pipeline, said, "stage_dates", wrong)) is not None:
            came.append((when.past(zone, terms.now), stage))
    came.sort(key=lambda each: each[0])
    stands = _stage(pipeline, draft.stage, "stage", wrong) if draft.stage else None
    if wrong:
        return
    stands = stands or (came[-1][1] if came else pipeline_rules.first_stage(pipeline))
    ended = to_datetime(deal.ending.time) if deal.state != Deal.STATE_OPEN else None
    began = draft.created.past(zone, terms.now) if draft.created is not None else None
    if not came:
        came = [(began or ended or terms.now, stands)]
    if came[-1][1].id != stands.id:
        last = came[-1][1].name
        wrong.append(f"stage_dates: end with {last!r}, and the stage is {stands.name!r}; make them agree")  # fmt: skip
    latest = ended or terms.now
    if came[-1][0] > latest:
        wrong.append(f"stage_dates: {came[-1][0].isoformat()} is after {'its end' if ended else 'now'}, {latest.isoformat()}")  # fmt: skip
    if began is not None and began > came[0][0]:
        wrong.append(f"created: {began.isoformat()} is after it came into its first stage")
    deal.stage_id = stands.id
    deal.stage_time.CopyFrom(to_timestamp(came[-1][0]))
    deal.request_time.CopyFrom(to_timestamp(began or came[0][0]))
    for at, stage in came[:-1]:
        deal.past_stays.add(stage_id=stage.id, enter_time=to_timestamp(at))


def _put_promise(terms: Terms, draft: Draft, wrong: list[str]) -> None:
    """What was promised by when. Of a deal that was won what is over counts as kept in time, unless the file or its options say more."""
    deal, zone = draft.deal, terms.facts["zone"]
    if draft.promised is None:
        if deal.HasField("promise") or draft.promise_kept is not None:
            wrong.append("promised: is required beside promise_text and promise_kept; map the column that says by when")  # fmt: skip
        return
    promise, by = deal.promise, draft.promised.until(zone)
    promise.time.CopyFrom(to_timestamp(by))
    if draft.promise_kept is not None:
        kept = draft.promise_kept.past(zone, terms.now)
        if kept > terms.now:
            wrong.append(f"promise_kept: is {kept.isoformat()}, which is still to come; correct it")
        promise.kept_time.CopyFrom(to_timestamp(kept))
    elif by <= terms.now and deal.state == Deal.STATE_WON and not terms.imported.options.tell_missed_promises:  # fmt: skip
        promise.kept_time.CopyFrom(promise.time)


def _promise_anew(terms: Terms, deal: Deal, wish: deal_pb2.Promise) -> None:
    """Another day, or more about it; how long before it somebody is told stays as it was chosen."""
    if not terms.overwrites:
        return
    if wish.time != deal.promise.time:
        deal.promise.ClearField("kept_time")
    for field, _ in wish.ListFields():
        deal.promise.ClearField(
            field.name
        )  # a moment merged into another one would keep its fraction
    deal.promise.MergeFrom(wish)


def _zone_promise(terms: Terms, deal: Deal) -> None:
    if deal.HasField("promise"):
        deal.promise.zone = deal.promise.zone or terms.facts["zone"]


def _refuse_facts(deal: Deal, wish: Deal) -> None:
    """A file that would move, end or give away a deal that is known says what the verbs are for."""
    wrong = []
    if wish.state != deal.state:
        wrong.append(f"state: it is {import_cells.state_name(deal)}; use :win, :lose or :reopen")
    if (wish.pipeline_id, wish.stage_id) != (deal.pipeline_id, deal.stage_id):
        wrong.append("stage: it stands in another one; move it by :move, not by a file")
    if wish.owner_id and wish.owner_id != deal.owner_id:
        wrong.append("owner: somebody else has it now; give it away by :assign, not by a file")
    if wish.amount and wish.currency != deal.currency:
        wrong.append(f"currency: it is {deal.currency} and stays so")
    if wrong:
        raise LineRefused("; ".join(wrong))


def _digest(terms: Terms, draft: Draft) -> str:
    """What a line without an id is known by: two lines that say all of this alike are one deal."""
    deal = draft.deal
    said = [
        deal.pipeline_id, search_key(deal.title), owner_of(terms, deal), *draft.contact, "|", *draft.company, "|",
        deal.amount, deal.currency, str(draft.created), str(draft.ended), str(draft.stages),
    ]  # fmt: skip
    text = "\n".join([terms.facts["tenant"], *said])
    return hashlib.sha256(text.encode()).hexdigest()[:40]
