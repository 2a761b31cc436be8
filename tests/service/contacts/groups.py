"""What the tests of segments and card facts share."""

from typing import Any

import orjson
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.testing.events import eventually
from chassis.testing.installation import Person
from crm.contacts.v1 import card_facts_pb2 as facts_pb
from crm.contacts.v1 import (
    card_facts_service_pb2_grpc,
    contact_pb2,
    operation_pb2,
    segments_service_pb2_grpc,
)
from crm.contacts.v1 import segment_pb2 as pb
from tests.service.contacts.world import World


class Groups:
    """Somebody at work with segments and card facts."""

    def __init__(self, world: World, person: Person | None = None) -> None:
        self.world, self.person = world, person or world.tenant.admin
        self.segments: Any = self.person.stub(segments_service_pb2_grpc.SegmentsServiceStub)
        self.facts: Any = self.person.stub(card_facts_service_pb2_grpc.CardFactsServiceStub)

    async def create(self, filter: str, *, told: bool = True, **values: Any) -> pb.Segment:
        """A segment; with `told`, once entering has been told for every record."""
        segment = pb.Segment(
            **{"label": "Group", "resource": "contacts", "filter": filter, **values}
        )
        made: pb.Segment = await self.segments.CreateSegment(
            pb.CreateSegmentRequest(segment=segment)
        )
        if told:
            await self.told(made)
        return made

    async def update(self, id: str, **values: Any) -> pb.Segment:
        made: pb.Segment = await self.segments.UpdateSegment(
            pb.UpdateSegmentRequest(
                segment=pb.Segment(id=id, **values), update_mask=FieldMask(paths=list(values))
            )
        )
        return made

    async def told(self, segment: pb.Segment) -> None:
        async def is_told() -> bool:
            rows = await self.world.running.rows(
                "contacts",
                "SELECT told_version = version AS told FROM segments WHERE id = $1",
                segment.id,
            )
            return bool(rows[0]["told"])

        await eventually(is_told, "the segment's evaluation")

    async def members(self, segment: pb.Segment, **asked: Any) -> list[str]:
        """The names of the records, as the list gives them."""
        answer = await self.segments.ListSegmentMembers(
            pb.ListSegmentMembersRequest(id=segment.id, **asked)
        )
        return [m.contact.display_name or m.company.name for m in answer.members]

    async def count(self, segment: pb.Segment) -> pb.SegmentCount:
        found: pb.SegmentCount = await self.segments.CountSegmentMembers(
            pb.CountSegmentMembersRequest(id=segment.id)
        )
        return found

    async def contains(self, segment: pb.Segment, **party: str) -> bool:
        request = pb.SegmentContainsRequest(id=segment.id, **party)
        return bool((await self.segments.SegmentContains(request)).contains)

    async def kept(self, segment: pb.Segment) -> set[str]:
        """The ids of those who are in it as it was told."""
        rows = await self.world.running.rows(
            "contacts", "SELECT party_id FROM segment_members WHERE segment_id = $1", segment.id
        )
        return {str(row["party_id"]) for row in rows}

    async def until_kept(self, segment: pb.Segment, *ids: str) -> None:
        async def there() -> bool:
            return await self.kept(segment) == set(ids)

        await eventually(there, f"{len(ids)} members")

    async def moves(self, count: int) -> list[dict[str, Any]]:
        """All Entered and Left events of the tenant in their order, once there are as many; the short name is `type`."""
        await self.world.published()
        found: list[dict[str, Any]] = []
        stream = self.world.running.process.nats.js
        subject = f"crm.{self.world.tenant.id}.contacts.*"

        async def there() -> bool:
            found[:] = [
                event | {"type": name}
                for name, event in await _stored(stream, subject)
                if name.endswith("Segment")
            ]
            return len(found) >= count

        await eventually(there, f"{count} events of segments")
        assert len(found) == count, found
        return found

    async def stored(self, name: str) -> list[dict[str, Any]]:
        """The bodies of the tenant's events of this name that are in the stream."""
        subject = f"crm.{self.world.tenant.id}.contacts.{name}"
        js = self.world.running.process.nats.js
        return [body for _, body in await _stored(js, subject)]

    async def of_contact(self, id: str) -> facts_pb.CardFacts:
        found: facts_pb.CardFacts = await self.facts.GetContactFacts(
            facts_pb.GetContactFactsRequest(id=id)
        )
        return found

    async def of_company(self, id: str) -> facts_pb.CardFacts:
        found: facts_pb.CardFacts = await self.facts.GetCompanyFacts(
            facts_pb.GetCompanyFactsRequest(id=id)
        )
        return found

    async def until_facts(self, id: str, **values: Any) -> facts_pb.CardFacts:
        """The contact's facts, once they have these values."""

        async def there() -> bool:
            found = await self.of_contact(id)
            return all(getattr(found, name) == value for name, value in values.items())

        await eventually(there, f"facts {values}")
        return await self.of_contact(id)

    async def finished(self, operation: Any) -> Any:
        """The operation, once it is over."""
        request = operation_pb2.GetOperationRequest(id=operation.name.rpartition("/")[2])
        found: list[Any] = []

        async def over() -> bool:
            found[:] = [await self.world.stub(self.person).GetOperation(request)]
            return bool(found[0].done)

        await eventually(over, "the end of the operation", timeout_s=60)
        return found[0]

    async def change(self, id: str, **values: Any) -> contact_pb2.Contact:
        request = contact_pb2.UpdateContactRequest(
            contact=contact_pb2.Contact(id=id, **values), update_mask=FieldMask(paths=list(values))
        )
        changed: contact_pb2.Contact = await self.world.admin.UpdateContact(request)
        return changed


async def _stored(js: Any, subject: str) -> list[tuple[str, dict[str, Any]]]:
    """(name, body) of everything in the stream under this subject."""
    info = await js.stream_info("CONTACTS", subjects_filter=subject)
    total = sum((info.state.subjects or {}).values())
    if not total:
        return []
    subscription = await js.subscribe(subject, stream="CONTACTS", ordered_consumer=True)
    try:
        messages = [await subscription.next_msg(timeout=10) for _ in range(total)]
    finally:
        await subscription.unsubscribe()
    return [(m.subject.rpartition(".")[2], orjson.loads(m.data)) for m in messages]
