"""What happens by itself: reminders, deadlines and the steps of ladders; and new plans when people or their hours change."""

from datetime import datetime, timedelta
from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from services.tasks import deadlines, store

_REPLAN = "ladders-replan"
_EVERYBODY = "all"
_SETTLES = timedelta(seconds=1)
"""An event and what the directory says of it come by different ways: this late both are there."""
_AT_ONCE = 25
"""Runs that are planned anew in one transaction: some milliseconds each, and nobody else has a turn meanwhile."""
_FIRST = "00000000-0000-0000-0000-000000000000"


@timer(deadlines.DEADLINE)
async def deadline(payload: dict[str, Any], tx: Tx) -> None:
    """A reminder is due, or a deadline has passed."""
    task = await store.tasks.find(tx, payload["task_id"])
    if task is not None:
        due = datetime.fromisoformat(payload["due"]) if payload["due"] else None
        await deadlines.ring(tx, task, due, datetime.fromisoformat(payload["at"]))


@timer(deadlines.LADDER)
async def ladder(payload: dict[str, Any], tx: Tx) -> None:
    """A step of a ladder is due by what was planned."""
    await deadlines.step(tx, payload["task_id"], payload["run"])


async def plan_again(tx: Tx) -> None:
    """Plans all ladders of the company anew, shortly; asked for often, it is done once."""
    await tx.set_timer(_REPLAN, _EVERYBODY, tx.now + _SETTLES, {"after": _FIRST})


@timer(_REPLAN)
async def replan(payload: dict[str, Any], tx: Tx) -> None:
    """Somebody's hours, absences or department changed: so many ladders in one transaction, the others in the next."""
    ids = await store.running_after(tx, payload["after"], _AT_ONCE)
    tasks = {task.id: task for task in await store.tasks.find_many(tx, ids)}
    for id in ids:  # in the order of ids, so that two of these never wait for each other
        if id in tasks:
            await deadlines.replan(tx, tasks[id])
    if len(ids) == _AT_ONCE:
        await tx.set_timer(_REPLAN, _EVERYBODY, tx.now, {"after": ids[-1]})
