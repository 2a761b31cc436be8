"""What the tests of products, prices and lines share: a tenant with products, taxes and price lists."""

from datetime import date
from typing import Any

from google.type.date_pb2 import Date

from crm.common.v1.common_pb2 import Link
from crm.deals.v1 import (
    deal_pb2,
    deal_verbs_pb2,
    price_list_pb2,
    product_family_pb2,
    product_pb2,
    tax_class_pb2,
)
from crm.deals.v1.line_pb2 import Line
from crm.deals.v1.products_service_pb2_grpc import ProductsServiceStub
from crm.tasks.v1 import events_pb2 as task_events
from crm.tasks.v1.task_pb2 import Task
from services.deals import consumers_products
from tests.service.deals.moving import system
from tests.service.deals.world import Deal, World

Price = price_list_pb2.Price
PriceList = price_list_pb2.PriceList
Product = product_pb2.Product
TaxClass = tax_class_pb2.TaxClass


def day(text: str) -> Date:
    made = date.fromisoformat(text)
    return Date(year=made.year, month=made.month, day=made.day)


class Shelf(World):
    tables = (
        *World.tables, "products_history", "product_families_history", "tax_classes_history",
        "price_lists_history", "prices",
    )  # fmt: skip

    @property
    def products(self) -> Any:
        return self.stub(self.tenant.admin, ProductsServiceStub)

    async def product(self, sku: str = "W-1", **given: Any) -> Product:
        product = Product(**{"sku": sku, "name": f"Thing {sku}", **given})
        return await self.products.CreateProduct(product_pb2.CreateProductRequest(product=product))

    async def family(self, name: str) -> str:
        made = await self.products.CreateProductFamily(
            product_family_pb2.CreateProductFamilyRequest(
                product_family=product_family_pb2.ProductFamily(name=name)
            )
        )
        return str(made.id)

    async def tax(self, percent: str = "23", key: str = "standard") -> str:
        entry = TaxClass(key=key, name=key, rates=[tax_class_pb2.TaxRate(percent=percent)])
        made = await self.products.CreateTaxClass(
            tax_class_pb2.CreateTaxClassRequest(tax_class=entry)
        )
        return str(made.id)

    async def price_list(
        self, prices: dict[str, str] | list[Price], *, publish: bool = True, **given: Any
    ) -> PriceList:
        """A list with these prices, in short by product, published from 2020 on unless it says otherwise."""
        rows = (
            [Price(product_id=id, unit_price=price) for id, price in prices.items()]
            if isinstance(prices, dict)
            else prices
        )
        entry = PriceList(
            **{"name": "2020", "from_date": day("2020-01-01"), "prices": rows, **given}
        )
        made = await self.products.CreatePriceList(
            price_list_pb2.CreatePriceListRequest(price_list=entry)
        )
        return await self.publish(made.id) if publish else made

    async def publish(self, id: str) -> PriceList:
        return await self.products.PublishPriceList(price_list_pb2.PublishPriceListRequest(id=id))

    async def change(self, deal: Deal, *paths: str) -> Deal:
        request = deal_pb2.UpdateDealRequest(deal=deal)
        request.update_mask.paths.extend(paths or ("lines",))
        return await self.admin.UpdateDeal(request)

    async def sell(self, contact_id: str, *lines: Line) -> Deal:
        """A won deal with these lines."""
        deal = await self.make(contact_id=contact_id, lines=lines)
        return await self.admin.WinDeal(deal_verbs_pb2.WinDealRequest(id=deal.id))

    async def measured(self, deal_id: str, task_id: str, version: int, **result: Any) -> None:
        """Tasks tells that the task was done for the deal."""
        task = Task(id=task_id, subject="Measure", link=Link(deal_id=deal_id))
        for key, value in result.items():
            if isinstance(value, str):
                task.result[key].string_value = value
            else:
                task.result[key].number_value = value
        event = task_events.TaskDone(task=task)
        event.change.version = version
        await system(self, lambda tx: consumers_products.measure(event, tx))
