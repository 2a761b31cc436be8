"""Telephone exchanges: all that knows a provider. What comes out are facts, what goes in are commands."""

from collections.abc import Mapping

from crm.telephony.v1 import connection_pb2
from services.telephony.pbx.adapter import Adapter
from services.telephony.pbx.ami import Ami
from services.telephony.pbx.ari import Ari
from services.telephony.pbx.simulator import Simulator
from services.telephony.pbx.webhook import Webhook

ADAPTERS: Mapping[int, type[Adapter]] = {
    connection_pb2.Connection.KIND_SIMULATOR: Simulator,
    connection_pb2.Connection.KIND_AMI: Ami,
    connection_pb2.Connection.KIND_ARI: Ari,
    connection_pb2.Connection.KIND_WEBHOOK: Webhook,
}
"""Kind of exchange -> what speaks with it."""
