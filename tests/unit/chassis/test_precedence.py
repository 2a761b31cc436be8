"""Turns of consumers give way to relays that have rows in hand, for a while."""

import asyncio
import time

from chassis.events.precedence import LONGEST_S, Precedence


async def test_nobody_waits_while_nobody_publishes() -> None:
    precedence = Precedence()
    precedence.claim("a", has_rows=True)
    precedence.claim("a", has_rows=False)

    waiting = asyncio.ensure_future(precedence.give_way())
    await asyncio.sleep(0)

    assert waiting.done()


async def test_a_turn_waits_until_the_last_relay_is_done() -> None:
    precedence = Precedence(longest_s=60)
    precedence.claim("a", has_rows=True)
    precedence.claim("b", has_rows=True)
    waiting = asyncio.ensure_future(precedence.give_way())

    precedence.claim("a", has_rows=False)
    await asyncio.sleep(0)
    assert not waiting.done()
    precedence.claim("b", has_rows=False)
    await asyncio.wait_for(waiting, 5)

    assert waiting.done()


async def test_a_relay_that_always_has_rows_holds_a_turn_up_only_so_long() -> None:
    precedence = Precedence()
    precedence.claim("a", has_rows=True)
    began = time.monotonic()

    await asyncio.wait_for(precedence.give_way(), 5)

    assert time.monotonic() - began >= LONGEST_S * 0.9
