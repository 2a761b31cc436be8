"""Random merges and undos, in any order, chains among them, end where they began."""

import random
from typing import Any

import pytest

from crm.contacts.v1 import note_pb2, notes_service_pb2_grpc, request_pb2
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import World

pytestmark = pytest.mark.large

STEPS = 25
WORDS = ("ada", "bob", "cyd", "dan", "eve")


@pytest.fixture
def merging(world: World) -> Merging:
    return Merging(world)


class Base:
    """A few companies, people, requests and notes that refer to each other, made by chance."""

    def __init__(self, merging: Merging, chance: random.Random) -> None:
        self.merging, self.chance = merging, chance
        self.companies: list[Any] = []
        self.contacts: list[Any] = []

    async def populate(self) -> None:
        for number in range(4):
            self.companies.append(
                await self.merging.company(
                    name=f"Company {number}", domains=self._some(["a.pl", "b.pl", "c.pl"]),
                    relations=[{"company_id": c.id, "kind": "owner"} for c in self._some(self.companies)],
                )
            )  # fmt: skip
        for number in range(7):
            self.contacts.append(await self.merging.contact(**self._person(number)))
        for contact in self.contacts:
            await self._attach(contact)

    def _person(self, number: int) -> dict[str, Any]:
        values: dict[str, Any] = {
            "given_name": self.chance.choice(WORDS),
            "phones": [{"number": f"+4860123450{n}"} for n in self._some(range(4))],
            "emails": [{"address": f"{word}@example.com"} for word in self._some(WORDS)],
            "relations": [
                {"contact_id": c.id, "kind": self.chance.choice(("friend", "boss"))} for c in self._some(self.contacts)
            ],
            "external_ids": [{"system": s, "id": f"{number}"} for s in self._some(("shop", "erp"))],
        }  # fmt: skip
        if self.chance.random() < 0.7:
            values["company_id"] = self.chance.choice(self.companies).id
        if self.chance.random() < 0.5:
            values["position"] = self.chance.choice(WORDS)
        if self.contacts and self.chance.random() < 0.5:
            values["referrer"] = {"contact_id": self.chance.choice(self.contacts).id}
        return values

    async def _attach(self, contact: Any) -> None:
        world = self.merging.world
        request = request_pb2.Request(
            text="x", contact_id=contact.id, company_id=self.chance.choice(self.companies).id
        )
        await world.admin.CreateRequest(request_pb2.CreateRequestRequest(request=request))
        notes = world.tenant.admin.stub(notes_service_pb2_grpc.NotesServiceStub)
        await notes.CreateNote(
            note_pb2.CreateNoteRequest(note=note_pb2.Note(text="n", contact_id=contact.id))
        )

    def _some(self, items: Any) -> list[Any]:
        return [item for item in items if self.chance.random() < 0.4]


async def references_live(merging: Merging) -> None:
    """Whoever lives refers only to whoever lives."""
    state = await merging.state()
    gone = {key.partition("/")[2] for key in state if key.startswith("merged/")}
    for key, value in state.items():
        if isinstance(value, dict) and "deleteTime" not in value:
            named = {value.get(name) for name in ("contactId", "companyId")}
            for relation in (*value.get("relations", ()), value.get("referrer", {})):
                named |= {relation.get("contactId"), relation.get("companyId")}
            assert not named & gone, key
            assert value["id"] not in {r.get("contactId") for r in value.get("relations", ())}, key


@pytest.mark.parametrize("seed", range(3))
async def test_random_merges_and_undos_end_where_they_began(merging: Merging, seed: int) -> None:
    chance = random.Random(seed)
    base = Base(merging, chance)
    await base.populate()
    begun = await merging.state()
    kinds = {"contact": base.contacts, "company": base.companies}
    living = {kind: list(records) for kind, records in kinds.items()}
    by_id = {record.id: (kind, record) for kind, records in kinds.items() for record in records}
    standing: list[Any] = []

    async def undo_one() -> None:
        merge = standing.pop(chance.randrange(len(standing)))
        answer = await merging.undo(merge)
        assert not [k for k in answer.kept if k.reason != k.REASON_ADDED_SINCE], answer.kept
        for id in merge.merged_ids:
            kind, record = by_id[id]
            living[kind].append(record)

    for _ in range(STEPS):
        kind = chance.choice(("contact", "contact", "company"))
        if standing and chance.random() < 0.4:
            await undo_one()
        elif len(living[kind]) > 1:
            survivor, *merged = chance.sample(
                living[kind], chance.randint(2, min(3, len(living[kind])))
            )
            standing.append(await merging.merge(survivor, *merged))
            for record in merged:
                living[kind].remove(record)
        await references_live(merging)
    while standing:
        await undo_one()
        await references_live(merging)
    assert await merging.state() == begun
