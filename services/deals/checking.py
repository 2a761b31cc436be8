"""What every creation and change of a deal passes, whoever makes it: RPC, consumer, timer or import."""

from decimal import Decimal

from chassis.kit.custom import role_ids
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, events_pb2
from services.deals import (
    converting,
    errors,
    following_parties,
    guards,
    people,
    places,
    pricing,
    references,
    store,
)
from services.deals.money import currencies
from services.deals.rules import deals as rules
from services.deals.rules import moving as moving_rules
from services.deals.rules import pipelines as pipeline_rules
from services.deals.rules.moving import Stage

Deal = deal_pb2.Deal

_PRICED_BY = {
    "lines", "currency", "tax_included", "discount_percent", "discount_amount", "amount",
    "contact_id", "company_id",
}  # fmt: skip
"""A change of any of these prices the lines anew."""


async def check(tx: Tx, new: Deal, old: Deal | None) -> None:
    """Keeps I1, I4 and I8."""
    new.id = new.id or tx.new_id()
    await following_parties.parties.resolve(tx, new, old)
    await references.check(tx, new, old)
    if old is None:
        await _begin(tx, new)
    else:
        await _change(tx, new, old)
    rules.normalise(new)
    rules.check(new, old, now=tx.now, today=people.today_of(tx))
    await _price(tx, new, old)
    await converting.fill_base(tx, new)


async def _begin(tx: Tx, deal: Deal) -> None:
    """A new deal is its maker's and stands in the first stage, unless it says otherwise."""
    deal.pipeline_id = await opening_pipeline(tx, deal.pipeline_id)
    pipeline = await places.standing(tx, deal.pipeline_id)
    moving_rules.check_offered(pipeline)
    chosen = bool(deal.stage_id)
    stage = places.stage_in(pipeline, deal.stage_id) if chosen else pipeline_rules.first_stage(pipeline)  # fmt: skip
    by = people.user_of(tx.actor)
    deal.owner_id = deal.owner_id or by
    if deal.owner_id:
        people.require_active(tx, deal.owner_id)
    home = deal.department_id or people.home_of(tx, deal.owner_id)
    rules.begin(deal, by=by, home=home)
    wanted = list(deal.done_steps)
    moving_rules.enter(deal, pipeline, stage, tx.now)
    deal.done_steps.extend(wanted)
    moving_rules.check_steps(deal, stage)
    deal.currency = deal.currency or pipeline.currency or people.currency_of(tx)
    if deal.HasField("promise"):
        deal.promise.zone = deal.promise.zone or people.zone_of(tx)
    if chosen and tx.actor.kind != "system":
        moving_rules.check_entry(stage, role_ids(tx))
        if lacking := moving_rules.missing(deal, Stage(), stage, await guards.filled(tx, deal), forward=False):  # fmt: skip
            raise errors.FieldsMissing(stage.name, lacking)


async def _change(tx: Tx, new: Deal, old: Deal) -> None:
    """By hand: where it stands and how it ended stay; what was done in its stage is noted."""
    rules.keep_place(new, old)
    rules.keep_ended(new, old, moving_rules.state_of(old))
    rules.keep_ending(new, old)
    rules.keep_currency(new, old)
    if list(new.done_steps) != list(old.done_steps):
        pipeline = await store.pipelines.find(tx, new.pipeline_id)
        stage = pipeline_rules.stage_of(pipeline, new.stage_id) if pipeline is not None else None
        moving_rules.check_steps(new, stage or Stage(), old.done_steps)
    if new.HasField("promise"):
        new.promise.zone = new.promise.zone or people.zone_of(tx)
    _move(tx, new, old)


async def _price(tx: Tx, new: Deal, old: Deal | None) -> None:
    """What the lines come to is what the deal is worth; without lines what somebody says, in all places of the currency."""
    if old is not None and not set(rules.changed_fields(new, old)) & _PRICED_BY:
        return
    if new.lines:
        await pricing.price_lines(
            tx, new, contact_id=new.contact_id, company_id=new.company_id, old=old
        )
        new.amount = new.totals.gross
    else:
        new.ClearField("totals")
        if new.amount:
            new.amount = currencies.shown(Decimal(new.amount), new.currency)


async def opening_pipeline(tx: Tx, wanted: str) -> str:
    """The pipeline that is asked for, else the company's choice, else the first one; NoPipeline if there is none."""
    if wanted:
        return wanted
    living = [each.id for each in await store.living_pipelines(tx) if not each.retired]
    chosen = (await store.settings_of(tx)).default_pipeline_id
    if not living:
        raise errors.NoPipeline
    return chosen if chosen in living else living[0]


def _move(tx: Tx, new: Deal, old: Deal) -> None:
    """An update may give the deal to somebody, as :assign does."""
    if new.owner_id == old.owner_id:
        return
    people.require_active(tx, new.owner_id)
    if new.department_id == old.department_id:
        new.department_id = people.home_of(tx, new.owner_id)
    tx.emit(events_pb2.DealAssigned(deal=new, previous_owner_id=old.owner_id))
