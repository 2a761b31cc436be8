"""B6: the card of a customer in one call, beside a plain read of the same customer, in rounds."""

from statistics import median

from deploy.local.demo.client import Client
from tests.bench.company import Company
from tests.bench.installation import Installation, until
from tests.bench.load import request, run
from tests.bench.rates import Rounds, job_of
from tests.bench.report import Result, at_most, told

_BUDGET = 4.0
_CUSTOMERS = 16
_WARM_UP_S = 5.0  # until the databases have found their shares of the connections, and each knows its statements
_DEALS, _TASKS, _NOTES = 3, 3, 2


def measure(
    installation: Installation, company: Company, rounds: int, seconds: float
) -> list[Result]:
    """The cards of customers of the running installation for whom there is something of everything."""
    admin = company.sign_in(installation)
    ids = [_customer(admin, number) for number in range(_CUSTOMERS)]
    for id in ids:
        until(lambda id=id: _is_whole(admin, id), f"the card of {id}", 60)  # type: ignore[misc]
    found = Rounds(seconds)
    cards = [request("GET", f"/v1/contacts/{id}/card", admin.token) for id in ids]
    run(job_of(installation, cards, _WARM_UP_S))
    for _ in range(rounds):
        token = company.sign_in(installation).token
        for name, path in (("get", "/v1/contacts/{}"), ("card", "/v1/contacts/{}/card")):
            requests = [request("GET", path.format(id), token) for id in ids]
            asked = job_of(installation, requests, seconds)
            found.of.setdefault(name, []).append(run(asked))
    shares = [c.cpu_us / g.cpu_us for c, g in zip(found.of["card"], found.of["get"], strict=True)]
    what = f"card of a customer with {_DEALS} deals, {_TASKS} tasks, {_NOTES} notes, c=16"
    return [
        at_most("B6", f"{what}, CPU / GET one contact", median(shares), "", _BUDGET),
        told("B6", "card, CPU of application and PostgreSQL", found.middle("card", "cpu_us"), "us"),
        told("B6", "GET of the same contacts, CPU", found.middle("get", "cpu_us"), "us"),
        told("B6", "card", found.middle("card", "rate"), "1/s"),
        told("B6", "card, p99", found.middle("card", "p99_ms"), "ms"),
    ]


def _customer(admin: Client, number: int) -> str:
    """Somebody with a company, deals, tasks and pinned notes."""
    company = admin.post("/v1/companies", {"name": f"Windows {number} Ltd"})
    body = {"givenName": "Wanda", "familyName": f"Card{number}", "companyId": company["id"]}
    id = str(admin.post("/v1/contacts", body)["id"])
    for at in range(_DEALS):
        admin.post("/v1/deals", {"title": f"Deal {at}", "contactId": id, "amount": "100"})
    for at in range(_TASKS):
        admin.post("/v1/tasks", {"subject": f"Call {at}", "link": {"contactId": id}})
    for at in range(_NOTES):
        admin.post("/v1/notes", {"contactId": id, "text": f"Note {at}", "pinned": True})
    return id


def _is_whole(admin: Client, id: str) -> bool:
    """Whether everything that is about the customer is on his card."""
    card = admin.get(f"/v1/contacts/{id}/card")
    told_of = len(card["timeline"]) > _DEALS + _TASKS
    parts = {"openDeals": _DEALS, "openTasks": _TASKS, "notes": _NOTES}
    return told_of and all(len(card[name]) == count for name, count in parts.items())
