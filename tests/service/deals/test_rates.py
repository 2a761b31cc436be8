"""Currency rates: what foreign deals are worth, what is said while no rate is known, and many rates at once."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis import errors
from chassis.testing.installation import Installation, Tenant
from crm.deals.v1 import currency_rate_pb2, deal_settings_pb2
from tests.service.deals import verbs
from tests.service.deals.earnings import CurrencyRate, Earnings, day, today
from tests.service.worlds import Refused


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> Earnings:
    return Earnings(running, tenant)


async def put(world: Earnings, *rates: CurrencyRate, **given: Any) -> list[CurrencyRate]:
    request = currency_rate_pb2.PutCurrencyRatesRequest(currency_rates=rates, **given)
    return list((await world.plans().PutCurrencyRates(request)).currency_rates)


def rate(currency: str, value: str, on: date) -> CurrencyRate:
    return CurrencyRate(currency=currency, rate=value, date=day(on))


async def test_a_foreign_deal_is_worth_the_rate_that_holds_today(world: Earnings) -> None:
    await world.rate("EUR", "4.00", today() - timedelta(days=30))
    await world.rate("EUR", "4.20", today() - timedelta(days=2))
    await world.rate("EUR", "9.99", today() + timedelta(days=1))
    deal = await world.make(amount="100.00", currency="EUR")
    assert deal.base_amount == "420.00"
    assert (await world.make(amount="100.00")).base_amount == "100.00"


async def test_without_a_rate_a_deal_has_no_base_amount(world: Earnings) -> None:
    deal = await world.make(amount="100.00", currency="EUR")
    assert deal.base_amount == ""
    await world.rate("EUR", "4.00")
    changed = await verbs.change(world, deal, amount="50.00")
    assert changed.base_amount == "200.00"


async def test_a_sum_says_which_rates_are_missing_and_takes_them_once_they_come(world: Earnings) -> None:  # fmt: skip
    anna = await world.earner()
    plan = await world.goal("1000", owner_id=anna.id)
    await world.won(anna, "100.00", currency="EUR")
    await world.won(anna, "10.00")
    await world.make(anna, amount="70.00", currency="USD", expected_close_date=day(today()))

    before = await world.progress(plan)
    await world.rate("EUR", "4.00")
    after, then = await world.progress(plan), await world.progress(plan, as_of=before.as_of)

    assert before.actual == "10.00"
    assert [(m.currency, m.amount) for m in before.missing_rates] == [("EUR", "100.00"), ("USD", "70.00")]  # fmt: skip
    assert (after.actual, [m.currency for m in after.missing_rates]) == ("410.00", ["USD"])
    assert then == before


@pytest.mark.large
async def test_a_rate_that_comes_late_adjusts_what_was_earned_above_the_plan(world: Earnings) -> None:  # fmt: skip
    anna = await world.earner()
    await world.plan(percent="0", tiers=[{"above_percent": "100", "percent": "10"}])
    await world.goal("100.00", owner_id=anna.id)
    await world.won(anna, "100.00", currency="EUR")
    assert await world.entries() == []

    await world.rate("EUR", "4.00")
    [entry] = await world.entries_once(1)

    assert (entry.amount, entry.currency) == ("7.50", "EUR")


async def test_rates_are_put_many_at_once_and_take_new_values(world: Earnings) -> None:
    on = date(2026, 5, 4)
    first = await put(world, rate("EUR", "4.1", on), rate("USD", "3.9", on))
    again = await put(world, rate("EUR", "4.2", on), rate("GBP", "4.9", on))
    assert [(r.currency, r.base_currency, r.rate) for r in again] == [("EUR", "PLN", "4.2"), ("GBP", "PLN", "4.9")]  # fmt: skip
    assert (again[0].id, again[0].etag) == (first[0].id, "2")
    listed = await world.plans().ListCurrencyRates(currency_rate_pb2.ListCurrencyRatesRequest(filter='currency = "EUR"'))  # fmt: skip
    assert [r.rate for r in listed.currency_rates] == ["4.2"]


async def test_the_same_rates_put_by_many_at_once_are_there_once(world: Earnings) -> None:
    on = date(2026, 5, 4)
    await asyncio.gather(*(put(world, rate("EUR", f"4.{at}1", on)) for at in range(8)))
    assert await world.count("currency_rates") == 1


async def test_wrong_rates_are_refused_all_at_once_and_none_is_put(world: Earnings) -> None:
    on = date(2026, 5, 4)
    good, zero, own = rate("EUR", "4", on), rate("USD", "0", on), rate("PLN", "1", on)
    async with Refused(
        world, errors.InvalidArgument, "VALUES_INVALID", "currency_rates[1].rate", "currency_rates[2].currency",
        "currency_rates[3].date",
    ):  # fmt: skip
        await put(world, good, zero, own, good)


async def test_a_second_rate_of_a_day_and_a_wrong_day_are_refused(world: Earnings) -> None:
    await world.rate("EUR", "4", date(2026, 5, 4))
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "date"):
        await world.rate("EUR", "5", date(2026, 5, 4))
    wrong = CurrencyRate(currency="EUR", rate="4", date=Date(year=2026, month=2, day=30))
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "date"):
        await world.plans().CreateCurrencyRate(
            currency_rate_pb2.CreateCurrencyRateRequest(currency_rate=wrong)
        )


async def test_who_may_only_create_rates_changes_none(world: Earnings) -> None:
    on = date(2026, 5, 4)
    await put(world, rate("EUR", "4", on))
    clerk = await world.tenant.person(
        [{"object": "currency_rate", "action": "create", "scope": "all"}]
    )
    request = currency_rate_pb2.PutCurrencyRatesRequest(currency_rates=[rate("EUR", "5", on)])
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await world.plans(clerk).PutCurrencyRates(request)
    fresh = currency_rate_pb2.PutCurrencyRatesRequest(currency_rates=[rate("USD", "4", on)])
    assert len((await world.plans(clerk).PutCurrencyRates(fresh)).currency_rates) == 1


async def test_a_company_may_sum_in_another_currency_than_its_own(world: Earnings) -> None:
    await world.admin.UpdateDealSettings(
        deal_settings_pb2.UpdateDealSettingsRequest(
            deal_settings=deal_settings_pb2.DealSettings(base_currency="EUR"),
            update_mask=FieldMask(paths=["base_currency"]),
        )
    )
    await world.rate("PLN", "0.25")
    assert Decimal((await world.make(amount="100.00")).base_amount) == 25
