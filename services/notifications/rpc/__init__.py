"""The RPCs of notices, by what they are about."""

from chassis.kit.shared_rpcs import OperationRpcs
from services.notifications.rpc.notice_rules import NoticeRules
from services.notifications.rpc.notices import Notices
from services.notifications.rpc.preferences import Preferences


class NoticesRpcs(Notices, NoticeRules, Preferences, OperationRpcs):
    """Every RPC of the contract; comments and push have gRPC services of their own."""

    service = "crm.notifications.v1.NoticesService"
