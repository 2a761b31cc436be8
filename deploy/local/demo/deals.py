"""What the window shop sells and to whom: products with prices, and deals over all stages of its first pipeline."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

from deploy.local.demo.client import Client

DEALS = 40
_ENDED = 8  # of those: every second one is won, the others are lost
_AT_ONCE = 8
_PATIENCE_S = 20.0

_FAMILIES: dict[str, list[tuple[str, str, str, str, str]]] = {
    "Windows": [
        ("WIN-120", "Window 120 x 140, two panes", "pc", "1190.00", "720.00"),
        ("WIN-150", "Window 150 x 140, three panes", "pc", "1690.00", "1010.00"),
    ],
    "Doors": [("DOOR-90", "Balcony door 90 x 220", "pc", "2390.00", "1490.00")],
    "Shades": [("SHADE-120", "Outside blind 120 x 140", "pc", "640.00", "350.00")],
    "Service": [
        ("FIT", "Fitting of one window", "pc", "260.00", "140.00"),
        ("WARM", "Warm sealing, per metre", "m", "45.00", "21.00"),
    ],
}
"""Family -> (number, name, unit, price without tax, cost)."""
_TITLES = ("Windows for a flat", "A balcony door", "Windows for a house", "Blinds for the south side")  # fmt: skip


def create(admin: Client, contacts: list[dict[str, Any]]) -> None:
    """Products, a published price list, and deals of the first customers; the same on every machine but for the days."""
    products = _products(admin)
    prices = [{"productId": id, "unitPrice": price} for id, price in products.values()]
    listed = {"name": "Standard", "currency": "PLN", "prices": prices}
    price_list = admin.post("/v1/priceLists", listed, "demo-price-list")["id"]
    admin.post(f"/v1/priceLists/{price_list}:publish", {}, "demo-price-list-published")
    pipeline = _first(admin, "/v1/pipelines", "pipelines")
    lost = next(
        reason["id"]
        for reason in admin.get("/v1/dealReasons?pageSize=50")["dealReasons"]
        if reason["kind"] == "KIND_LOST" and not reason.get("namesCompetitor")
    )
    # Of the company's own first day, not of now: run again, it must send the same under the same keys.
    today = date.fromisoformat(contacts[0]["createTime"][:10])
    made = _deals(pipeline, [id for id, _ in products.values()], contacts, today)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ids = list(
            pool.map(
                lambda n: admin.post("/v1/deals", made[n], f"demo-deal-{n}")["id"], range(len(made))
            )
        )
    for number, id in enumerate(ids[:_ENDED]):
        how: tuple[str, dict[str, str]] = (
            ("lose", {"reasonId": lost}) if number % 2 else ("win", {})
        )
        admin.post(f"/v1/deals/{id}:{how[0]}", how[1], f"demo-deal-ended-{number}")


def _products(admin: Client) -> dict[str, tuple[str, str]]:
    """Number -> (id, price); of the highest tax that the company's country has."""
    _first(admin, "/v1/taxClasses", "taxClasses")
    classes = admin.get("/v1/taxClasses?pageSize=50")["taxClasses"]
    tax = max(classes, key=lambda each: float(each["rates"][-1]["percent"]))["id"]
    found = {}
    for family, products in _FAMILIES.items():
        key = f"demo-family-{family}"
        family_id = admin.post("/v1/productFamilies", {"name": family}, key)["id"]
        for sku, name, unit, price, cost in products:
            body = {
                "sku": sku, "name": name, "unit": unit, "unitCost": cost, "familyId": family_id, "taxClassId": tax,
            }  # fmt: skip
            found[sku] = (admin.post("/v1/products", body, f"demo-product-{sku}")["id"], price)
    return found


def _first(admin: Client, path: str, plural: str) -> dict[str, Any]:
    """The first of what a new company is given; that happens by an event, so it may take a moment."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        found: list[dict[str, Any]] = admin.get(f"{path}?pageSize=50").get(plural, [])
        if found:
            return found[0]
        if time.monotonic() > until:
            raise TimeoutError(f"the company has no {plural} yet")
        time.sleep(0.1)  # until the event has been heard


def _deals(
    pipeline: dict[str, Any], products: list[str], contacts: list[dict[str, Any]], today: date
) -> list[dict[str, Any]]:
    chance = random.Random(31)
    found = []
    for number, contact in enumerate(contacts[:DEALS]):
        lines = [
            {"productId": id, "quantity": str(chance.randrange(1, 9))}
            for id in chance.sample(products, k=chance.randrange(1, 4))
        ]
        close = today + timedelta(days=chance.randrange(5, 75))
        found.append(
            {
                "title": _TITLES[number % len(_TITLES)], "contactId": contact["id"], "ownerId": contact["ownerId"],
                "pipelineId": pipeline["id"], "stageId": chance.choice(pipeline["stages"])["id"], "lines": lines,
                "expectedCloseDate": {"year": close.year, "month": close.month, "day": close.day},
                **({"companyId": contact["companyId"]} if "companyId" in contact else {}),
            }
        )  # fmt: skip
    return found
