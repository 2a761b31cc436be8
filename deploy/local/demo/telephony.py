"""The window shop's telephone: two lines, everybody's extension at the simulated exchange, some calls; and, with traffic, one that rings."""

import json
import random
import threading
from pathlib import Path
from typing import Any

from deploy.local.demo import people
from deploy.local.demo.client import Client, Refused

_PAUSE_S = (45.0, 120.0)
_TRIES, _AGAIN_S = 60, 0.5
_FIRST_EXTENSION = 101
_LINES = (
    {"name": "Sales", "number": "+48123450001", "purpose": "PURPOSE_SALES", "ringSeconds": 20},
    {
        "name": "Advertisement",
        "number": "+48123450002",
        "purpose": "PURPOSE_SALES",
        "campaign": "spring",
        "keyword": "plastic windows price",
    },
)
_STRANGER = "+48600700800"
_BEGINNING: tuple[tuple[str, int], ...] = (
    ("SCRIPT_ANSWERED", 0),
    ("SCRIPT_NO_ANSWER", 1),
    ("SCRIPT_HELD", 2),
    ("SCRIPT_ABANDONED", 3),
    ("SCRIPT_BLIND_TRANSFER", 4),
    ("SCRIPT_ANSWERED", 1),  # the first one who was missed calls again
)
"""What happened, and with which customer."""
_LIVE = ("SCRIPT_ANSWERED", "SCRIPT_ANSWERED", "SCRIPT_ANSWERED", "SCRIPT_NO_ANSWER", "SCRIPT_ABANDONED", "SCRIPT_HELD")  # fmt: skip


def create(
    admin: Client,
    colleagues: dict[str, dict[str, Any]],
    contacts: list[dict[str, Any]],
    sources: list[str],
) -> None:
    """Lines, extensions and some calls. Every step has a key of its own: run again, it changes nothing."""
    exchange = _exchange(admin)
    department = admin.get(f"/v1/users/{colleagues['siti@demo.example']['id']}")["departmentId"]
    sellers = _sellers(colleagues)
    for number, line in enumerate(_LINES):
        tracked = {"sourceId": sources[0]} if sources and "campaign" in line else {}
        body = {**line, **tracked, "connectionId": exchange, "departmentId": department, "record": True}  # fmt: skip
        admin.post("/v1/lines", body, f"demo-line-{number}")
    for at, colleague in enumerate(people.COLLEAGUES):
        body = {
            "number": str(_FIRST_EXTENSION + at),
            "connectionId": exchange,
            "userId": colleagues[colleague.email]["id"],
        }
        admin.post("/v1/extensions", body, f"demo-extension-{at}")
    for at, (script, customer) in enumerate(_BEGINNING):
        body = _call(script, _number(contacts[customer]), str(_LINES[0]["number"]), sellers[:2])
        # So long ago that whoever calls again is after it: all of them end when they are played.
        body |= {"ringSeconds": 45 * (len(_BEGINNING) - at), "atOnce": True}
        admin.post("/v1/telephony/simulator/calls", body, f"demo-call-{at}")
    stranger = _call("SCRIPT_NO_ANSWER", _STRANGER, str(_LINES[1]["number"]), sellers[:2])
    admin.post("/v1/telephony/simulator/calls", {**stranger, "atOnce": True}, "demo-call-stranger")


def keep_ringing(url: str, data_dir: Path, stop: threading.Event) -> None:
    """An incoming call now and then until `stop`; a refusal or an outage is no reason to leave."""
    chance = random.Random()
    while not stop.wait(chance.uniform(*_PAUSE_S)):
        try:
            _ring(_signed_in(url, data_dir), chance)
        except (Refused, OSError) as error:
            print(f"a call did not come through: {type(error).__name__}", flush=True)


def _ring(admin: Client, chance: random.Random) -> None:
    """A customer, or now and then a stranger, calls one of the lines."""
    page = admin.get("/v1/contacts?pageSize=50&orderBy=createTime")["contacts"]
    users = {user["email"]: user for user in admin.get("/v1/users?pageSize=100")["users"]}
    line = chance.choice(_LINES)
    number = _number(chance.choice(page)) if chance.random() < 0.7 else people.visitor(chance)[1]
    body = _call(chance.choice(_LIVE), number, str(line["number"]), _sellers(users))
    body |= {"ringSeconds": chance.randrange(5, 15), "talkSeconds": chance.randrange(10, 60)}
    admin.post("/v1/telephony/simulator/calls", body)


def _signed_in(url: str, data_dir: Path) -> Client:
    """The administrator, anew for each call: his access is short."""
    owner = json.loads((data_dir / "demo.json").read_text())["users"][0]
    login = {"email": owner["email"], "password": owner["password"]}
    return Client(url, Client(url).post("/v1/auth:login", login)["accessToken"])


def _exchange(admin: Client) -> str:
    """The simulated exchange, which a company has a moment after it began."""
    for _ in range(_TRIES):
        found = admin.get("/v1/telephoneConnections").get("connections", [])
        if found:
            return str(found[0]["id"])
        threading.Event().wait(_AGAIN_S)
    raise Refused(503, {"reason": "NO_EXCHANGE", "detail": "telephony has not begun; start again"})


def _sellers(users: dict[str, dict[str, Any]]) -> list[str]:
    return [users[c.email]["id"] for c in people.COLLEAGUES if c.role == "Salesperson"]


def _number(contact: dict[str, Any]) -> str:
    phones = contact.get("phones", [])
    return str(phones[0]["number"]) if phones else _STRANGER


def _call(script: str, number: str, to: str, user_ids: list[str]) -> dict[str, Any]:
    return {"script": script, "number": number, "toNumber": to, "userIds": user_ids}
