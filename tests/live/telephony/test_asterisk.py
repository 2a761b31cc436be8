"""Our adapters with a real Asterisk, whose phones are Local channels of its own dialplan."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from crm.telephony.v1 import connection_pb2
from services.telephony.pbx import ami, ari
from services.telephony.pbx.adapter import Impossible, Route
from services.telephony.pbx.facts import Command, Kind, Order
from tests.live.telephony.asterisk import Asterisk, asterisk
from tests.service.telephony.conformance import OURS, Stage, until

PHONE = "Local/101@phones/n"
Connection = connection_pb2.Connection


class Real:
    """The real one, as a driver: it needs no playing."""

    tells_times = True
    stage: Stage

    def __init__(self, adapter: type) -> None:
        self.adapter = adapter

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asterisk]:
    async with asterisk(tmp_path_factory.mktemp("live")) as made:
        yield made


async def calls_in(real: Asterisk) -> None:
    async with httpx.AsyncClient(auth=("crm", "secret")) as client:
        query = {"endpoint": "Local/caller@phones/n", "context": "from-trunk", "extension": "48300000101", "priority": "1"}  # fmt: skip
        (await client.post(f"{real.ari}/ari/channels", params=query)).raise_for_status()


async def left(real: Asterisk, what: str) -> list[str]:
    async with httpx.AsyncClient(auth=("crm", "secret")) as client:
        return [one["id"] for one in (await client.get(f"{real.ari}/ari/{what}")).json()]


@pytest.fixture
async def watched(real: Asterisk) -> AsyncIterator[Stage]:
    connection = Connection(kind=Connection.KIND_ARI, address=real.ari, username="crm")
    stage = Stage(Real(ari.Ari), connection)  # type: ignore[arg-type]
    stage.route = Route([PHONE, "Local/102@phones/n", "PJSIP/nobody"], 20, record=True)
    await stage.begin()
    yield stage
    await stage.end()


async def test_call_is_led_and_recorded(real: Asterisk, watched: Stage) -> None:
    await calls_in(real)
    kept = watched.kept
    assert await until(lambda: len([f for f in kept.facts if f.kind is Kind.JOINED]) >= 2, 20)
    assert await until(lambda: any(f.kind is Kind.RECORDED for f in kept.facts), 20)
    name = next(f.recording for f in kept.facts if f.kind is Kind.RECORDED)
    sound = await ari.sound(watched.adapter._site, name)  # type: ignore[attr-defined]
    assert sound.startswith(b"RIFF")
    async with asyncio.timeout(20):
        while await left(real, "channels") or await left(real, "bridges"):
            await until(lambda: False, 0.2)


async def test_manager_interface_dials_and_hangs_up(real: Asterisk) -> None:
    connection = Connection(kind=Connection.KIND_AMI, address=real.ami, username="crm", context="outside")  # fmt: skip
    stage = Stage(Real(ami.Ami), connection)  # type: ignore[arg-type]
    await stage.begin()
    dial = Command(id="1", order=Order.DIAL, call=OURS, endpoint=PHONE, number="+48600100200")
    await stage.adapter.carry_out(dial)
    assert await until(lambda: OURS in stage.kept.legs)
    with pytest.raises(Impossible):
        await stage.adapter.carry_out(Command(id="2", order=Order.DIAL, call=OURS + "x", endpoint="PJSIP/nobody", number="+48600100200"))  # fmt: skip
    await stage.adapter.carry_out(Command(id="3", order=Order.HANG_UP, call=OURS))
    assert await until(lambda: not any(leg.at(Kind.ENDED) is None for leg in stage.kept.legs[OURS].values()))  # fmt: skip
    await stage.end()
