"""Telephone exchanges and what is secret about them."""

from chassis import keys
from chassis.handlers import Servicer, reads, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.telephony.v1 import catalogue_events_pb2 as events
from crm.telephony.v1 import connection_pb2 as pb
from services.telephony import connection_secrets, store
from services.telephony.rules import catalogues as rules

PATH = "/v1/public/webhooks/telephony/"


async def check(tx: Tx, new: pb.Connection, old: pb.Connection | None) -> None:
    """A new one gets its address."""
    assert tx.tenant is not None
    new.id = new.id or tx.new_id()
    rules.check_connection(new, old)
    if old is None:
        new.key = keys.new_key(tx.tenant)
    await (store.leases.put_out_of_use if new.retired else store.leases.put_in_use)(tx, new.id)


async def gone(tx: Tx, connection: pb.Connection) -> None:
    """Nobody speaks with it any more."""
    await store.leases.put_out_of_use(tx, connection.id)


async def back(tx: Tx, connection: pb.Connection) -> None:
    """It is spoken with again."""
    if not connection.retired:
        await store.leases.put_in_use(tx, connection.id)


StandardConnection = standard(store.connections, on_save=check, on_delete=gone, on_undelete=back)


class Connections(StandardConnection, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/telephoneConnections`."""

    @writes(secret_answer=True)
    async def CreateConnection(
        self, request: pb.CreateConnectionRequest, tx: Tx
    ) -> pb.ConnectionWithSecret:
        made: pb.Connection = await super().CreateConnection(request, tx)
        return _shown(made, await connection_secrets.renew(tx, made.id))

    @writes(secret_answer=True)
    async def RenewConnectionSecret(
        self, request: pb.RenewConnectionSecretRequest, tx: Tx
    ) -> pb.ConnectionWithSecret:
        connection = await store.connections.get(tx, request.id)
        if not connection.retired:
            await store.leases.put_in_use(tx, connection.id)  # what we ask is signed with it too
        return _shown(_told(tx, connection), await connection_secrets.renew(tx, connection.id))

    @writes
    async def SetConnectionPassword(
        self, request: pb.SetConnectionPasswordRequest, tx: Tx
    ) -> pb.Connection:
        connection = await store.connections.get(tx, request.id)
        await connection_secrets.put_password(tx, connection.id, request.password)
        await store.leases.put_in_use(tx, connection.id)
        return _told(tx, connection)

    @reads
    async def GetConnectionStatus(
        self, request: pb.GetConnectionStatusRequest, tx: Tx
    ) -> pb.ConnectionStatus:
        connection = await store.connections.get(tx, request.id)
        return await store.status_of(tx, connection.id)


class ConnectionsRpcs(Connections):
    """Every RPC of connections_service.proto."""

    service = "crm.telephony.v1.ConnectionsService"


def _told(tx: Tx, connection: pb.Connection) -> pb.Connection:
    """That something secret has changed is told as a change of the exchange, so that whoever speaks with it begins anew."""
    store.connections.save(tx, connection)
    tx.emit(events.ConnectionUpdated(connection=connection))
    return connection


def _shown(connection: pb.Connection, secret: str) -> pb.ConnectionWithSecret:
    return pb.ConnectionWithSecret(
        connection=connection, secret=secret, path=f"{PATH}{connection.key}"
    )
