"""Makes the window shop through the API. May be cut off and run again: every step has a key of its own."""

import json
import os
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deploy.local.demo import deals, people, tasks, telephony
from deploy.local.demo.client import Client, Refused

CONTACTS, COMPANIES = 200, 60
_AT_ONCE = 8


def create(url: str, setup_token: str, data_dir: Path) -> None:
    """Makes the company and leaves `demo.json` for the start screen, scripts and the simulated visitors."""
    demo_file = data_dir / "demo.json"
    passwords = _passwords(demo_file)
    admin = _sign_in(url, setup_token, passwords)
    colleagues = _people(admin, passwords)
    catalogue = _catalogue(admin)
    form = _form(admin, colleagues)
    contacts = _customers(admin, colleagues, catalogue)
    tasks.create(admin, colleagues, contacts)
    deals.create(admin, contacts)
    telephony.create(admin, colleagues, contacts, catalogue["sources"])
    tries = [
        f"open the form a customer sees:   {url}/forms/{form['key']}",
        f"post it with curl:               curl -X POST {url}/v1/public/forms/{form['key']} -H 'content-type: application/json'"
        ' -d \'{"fields": {"name": "Wanda", "phone": "601 000 111", "product": "windows"}}\'',
        'watch it arrive:                 see "Subscribe" in README.md',
    ]
    _write(demo_file, _users(passwords), tries, form["key"])


def _passwords(demo_file: Path) -> dict[str, str]:
    """Each colleague's password: made once, kept even if the first start is cut off."""
    if demo_file.exists():
        return {
            user["email"]: user["password"] for user in json.loads(demo_file.read_text())["users"]
        }
    passwords = {c.email: secrets.token_urlsafe(9) for c in people.COLLEAGUES}
    _write(demo_file, _users(passwords), [], "")
    return passwords


def _users(passwords: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"email": c.email, "password": passwords[c.email], "role": c.title}
        for c in people.COLLEAGUES
    ]


def _write(demo_file: Path, users: list[dict[str, str]], tries: list[str], form_key: str) -> None:
    fresh = demo_file.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"users": users, "try": tries, "form_key": form_key}, file, indent=1)
    fresh.replace(demo_file)


def _sign_in(url: str, setup_token: str, passwords: dict[str, str]) -> Client:
    owner, stranger = people.COLLEAGUES[0], Client(url)
    company = {
        "name": "Okno Jendela",
        "country": "PL",
        "currency": "PLN",
        "language": "en",
        "timeZone": "Europe/Warsaw",
    }
    administrator = {"email": owner.email, "password": passwords[owner.email], "name": owner.name}
    try:
        stranger.post(
            "/v1/setup", {"token": setup_token, "company": company, "administrator": administrator}
        )
    except Refused as refusal:
        if refusal.status == 429 or refusal.status >= 500:
            raise
    answer = stranger.post(
        "/v1/auth:login", {"email": owner.email, "password": passwords[owner.email]}
    )
    return Client(url, answer["accessToken"])


def _people(admin: Client, passwords: dict[str, str]) -> dict[str, dict[str, Any]]:
    """email -> user, for everybody; departments with heads and deputies."""
    roles = {role["name"]: role["id"] for role in admin.get("/v1/roles?pageSize=100")["roles"]}
    departments: dict[str, dict[str, Any]] = {}
    for name, (parent, _, _) in people.DEPARTMENTS.items():
        body = {"name": name, **({"parentId": departments[parent]["id"]} if parent else {})}
        departments[name] = admin.post("/v1/departments", body, f"demo-department-{name}")
    found = {user["email"]: user for user in admin.get("/v1/users?pageSize=100")["users"]}
    for colleague in people.COLLEAGUES:
        place = {"departmentId": departments[colleague.department]["id"]}
        if colleague.email in found:
            admin.patch(f"/v1/users/{found[colleague.email]['id']}", place)
            continue
        body = {
            "email": colleague.email,
            "name": colleague.name,
            "roleIds": [roles[colleague.role]],
            **place,
        }
        user = found[colleague.email] = admin.post("/v1/users", body)
        _join(admin, user["id"], passwords[colleague.email])
    for name, (_, head, deputy) in people.DEPARTMENTS.items():
        body = {
            "headId": found[head]["id"],
            **({"deputyId": found[deputy]["id"]} if deputy else {}),
        }
        admin.patch(f"/v1/departments/{departments[name]['id']}", body)
    return found


def _join(admin: Client, user_id: str, password: str) -> None:
    link = admin.post(f"/v1/users/{user_id}:invite", {})
    Client(admin.url).post(
        "/v1/auth:acceptInvitation", {"token": link["token"], "password": password}
    )


def _catalogue(admin: Client) -> dict[str, list[str]]:
    """The ids of needs, labels and sources; and one custom field, so that there is one to see."""
    needs = [
        admin.post("/v1/needs", {"key": k, "name": n}, f"demo-need-{k}")["id"]
        for k, n in people.NEEDS.items()
    ]
    labels = [
        admin.post("/v1/labels", {"name": n, "color": c}, f"demo-label-{n}")["id"]
        for n, c in people.LABELS.items()
    ]
    field = {
        "resource": "contacts",
        "key": "window_count",
        "label": "Windows in the house",
        "type": "CUSTOM_FIELD_TYPE_NUMBER",
        "filterable": True,
    }
    admin.post("/v1/customFields", field, "demo-window-count")
    sources = [s["id"] for s in admin.get("/v1/sources?pageSize=50").get("sources", [])]
    return {"needs": needs, "labels": labels, "sources": sources}


def _form(admin: Client, colleagues: dict[str, dict[str, Any]]) -> dict[str, Any]:
    sales = colleagues["marek@demo.example"]["id"]
    department = admin.get(f"/v1/users/{sales}")["departmentId"]
    choices = list(people.NEEDS)
    fields = [
        {
            "key": "name",
            "label": "Your name",
            "type": "TYPE_TEXT",
            "meaning": "MEANING_NAME",
            "required": True,
        },
        {
            "key": "phone",
            "label": "Telephone",
            "type": "TYPE_PHONE",
            "meaning": "MEANING_PHONE",
            "required": True,
        },
        {"key": "email", "label": "E-mail", "type": "TYPE_EMAIL", "meaning": "MEANING_EMAIL"},
        {"key": "product", "label": "What do you need?", "type": "TYPE_CHOICE", "choices": choices},
        {
            "key": "message",
            "label": "Tell us more",
            "type": "TYPE_LONG_TEXT",
            "meaning": "MEANING_TEXT",
        },
    ]
    body = {
        "name": "Price request",
        "title": "Windows measured for free",
        "fields": fields,
        "departmentId": department,
        "assignment": {"rule": "RULE_ROUND_ROBIN", "keepContactOwner": True},
        "submitText": "Call me back",
        "thankYouText": "Thank you! We will call you within 15 minutes.",
        "language": "en",
        "rateLimitPerMinute": 120,
    }
    return admin.post("/v1/forms", body, "demo-form")  # type: ignore[no-any-return]


def _customers(
    admin: Client, colleagues: dict[str, dict[str, Any]], catalogue: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """Companies and the contacts that are returned."""
    chance = random.Random(23)
    owners = [colleagues[c.email]["id"] for c in people.COLLEAGUES if c.role == "Salesperson"]
    firms = [{**firm, "ownerId": chance.choice(owners)} for firm in people.companies(COMPANIES)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ids = list(
            pool.map(
                lambda n: admin.post("/v1/companies", firms[n], f"demo-company-{n}")["id"],
                range(len(firms)),
            )
        )
        persons = []
        for person in people.contacts(CONTACTS):
            person["ownerId"] = chance.choice(owners)
            person["needs"] = [
                {
                    "needId": chance.choice(catalogue["needs"]),
                    "origin": "ORIGIN_STATED",
                    "strength": 3,
                }
            ]
            if chance.random() < 0.3:
                person |= {
                    "companyId": chance.choice(ids),
                    "position": chance.choice(("Buyer", "Owner", "Site manager")),
                }
            if chance.random() < 0.4:
                person["labelIds"] = [chance.choice(catalogue["labels"])]
            if catalogue["sources"]:
                person["sourceId"] = chance.choice(catalogue["sources"])
            person["custom"] = {"window_count": chance.randrange(1, 20)}
            persons.append(person)
        return list(
            pool.map(
                lambda n: admin.post("/v1/contacts", persons[n], f"demo-contact-{n}"),
                range(len(persons)),
            )
        )
