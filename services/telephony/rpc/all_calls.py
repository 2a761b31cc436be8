"""Every RPC of calls_service.proto."""

from chassis.kit.shared_rpcs import OperationRpcs
from services.telephony.rpc.callers import Callers
from services.telephony.rpc.calls import Calls
from services.telephony.rpc.dialling import Dialling
from services.telephony.rpc.presence import PhonePresences


class CallsRpcs(Calls, Dialling, PhonePresences, Callers, OperationRpcs):  # type: ignore[misc]
    """Calls, whose number it is, and who takes calls."""

    service = "crm.telephony.v1.CallsService"
