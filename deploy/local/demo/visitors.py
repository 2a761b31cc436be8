"""Simulated visitors: somebody posts the company's public form at a pace that a person can follow."""

import json
import random
import threading
from pathlib import Path

from deploy.local.demo import people
from deploy.local.demo.client import Client, Refused

_PAUSE_S = (15.0, 40.0)  # readable: one to look at while the last one is still on the screen
_SOURCES = (
    {
        "utmSource": "google",
        "utmMedium": "cpc",
        "utmCampaign": "spring",
        "keyword": "plastic windows price",
    },
    {"utmSource": "facebook", "utmMedium": "social", "utmCampaign": "before-after"},
    {"utmSource": "newsletter", "utmMedium": "email", "utmCampaign": "autumn"},
    {"referrer": "https://search.example/?q=okna", "landingPage": "https://shop.example/windows"},
)
_MESSAGES = (
    "How much for three windows?",
    "Ile kosztuje okno 120x140?",
    "Berapa harga pintu kaca?",
    "Bila boleh ukur?",
    "",
)


def keep_coming(url: str, data_dir: Path, stop: threading.Event) -> None:
    """Posts the form again and again until `stop`; a refusal or an outage is no reason to leave."""
    chance, client, known = random.Random(), Client(url), ""
    form_key = json.loads((data_dir / "demo.json").read_text())["form_key"]
    while not stop.wait(chance.uniform(*_PAUSE_S)):
        name, number = people.visitor(chance)
        if (
            known and chance.random() < 0.25
        ):  # somebody asks again, and types the number in another way
            number = f"{known[:3]} {known[3:6]}-{known[6:]}"
        known = number.replace(" ", "").replace("-", "")
        touch = chance.choice(_SOURCES)
        fields = {
            "name": name,
            "phone": number,
            "product": chance.choice(list(people.NEEDS)),
            "message": chance.choice(_MESSAGES),
        }
        body = {"fields": fields, "firstTouch": touch, "lastTouch": touch}
        if chance.random() < 0.05:
            body["honeypot"] = "buy followers"
        try:
            client.post(f"/v1/public/forms/{form_key}", body)
        except (Refused, OSError) as error:
            print(f"a visitor was not served: {type(error).__name__}", flush=True)
