"""What the window shop has to do: a type for measuring, and some open tasks for each salesperson."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.local.demo import people
from deploy.local.demo.client import Client

_EACH = 5  # open tasks of a salesperson
_SUBJECTS = (
    "Call about the offer",
    "Send the new catalogue",
    "Ask for the drawing",
    "Agree on a date",
)

_MEASURE: dict[str, Any] = {
    "key": "measure",
    "name": "Measure windows",
    "kind": "KIND_VISIT",
    "estimatedMinutes": 45,
    "color": "#1f6f8b",
    "outcomes": [
        {"key": "measured", "label": "Measured"},
        {"key": "nobody_home", "label": "Nobody was at home", "withoutResult": True},
    ],
    "resultFields": [
        {"key": "width_mm", "label": "Width", "type": "CUSTOM_FIELD_TYPE_NUMBER", "required": True, "min": 200, "max": 6000, "unit": "mm"},
        {"key": "height_mm", "label": "Height", "type": "CUSTOM_FIELD_TYPE_NUMBER", "required": True, "min": 200, "max": 4000, "unit": "mm"},
        {"key": "count", "label": "How many", "type": "CUSTOM_FIELD_TYPE_NUMBER", "required": True, "min": 1, "max": 500},
        {"key": "photo", "label": "Photo", "type": "CUSTOM_FIELD_TYPE_FILE"},
    ],
}  # fmt: skip


def create(
    admin: Client, colleagues: dict[str, dict[str, Any]], contacts: list[dict[str, Any]]
) -> None:
    """The measuring type, and tasks about the salespeople's own customers; the same on every machine but for the days."""
    measure = admin.post("/v1/taskTypes", _MEASURE, "demo-type-measure")["id"]
    # Of the company's own first day, not of now: run again, it must send the same under the same keys.
    today = datetime.fromisoformat(contacts[0]["createTime"][:10]).replace(tzinfo=UTC)
    chance = random.Random(29)
    for colleague in people.COLLEAGUES:
        if colleague.role != "Salesperson":
            continue
        owner_id = colleagues[colleague.email]["id"]
        own = [contact["id"] for contact in contacts if contact.get("ownerId") == owner_id]
        for number, contact_id in enumerate(own[:_EACH]):
            key = f"demo-task-{colleague.email}-{number}"
            due = today + timedelta(days=number + 1, hours=chance.randrange(8, 16))
            task = {"ownerId": owner_id, "link": {"contactId": contact_id}}
            admin.post("/v1/tasks", task | _kind(number, due, measure, chance), key)


def _kind(number: int, due: datetime, measure: str, chance: random.Random) -> dict[str, Any]:
    """Every fifth is a visit, the others are calls and letters."""
    at = due.isoformat().replace("+00:00", "Z")
    if number % _EACH:
        return {"subject": chance.choice(_SUBJECTS), "dueTime": at}
    visit = {"place": "Długa 7, Kraków", "appointmentTime": at, "durationMinutes": 45, "travelMinutes": 30}  # fmt: skip
    return {"subject": "Measure the windows", "typeId": measure, "visit": visit}
