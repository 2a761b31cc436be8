"""The directory: complete, current, and honest about not being so."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from chassis import directory as module
from chassis.clock import TestClock
from chassis.directory import BUCKET, Directory, put
from chassis.events.nats import Nats
from chassis.testing import servers
from chassis.testing.events import eventually, nats_connection, running

pytestmark = pytest.mark.asyncio

ACME = str(uuid.uuid4())


@asynccontextmanager
async def watching(nats: Nats, *, beating: bool = True) -> AsyncIterator[Directory]:
    directory, stop = Directory(nats), asyncio.Event()
    tasks = [directory.run(stop)] + ([module.beat(nats, stop)] if beating else [])
    async with running(*tasks):
        await asyncio.wait_for(directory.ready(), 10)
        yield directory


@asynccontextmanager
async def private_nats() -> AsyncIterator[tuple[servers.NatsServer, Nats]]:
    with servers.scratch() as place, servers.NatsServer(place) as server:
        async with nats_connection(server.url()) as nats:
            yield server, nats


async def test_entries_written_before_and_after_the_start_are_there() -> None:
    async with private_nats() as (_, nats):
        await put(nats, ACME, "user", "u1", {"name": "Ewa", "department_id": "d1"})
        async with watching(nats) as directory:
            before = directory.of(ACME).user("u1")
            revision = directory.revision(ACME)
            await put(nats, ACME, "user", "u1", {"name": "Ewa", "department_id": "d2"})
            await directory.until(lambda: directory.of(ACME).members("d2") == {"u1"})

            assert before == {"name": "Ewa", "department_id": "d1"}
            assert directory.of(ACME).members("d1") == frozenset()
            assert directory.revision(ACME) > revision
            assert directory.of(str(uuid.uuid4())).users() == {}


async def test_a_removed_entry_goes_also_when_nobody_was_watching() -> None:
    async with private_nats() as (server, nats):
        await put(nats, ACME, "token", "t1", {"hash": "x"})
        await put(nats, ACME, "token", "t2", {"hash": "y"})
        async with watching(nats) as directory:
            bucket = await nats.ensure_bucket(BUCKET)
            await bucket.delete(f"{ACME}.token.t1")
            await directory.until(lambda: directory.of(ACME).token("t1") is None)
            await asyncio.to_thread(server.stop)
            await eventually(lambda: not nats.connected, "disconnected")
            await asyncio.to_thread(server.start)
            async with nats_connection(server.url()) as other:
                await (await other.ensure_bucket(BUCKET)).purge(f"{ACME}.token.t2")

            await directory.until(lambda: directory.of(ACME).token("t2") is None)


async def test_sessions_do_not_change_the_revision_on_which_rights_depend() -> None:
    async with private_nats() as (_, nats), watching(nats) as directory:
        await put(nats, ACME, "role", "r1", {"grants": []})
        await directory.until(lambda: directory.of(ACME).role("r1") is not None)
        revision = directory.revision(ACME)

        await put(nats, ACME, "session", "s1", {"revoked": 1})
        await directory.until(lambda: directory.of(ACME).session("s1") is not None)

        assert directory.revision(ACME) == revision


@pytest.mark.large
async def test_it_is_fresh_while_the_beat_comes_and_not_fresh_three_seconds_after_it_stops() -> (
    None
):
    async with private_nats() as (_, nats), watching(nats, beating=False) as directory:
        await put(nats, "_", "beat", "beat", {"at": 1})
        await eventually(lambda: directory.fresh, "fresh", timeout_s=3)

        took_s = await eventually(lambda: not directory.fresh, "not fresh", timeout_s=6)

        assert 2.5 < took_s < 3.6


async def test_an_old_beat_that_lay_there_does_not_make_it_fresh() -> None:
    async with private_nats() as (_, nats):
        await put(nats, "_", "beat", "beat", {"at": 1})
        async with watching(nats, beating=False) as directory:
            await put(nats, ACME, "user", "u", {"name": "x"})
            await directory.until(lambda: directory.of(ACME).user("u") is not None)
            assert not directory.fresh


@pytest.mark.large
async def test_after_nats_was_down_it_catches_up_within_five_seconds_and_said_so_meanwhile() -> (
    None
):
    async with private_nats() as (server, nats), watching(nats) as directory:
        await eventually(lambda: directory.fresh, "fresh")
        await asyncio.to_thread(server.kill)
        await eventually(lambda: not directory.fresh, "not fresh", timeout_s=5)
        await asyncio.to_thread(server.start)
        async with nats_connection(server.url()) as other:
            await put(other, ACME, "session", "ended", {"revoked": 1})

            took_s = await eventually(
                lambda: directory.of(ACME).session("ended") is not None, "the revocation"
            )

        assert took_s < 5.0
        await eventually(lambda: directory.fresh, "fresh again", timeout_s=5)


async def test_the_tree_of_departments_survives_a_cycle_and_finds_heads_above() -> None:
    async with private_nats() as (_, nats):
        for id, parent, head in (
            ("a", "", "boss"),
            ("b", "a", ""),
            ("c", "b", "carol"),
            ("x", "y", ""),
            ("y", "x", ""),
        ):
            await put(nats, ACME, "department", id, {"parent_id": parent, "head_id": head})
        async with watching(nats) as directory:
            view = directory.of(ACME)
            assert view.subtree("a") == {"a", "b", "c"}
            assert view.subtree("b") == {"b", "c"}
            assert view.subtree("x") == {"x", "y"}
            assert view.subtree("nowhere") == frozenset()
            assert (view.head_of("b"), view.head_of("c"), view.head_of("x")) == (
                "boss",
                "carol",
                "",
            )

            await put(nats, ACME, "department", "c", {"parent_id": "", "head_id": "carol"})
            await directory.until(lambda: view.subtree("a") == {"a", "b"})


async def test_the_test_clock_moves_in_all_processes_at_once() -> None:
    async with (
        private_nats() as (server, nats),
        watching(nats) as here,
        nats_connection(server.url()) as other,
        watching(other, beating=False) as there,
    ):
        jumped = asyncio.Event()
        first, second = TestClock(here), TestClock(there)
        second.on_jump(jumped.set)

        await first.advance(nats, timedelta(days=2))
        await asyncio.wait_for(jumped.wait(), 2)

        ahead = [clock.now() - datetime.now(UTC) for clock in (first, second)]
        assert all(timedelta(days=2) - timedelta(seconds=1) < a <= timedelta(days=2) for a in ahead)
