"""telephony's part when somebody leaves: the lines stop ringing at his phone, his extension goes to who follows, calls stay his."""

from typing import Any

from chassis.call import Cause
from chassis.keys import uuid7
from crm.identity.v1 import handover_events_pb2 as stages
from crm.identity.v1.handover_pb2 import Handover, HandoverRule
from services.telephony import handovers, store
from tests.service.telephony.scenes import Scene
from tests.service.telephony.world import World

_HEAR = handovers.parts.consumers[0]


async def stage(world: World, event: type, handover: Handover, answer: str) -> dict[Any, int]:
    """Tells telephony of a stage; (object, field) -> how many records, as it answers."""
    told = event(handover=handover)
    told.change.actor.kind = "system"
    runtime = world.running.process.runtimes["telephony"]
    await runtime.run_system(world.tenant.id, Cause("event"), lambda tx: _HEAR(told, tx))
    (found,) = await world.running.events(world.tenant, answer, count=1, timeout_s=60)
    return {(c["object"], c["field"]): int(c["count"]) for c in found["part"].get("counts", [])}


async def test_lines_and_extensions_go_and_come_back_and_calls_stay(world: World) -> None:
    leaver, heir, colleague = [await world.agent() for _ in range(3)]
    exchange = await world.exchange()
    line = await world.line(connection_id=exchange.id, user_ids=[leaver.id, colleague.id])
    extension = await world.extension(exchange.id, user_id=leaver.id)
    scene = Scene(world, exchange)
    await scene.rings("101")
    await scene.answers("101")
    call = await scene.ends("101")
    handover = Handover(
        id=uuid7(), owner_id=leaver.id, kind=Handover.KIND_LEAVER, rules=[HandoverRule(user_ids=[heir.id])], round=1,
    )  # fmt: skip

    async def there() -> tuple[list[str], str]:
        a_line = await world.system(lambda tx: store.lines.find(tx, line.id))
        mine = await world.system(lambda tx: store.extensions.find(tx, extension.id))
        return list(a_line.user_ids), mine.user_id

    planned = await stage(world, stages.HandoverProposed, handover, "HandoverPreviewed")
    assert planned == {("line", "user_ids"): 1, ("extension", "user_id"): 1}
    assert await there() == ([leaver.id, colleague.id], leaver.id)
    assert await stage(world, stages.HandoverConfirmed, handover, "HandoverDone") == planned
    assert await there() == ([colleague.id], heir.id)
    assert (await world.call(call.id)).owner_id == leaver.id
    await stage(world, stages.HandoverReverted, handover, "HandoverReturned")
    assert await there() == ([leaver.id, colleague.id], leaver.id)


async def test_an_absence_changes_nothing_about_lines_and_extensions(world: World) -> None:
    away, heir = [await world.agent() for _ in range(2)]
    exchange = await world.exchange()
    await world.line(connection_id=exchange.id, user_ids=[away.id])
    await world.extension(exchange.id, user_id=away.id)
    handover = Handover(
        id=uuid7(), owner_id=away.id, kind=Handover.KIND_TEMPORARY, rules=[HandoverRule(user_ids=[heir.id])], round=1,
    )  # fmt: skip
    assert await stage(world, stages.HandoverProposed, handover, "HandoverPreviewed") == {}
