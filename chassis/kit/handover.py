"""A service's part of handovers: it counts what would go to whom, moves it, and gives it back, each step one transaction.

The records of one person go to others because he leaves or is away. identity asks by events, a service answers by events of
its own contract; it takes part by one line in its manifest:

    parts = Owner(metadata, [Held(store.deals), Held(store.deals, field="follower_ids")])
    service = Service(..., consumers=[*parts.consumers], operations=[*parts.operations])

How far a stage is lies in a row that each step locks and moves on in the transaction of its effect. So a step happens once,
however often its process is killed, and a stage that was overtaken (proposed anew, retried, reverted) ends at its next step.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import MetaData

from chassis import contracts, errors
from chassis.call import Actor, Cause
from chassis.handlers import on, operation
from chassis.kit import bulk, handover_held, handover_moves
from chassis.kit.handover_asked import MOVE, OVER, PREVIEW, RETURN, STAGES, Asked, asked_by
from chassis.kit.handover_held import Held
from chassis.kit.handover_moves import BATCH, DONE, KEPT, PLANNED, RETURNED, Move
from chassis.kit.handover_rules import Described, Key, Rules, described
from chassis.operation_runs import OperationRun
from chassis.operations import OperationCancelled
from chassis.tx import Tx
from crm.common.v1 import handover_pb2 as pb
from crm.identity.v1 import absence_events_pb2

_PASSES = 50
"""How often all kinds are looked through again because somebody was given records meanwhile."""
_FIRST = ("1970-01-01T00:00:00+00:00", "00000000-0000-0000-0000-000000000000")

Describe = Callable[[Tx, str, Sequence[Any]], Awaitable[list[Described]]]
After = Callable[[Tx, str, Sequence[Any], Actor, Cause], Awaitable[None]]


class NobodyToReceive(errors.FailedPrecondition):
    """The rules name nobody who works here."""

    reason = "HANDOVER_NOBODY"

    def __init__(self, object: str, id: str) -> None:
        super().__init__(
            f"no rule of the handover names an active user for the {object} {id};"
            " let the last rule name somebody who works here, then retry"
        )


def _concerns(event: Any) -> bool:
    return not event.change.republished


class Owner:
    """The part of one service. `describe` tells what rules look at, `after` does what belongs to a step."""

    def __init__(
        self,
        metadata: MetaData,
        held: Sequence[Held],
        *,
        describe: Describe | None = None,
        after: After | None = None,
    ) -> None:
        self._package, self._held = metadata.info["package"], tuple(held)
        self._service = contracts.service_of(self._package)
        self._describe, self._after = describe or _described, after
        self._kinds = {one.object: one.resource for one in self._held}
        self.consumers = (
            on(*STAGES, durable=f"{self._service}-handovers", wants=_concerns)(self._hearing()),
        )
        self.operations = tuple(
            operation(kind)(self._carrying_out(kind, body))
            for kind, body in ((PREVIEW, self._preview), (MOVE, self._move), (RETURN, self._give_back))
        )  # fmt: skip

    async def lend(
        self, tx: Tx, object: str, id: str, absence_id: str, absent: str, stand_in: str
    ) -> None:
        """Notes that a new record went to who stands in; if it is not done, it goes to the absent one when he is back."""
        move = Move(object, id, "owner_id", absent, stand_in)
        await handover_moves.keep(tx, absence_id, [move], DONE)

    # -- hearing -----------------------------------------------------------------------------------

    def _hearing(self) -> Callable[[Any, Tx], Awaitable[None]]:
        async def hear(event: Any, tx: Tx) -> None:
            """identity asks for a preview, the moves or the return; it all happens in an operation."""
            stage, change = STAGES[type(event)], event.change
            wanted = asked_by(event)
            if stage is OVER:
                await handover_moves.forget(tx, wanted.id)
                return
            if isinstance(event, absence_events_pb2.AbsenceEnded) and not (
                await handover_moves.any_standing(tx, wanted.id)
            ):
                return
            await handover_moves.begin(tx, wanted.id, stage, wanted.round)
            actor = change.actor
            tx.actor = Actor(actor.kind or "system", actor.id, actor.user_id)
            await tx.start_operation(stage, event)

        return hear

    def _carrying_out(
        self, stage: str, step: Callable[[OperationRun, Tx, Asked, dict[str, Any]], Awaitable[bool]]
    ) -> Callable[[OperationRun], Awaitable[None]]:  # fmt: skip
        async def carry_out(run: OperationRun) -> None:
            """Steps until the stage is over or overtaken; a refusal is told to identity."""
            wanted = asked_by(run.request)

            async def one(tx: Tx) -> bool:
                place = await handover_moves.place(tx, wanted.id, stage, wanted.round)
                if place is None:
                    return False
                tx.actor = run.actor
                more = await step(run, tx, wanted, place)
                await handover_moves.keep_place(tx, wanted.id, stage if more else OVER, place)
                return more

            async def failed(tx: Tx, why: errors.CrmError) -> None:
                if await handover_moves.place(tx, wanted.id, stage, wanted.round) is not None:
                    await handover_moves.keep_place(tx, wanted.id, OVER, {})
                    self._answer(
                        tx,
                        "HandoverFailed",
                        wanted,
                        pb.HandoverPart.STATE_FAILED,
                        error=str(why)[:900],
                    )

            try:
                while await run.write(one):
                    pass
            except (OperationCancelled, errors.Unavailable):
                raise
            except errors.CrmError as refusal:
                why = refusal
                await run.write(lambda tx: failed(tx, why))
                raise

        return carry_out

    # -- the three stages: each step does a part, moves `place` on, and says whether there is more --------

    async def _preview(
        self, run: OperationRun, tx: Tx, wanted: Asked, place: dict[str, Any]
    ) -> bool:
        held, handover, at = self._of(wanted), wanted.handover, place.setdefault("at", 0)
        turns = place.setdefault("turns", {})
        if not place.get("begun"):
            place["begun"] = True
            await handover_moves.forget_plan(tx, wanted.id)
        if at == len(held):
            self._answer(
                tx, "HandoverPreviewed", wanted, pb.HandoverPart.STATE_PREVIEWED,
                counts=await self._counts(tx, wanted, PLANNED), left_count=await self._left(tx, wanted),
            )  # fmt: skip
            return False
        one, after = held[at], place.get("after", _FIRST)
        rows = await self._page(tx, one, wanted, after)
        if not rows:
            place["at"], place["after"] = at + 1, _FIRST
            return True
        records = [one.resource.message.FromString(row["doc"]) for row in rows]
        rules = Rules(handover, tx.directory, turns)
        chosen = await self._choose(tx, wanted, one, rules, records)
        moves = [
            handover_held.planned(one, record, wanted.user_id, chosen.get(record.id, ""))
            for record in records
        ]
        await handover_moves.keep(tx, wanted.id, moves, PLANNED)
        place["after"] = (rows[-1]["create_time"].isoformat(), str(rows[-1]["id"]))
        return True

    async def _move(self, run: OperationRun, tx: Tx, wanted: Asked, place: dict[str, Any]) -> bool:
        held, at = self._of(wanted), place.setdefault("at", 0)
        turns = place.setdefault("turns", {})
        if at == len(held):
            left = await self._left(tx, wanted)
            if left:  # given to him while we worked, or somebody else was writing to it
                place["at"], place["passes"] = 0, place.get("passes", 0) + 1
                if place["passes"] > _PASSES:
                    raise errors.Aborted(f"{left} records are still given to the user; retry")
                return True
            self._answer(
                tx, "HandoverDone", wanted, pb.HandoverPart.STATE_DONE,
                counts=await self._counts(tx, wanted, DONE), left_count=left,
            )  # fmt: skip
            return False
        one = held[at]
        rows = await self._page(tx, one, wanted, _FIRST)
        if rows:
            rules = Rules(wanted.handover, tx.directory, turns)
            await self._move_rows(tx, wanted, one, rules, rows)
            run.done += len(rows)
        if len(rows) < BATCH:
            place["at"] = at + 1
        return True

    async def _move_rows(
        self, tx: Tx, wanted: Asked, one: Held, rules: Rules, rows: Sequence[Any]
    ) -> None:
        records = [one.resource.message.FromString(row["doc"]) for row in rows]
        chosen = await self._choose(tx, wanted, one, rules, records)
        moves, writes = {}, []
        for row, record in zip(rows, records, strict=True):
            moves[record.id] = move = handover_held.planned(
                one, record, wanted.user_id, chosen.get(record.id, "")
            )
            handover_held.name(one, record, move.from_user_id, move.to_user_id)
            writes.append(bulk.Write(record, row["doc"]))
        outcome = await bulk.write(tx, one.resource, writes, cause=wanted.cause)
        written = [record for record in records if record.id in outcome.written]
        done = [replace(moves[record.id], version=int(record.etag)) for record in written]
        await handover_moves.keep(tx, wanted.id, done, DONE)
        if self._after is not None and written:
            await self._after(tx, one.object, written, tx.actor, wanted.cause)

    async def _give_back(
        self, run: OperationRun, tx: Tx, wanted: Asked, place: dict[str, Any]
    ) -> bool:
        objects, at = (
            list(self._kinds)[::-1],
            place.setdefault("at", 0),
        )  # the first moved comes last
        if at == len(objects):
            await handover_moves.forget_plan(tx, wanted.id)
            self._answer(
                tx, "HandoverReturned", wanted, pb.HandoverPart.STATE_RETURNED,
                counts=await self._counts(tx, wanted, RETURNED), kept=await handover_moves.named(tx, wanted.id),
            )  # fmt: skip
            return False
        moves = await handover_moves.standing(tx, wanted.id, objects[at])
        if moves:
            await self._return_moves(tx, wanted, objects[at], moves)
            run.done += len(moves)
        if len(moves) < BATCH:
            place["at"] = at + 1
        return True

    async def _return_moves(
        self, tx: Tx, wanted: Asked, object: str, moves: Sequence[Move]
    ) -> None:
        resource, cause = self._kinds[object], wanted.cause_of_return
        ids = list(dict.fromkeys(move.record_id for move in moves))
        docs = {
            str(row["id"]): row["doc"]
            for row in await tx.fetch(handover_held.by_ids(resource), ids=ids)
        }
        records = {id: resource.message.FromString(doc) for id, doc in docs.items()}
        ends: dict[str, list[tuple[Move, int, int]]] = {id: [] for id in ids}
        newest = {id: max(m.version for m in moves if m.record_id == id) for id in ids}
        for move in moves:
            held = next(
                one for one in self._held if (one.object, one.field) == (object, move.field)
            )
            record = records.get(move.record_id)
            reason = handover_held.why_not(held, record, move, lent=wanted.is_lent)
            if reason is None:
                changed = 0 < newest[move.record_id] < int(records[move.record_id].etag)
                handover_held.name_again(held, record, move)
                reason = pb.HandoverKept.REASON_CHANGED if changed else 0
                ends[move.record_id].append((move, RETURNED, reason))
            else:
                ends[move.record_id].append((move, KEPT, reason))
        given = [id for id in ids if any(state == RETURNED for _, state, _ in ends[id])]
        writes = [bulk.Write(records[id], docs[id]) for id in given]
        outcome = await bulk.write(tx, resource, writes, cause=cause)
        settled = [end for id in ids if id not in outcome.lost for end in ends[id]]
        await handover_moves.settle(tx, wanted.id, settled)
        written = [records[id] for id in given if id in outcome.written]
        if self._after is not None and written:
            await self._after(tx, object, written, tx.actor, cause)

    # -- their parts ---------------------------------------------------------------------------------

    def _of(self, wanted: Asked) -> list[Held]:
        return [one for one in self._held if one.lent or not wanted.is_lent]

    async def _page(self, tx: Tx, one: Held, wanted: Asked, after: Sequence[str]) -> list[Any]:
        return await tx.fetch(
            handover_held.page(one, wanted.is_lent), user_id=wanted.user_id, after_time=datetime.fromisoformat(after[0]).astimezone(UTC),
            after_id=after[1],
        )  # fmt: skip

    async def _left(self, tx: Tx, wanted: Asked) -> int:
        left = 0
        for one in self._of(wanted):
            statement = handover_held.count(one, wanted.is_lent)
            left += int(await tx.fetchval(statement, user_id=wanted.user_id))
        return left

    async def _choose(
        self, tx: Tx, wanted: Asked, one: Held, rules: Rules, records: Sequence[Any]
    ) -> dict[str, str]:
        """Record -> who gets it: as planned if he still works here, else as the rules say now."""
        if one.is_list:
            return {}
        ids = [record.id for record in records]
        planned = await handover_moves.recipients(tx, wanted.id, one.object, one.field, ids)
        chosen = {
            id: to
            for id, to in planned.items()
            if (tx.directory.user(to) or {}).get("state") == "active"
        }
        missing = [record for record in records if record.id not in chosen]
        told = await self._describe(tx, one.object, missing) if missing else []
        given = await self._given(tx, wanted, [each.follows for each in told if each.follows])
        for record, each in zip(missing, told, strict=True):
            to = rules.choose(one.object, each, given)
            if not to:
                raise NobodyToReceive(one.object, record.id)
            chosen[record.id] = to
        return chosen

    async def _given(self, tx: Tx, wanted: Asked, followed: Sequence[Key]) -> dict[Key, str]:
        given: dict[Key, str] = {}
        for object in sorted({object for object, _ in followed}):
            ids = [id for kind, id in followed if kind == object]
            found = await handover_moves.recipients(tx, wanted.id, object, "owner_id", ids)
            given |= {(object, id): to for id, to in found.items()}
        return given

    async def _counts(self, tx: Tx, wanted: Asked, state: int) -> list[pb.HandoverCount]:
        counts: dict[tuple[str, str], pb.HandoverCount] = {}
        for row in await handover_moves.counts(tx, wanted.id, state):
            key = row["object"], row["field"]
            one = counts.setdefault(key, pb.HandoverCount(object=key[0], field=key[1]))
            one.count += row["count"]
            if row["to_user_id"] is not None:
                one.shares.add(user_id=str(row["to_user_id"]), count=row["count"])
            one.sample_ids.extend(map(str, row["sample_ids"][: 5 - len(one.sample_ids)]))
        return list(counts.values())

    def _answer(
        self, tx: Tx, name: str, wanted: Asked, state: "pb.HandoverPart.State", *,
        counts: Sequence[pb.HandoverCount] = (), left_count: int = 0, kept: Sequence[Any] = (), error: str = "",
    ) -> None:  # fmt: skip
        """Tells identity; the event is one of this service's own contract."""
        event = contracts.message_class(f"{self._package}.{name}")
        assert event is not None, f"{self._package}.{name} is not declared"
        part = pb.HandoverPart(
            handover_id=wanted.id, service=self._service, round=wanted.round, state=state, counts=counts,
            left_count=left_count, error=error, kept_count=kept[0]["total"] if kept else 0,
        )  # fmt: skip
        for row in kept:
            part.kept.add(
                object=row["object"],
                id=str(row["record_id"]),
                field=row["field"],
                reason=row["reason"],
            )
        tx.emit(event(part=part))


async def _described(tx: Tx, object: str, records: Sequence[Any]) -> list[Described]:
    return [described(record) for record in records]


__all__ = ["Described", "Held", "NobodyToReceive", "Owner", "described"]
