"""What the tests of quotes share: somebody who quotes, quotes on their way, and the customer's side of a link."""

from typing import Any

from chassis.testing.installation import Person
from crm.deals.v1 import (
    deal_reason_pb2,
    deal_settings_pb2,
    deal_verbs_pb2,
    line_pb2,
    quote_page_pb2,
    quote_pb2,
)
from crm.deals.v1.quotes_service_pb2_grpc import QuotesServiceStub
from tests.service.deals.world import SELLER, Deal, World

Quote = quote_pb2.Quote
Line = line_pb2.Line

QUOTER = [
    *SELLER,
    *({"object": "quote", "action": a, "scope": "own"}
      for a in ("read", "create", "update", "submit", "send", "withdraw", "answer")),
]  # fmt: skip
"""What a salesperson may do with quotes."""
TABLES = ("deals_history", "quotes_history", "quote_numbers", "quote_proofs", "timers")


class Quotes:
    """The quotes of one tenant, as its administrator or somebody else."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.tables = TABLES  # type: ignore[misc]

    @property
    def admin(self) -> Any:
        return self.by(self.world.tenant.admin)

    def by(self, person: Person) -> Any:
        return self.world.stub(person, QuotesServiceStub)

    @property
    def customer(self) -> Any:
        """Somebody without an account."""
        return self.world.running.stranger.stub(QuotesServiceStub)

    async def seller(self, **user: Any) -> Person:
        return await self.world.tenant.person(QUOTER, **user)

    async def deal(self, by: Person | None = None, **given: Any) -> Deal:
        """A deal with two windows for 100.00 each, without tax."""
        lines = [Line(name="Window", quantity="2", unit_price="100", unit_cost="61.25")]
        return await self.world.make(by, **{"lines": lines, **given})

    async def make(self, deal: Deal, by: Person | None = None, **given: Any) -> Quote:
        request = quote_pb2.CreateQuoteRequest(quote=Quote(deal_id=deal.id, **given))
        return await self.by(by or self.world.tenant.admin).CreateQuote(request)

    async def sent(self, deal: Deal, by: Person | None = None, **given: Any) -> Quote:
        made = await self.make(deal, by, **given)
        return await self.send(made, by)

    async def send(self, quote: Quote, by: Person | None = None) -> Quote:
        request = quote_pb2.SendQuoteRequest(id=quote.id)
        return await self.by(by or self.world.tenant.admin).SendQuote(request)

    async def get(self, id: str) -> Quote:
        return await self.admin.GetQuote(quote_pb2.GetQuoteRequest(id=id))

    async def key(self, quote: Quote) -> str:
        """The key in the link of a quote that was sent."""
        link = await self.admin.GetQuoteLink(quote_pb2.GetQuoteLinkRequest(id=quote.id))
        return str(link.path.rpartition("/")[2])

    async def page(self, key: str) -> quote_page_pb2.PublicQuote:
        """What the link shows to whoever or whatever fetches it."""
        request = quote_page_pb2.GetPublicQuoteRequest(key=key)
        return await self.customer.GetPublicQuote(request)

    async def open(self, key: str, **metadata: str) -> quote_page_pb2.PublicQuote:
        """The page as it is when somebody has it before him."""
        customer = self.world.running.stranger.stub(QuotesServiceStub, **metadata)
        return await customer.OpenPublicQuote(quote_page_pb2.OpenPublicQuoteRequest(key=key))

    async def accept(self, key: str, name: str = "Ana Nowak", **given: str) -> Any:
        request = quote_page_pb2.AcceptPublicQuoteRequest(key=key, name=name, **given)
        return await self.customer.AcceptPublicQuote(request)

    async def decline(self, key: str, name: str = "Ana Nowak", **given: str) -> Any:
        request = quote_page_pb2.DeclinePublicQuoteRequest(key=key, name=name, **given)
        return await self.customer.DeclinePublicQuote(request)

    async def lose(self, deal: Deal) -> None:
        """The deal is lost."""
        reason = deal_reason_pb2.DealReason(kind=deal_reason_pb2.DealReason.KIND_LOST, name="Price")
        made = await self.world.admin.CreateDealReason(
            deal_reason_pb2.CreateDealReasonRequest(deal_reason=reason)
        )
        request = deal_verbs_pb2.LoseDealRequest(id=deal.id, reason_id=made.id)
        await self.world.admin.LoseDeal(request)

    async def limit(self, percent: str) -> None:
        """Sets the company's limit of discounts without approval."""
        settings = deal_settings_pb2.DealSettings(discount_limit_percent=percent)
        request = deal_settings_pb2.UpdateDealSettingsRequest(deal_settings=settings)
        request.update_mask.paths.append("discount_limit_percent")
        await self.world.admin.UpdateDealSettings(request)
