"""Speaks with the exchanges: each with one process at a time, in a session that is begun again after every cut.

    hold     every two seconds: renews the leases of this process, takes over what others have lost (store/leases.py)
    serve    one task for each exchange: an adapter's session; its facts become calls (taking.py)
    command  four times a second: what people asked is handed to the sessions
    fetch    the sound of recordings, through the sessions (fetching.py)

One exchange's failure disturbs no other's. Facts that cannot be kept (the database is away) are tried again in their order.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chassis import errors
from chassis.call import Cause
from chassis.db.pool import DRIVER_ERRORS
from chassis.defects import place_of
from chassis.errors import CrmError
from chassis.keys import uuid7
from chassis.tx import Tx
from chassis.waits import first_of
from crm.telephony.v1 import connection_pb2
from services.telephony import connection_secrets, dialling, fetching, routing, store, taking
from services.telephony.pbx import ADAPTERS
from services.telephony.pbx.adapter import Adapter, Cut, Impossible, Living, Route, Site
from services.telephony.pbx.facts import Fact, Kind, Order
from services.telephony.rules import legs as leg_rules
from services.telephony.store.leases import Post

if TYPE_CHECKING:
    from chassis.runtime import Runtime

log = logging.getLogger(__name__)

_HOLD_S = 2.0
_COMMANDS_S = 0.25
_AWAY_S = 0.5
"""Between two tries while the database is away."""
_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
_UNREACHABLE = (*DRIVER_ERRORS, CrmError)
_AWAY = (errors.Unavailable, errors.Aborted, errors.DeadlineExceeded)
"""What passes: the same work may be done a moment later. Anything else is a defect, and ends the session (its successor asks
the exchange what is so)."""
_GONE = (Cut, OSError, TimeoutError, EOFError)


async def run(runtime: "Runtime", stop: asyncio.Event) -> None:
    """Speaks with exchanges until `stop`."""
    desk = _Desk(runtime)
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.hold(group, stop))
        group.create_task(desk.hand_out(group, stop))
        group.create_task(fetching.run(runtime, desk.owner, desk.adapter_of, stop))


class _Desk:
    """The exchanges of this process."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime, self.owner = runtime, uuid7()
        self._sessions: dict[tuple[str, str], _Session] = {}

    def adapter_of(self, tenant: str, connection_id: str) -> Adapter | None:
        """The session that stands with an exchange, if this process has it."""
        session = self._sessions.get((tenant, connection_id))
        return session.adapter if session is not None else None

    async def hold(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Begins and ends sessions as the leases say."""
        failures = 0
        while not stop.is_set():
            try:
                posts = await store.leases.hold(self._runtime, self.owner)
                self._follow(group, posts)
                failures = 0
            except _UNREACHABLE as error:
                failures += 1
                if failures * _HOLD_S >= store.leases.LEASE_S:  # others speak with them by now
                    log.warning("exchanges: the leases are lost (%s)", type(error).__name__)
                    self._follow(group, [])
            await first_of(stop, timeout_s=_HOLD_S)
        self._follow(group, [])
        try:
            await store.leases.release(self._runtime, self.owner)
        except _UNREACHABLE:
            return  # they end by themselves

    def _follow(self, group: asyncio.TaskGroup, posts: Sequence[Post]) -> None:
        wanted = {(post.tenant, post.connection_id): post for post in posts}
        for key in self._sessions.keys() - wanted.keys():
            self._sessions.pop(key).end()
        for key, post in wanted.items():
            session = self._sessions.get(key)
            if session is None:
                session = self._sessions[key] = _Session(self._runtime, post)
                session.task = group.create_task(session.serve())
            elif session.stamp != post.stamp:
                session.changed(post.stamp)

    async def hand_out(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Hands what is asked to the sessions."""
        while not stop.is_set():
            try:
                asked = (
                    await store.leases.take_commands(self._runtime, self.owner)
                    if self._sessions
                    else []
                )
            except _UNREACHABLE:
                asked = []
            for row in asked:
                session = self._sessions.get((str(row["tenant_id"]), str(row["connection_id"])))
                if session is not None:
                    group.create_task(session.carry_out(str(row["id"]), row["body"]))
            await first_of(stop, timeout_s=_COMMANDS_S)


class _Session:
    """The sessions with one exchange, one after the other."""

    task: "asyncio.Task[None]"
    _connection: connection_pb2.Connection
    _given: Site
    """To the adapter."""

    def __init__(self, runtime: "Runtime", post: Post) -> None:
        self._runtime, self._tenant, self._id = runtime, post.tenant, post.connection_id
        self.stamp = post.stamp
        self._adapter: Adapter | None = None
        self._ready = asyncio.Event()
        """A session stands."""
        self._anew, self._renew, self._over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def adapter(self) -> Adapter | None:
        """The session that stands at the moment."""
        return self._adapter if self._ready.is_set() else None

    def end(self) -> None:
        """Speaks with the exchange no more."""
        self._over.set()

    def changed(self, stamp: str) -> None:
        """Something about the exchange has changed; of its extensions the session learns while it goes on."""
        same = stamp.partition("/")[0] == self.stamp.partition("/")[0]
        self.stamp = stamp
        (self._renew if same else self._anew).set()

    async def serve(self) -> None:
        """Sessions until the end; a cut one is followed by the next after a pause."""
        failures = 0
        while not self._over.is_set():
            began, problem = asyncio.get_running_loop().time(), ""
            self._anew.clear()
            try:
                site = await self._site()
                if site is None:
                    return
                await self._one(site)
            except _UNREACHABLE as error:
                problem = type(error).__name__
            except _GONE as cut:
                problem = str(cut) or type(cut).__name__
            except Exception as error:  # allow broad-except: it must end no other session
                problem = f"a defect of the program: {place_of(error)}"
            if problem and not self._over.is_set():  # else another process may have noted already
                log.warning("exchange %s: the session ended: %s", self._id, problem)
                await self._note(connected=False, problem=problem)
            lasted = asyncio.get_running_loop().time() - began
            failures = 0 if lasted > _PAUSES_S[-1] else failures + 1
            if not self._anew.is_set():
                await first_of(self._over, self._anew, timeout_s=_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])  # fmt: skip

    async def _one(self, site: Site) -> None:
        """One session: until it is cut, something has changed, or the end."""
        made = ADAPTERS.get(site.connection.kind)
        if made is None:
            raise Cut("this program does not speak with such exchanges")
        self._adapter, self._given = made(site), site
        session = asyncio.create_task(self._adapter.session())
        try:
            while not (session.done() or self._over.is_set() or self._anew.is_set()):
                await _first_of(session, self._over, self._anew, self._renew)
                if self._renew.is_set():
                    self._renew.clear()
                    await self._learn_phones()
        finally:
            self._adapter = None
            self._ready.clear()
            if not session.done():
                session.cancel()
            await asyncio.wait({session})
        if not session.cancelled():
            session.result()

    async def carry_out(self, id: str, body: dict[str, Any]) -> None:
        """Lets the exchange do what was asked, if it is in time and somebody speaks with it."""
        command = dialling.command_of(id, body)
        left = datetime.fromisoformat(body["until"]) - self._runtime.clock.now()
        try:
            if left <= timedelta(0):
                raise Impossible("nobody spoke with the exchange in time")
            await first_of(self._ready, self._over, timeout_s=left.total_seconds())
            if self.adapter is None:
                raise Impossible("nobody speaks with the exchange")
            if command.order is Order.DIAL and command.endpoint not in self._given.extensions:
                await self._learn_phones()  # whoever dials was given his extension a moment ago
            await self.adapter.carry_out(command)
        except (Impossible, *_GONE) as error:
            log.warning("exchange %s: %s was not done: %s", self._id, command.order, error)
            if command.order is Order.DIAL:
                await self._system(lambda tx: dialling.not_connected(tx, self._id, command.call))

    # -- what adapters are given ---------------------------------------------------------------------------------------------

    async def _site(self) -> Site | None:
        async def look(tx: Tx) -> Site | None:
            connection = await store.connections.find(tx, self._id)
            if connection is None or connection.retired:
                return None
            signs = connection.kind == connection_pb2.Connection.KIND_WEBHOOK
            secret = connection_secrets.current if signs else connection_secrets.password_of
            password = await secret(tx, self._id)
            self._connection = connection
            phones = await self._phones(tx)
            return Site(
                connection,
                password,
                self._hear,
                self._living,
                self._connected,
                *phones,
                self._route,
                self._runtime.clock.now,
            )

        site: Site | None = await self._system(look)
        return site

    async def _learn_phones(self) -> None:
        self._given.extensions, self._given.mobiles = await self._surely(self._phones)

    async def _phones(self, tx: Tx) -> tuple[dict[str, str], dict[str, str]]:
        """How the exchange dials each extension -> its number; the mobile number that rings with it -> its number."""
        each = await store.extensions_at(tx, self._id)
        endpoints = {dialling.endpoint(self._connection, one): one.number for one in each}
        return endpoints, {one.mobile_number: one.number for one in each if one.mobile_number}

    async def _route(self, key: str) -> Route:
        route: Route = await self._surely(lambda tx: routing.route(tx, self._connection, key))
        return route

    async def _hear(self, facts: Sequence[Fact]) -> None:
        await self._surely(lambda tx: taking.take(tx, self._connection, facts))

    async def _living(self) -> list[Living]:
        async def look(tx: Tx) -> list[Living]:
            found = []
            for call in await store.calls.live_calls(tx, self._id):
                keys = await store.calls.keys_of(tx, call.id)
                for id, known in (await store.calls.legs_of(tx, call.id)).items():
                    leg = leg_rules.from_json(id, known)
                    if leg.at(Kind.ENDED) is None:
                        found.append(Living(keys[0], id, leg.last))
            return found

        living: list[Living] = await self._surely(look)
        return living

    async def _surely(self, work: Any) -> Any:
        """What `work(tx)` gives, however long the database is away; Cut when this process is to speak no more."""
        while True:
            try:
                return await self._system(work)
            except _AWAY as error:
                log.info("exchange %s: it waits: %s", self._id, type(error).__name__)
            if await first_of(self._over, timeout_s=_AWAY_S):
                raise Cut("this process speaks with the exchange no more")

    async def _connected(self) -> None:
        self._ready.set()
        await self._note(connected=True, problem="")

    async def _note(self, *, connected: bool, problem: str) -> None:
        try:
            await self._system(lambda tx: store.put_status(tx, self._id, connected, problem[:200]))
        except _UNREACHABLE:
            return  # the next session says so

    async def _system(self, work: Any) -> Any:
        return await self._runtime.run_system(self._tenant, Cause("exchange", self._id), work)


async def _first_of(task: "asyncio.Task[None]", *events: asyncio.Event) -> None:
    """Returns as soon as the task is over or one of the events is set."""
    waiter = asyncio.ensure_future(first_of(*events))
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()
