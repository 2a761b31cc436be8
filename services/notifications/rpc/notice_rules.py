"""`/v1/noticeRules`."""

from chassis.handlers import Servicer, reads
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.notifications.v1 import notice_rule_pb2 as pb
from services.notifications import errors, store, ways
from services.notifications.rules import notice_rules as rules


async def check_rule(tx: Tx, new: pb.NoticeRule, old: pb.NoticeRule | None) -> None:
    """Keeps I6: a rule names events, somebody to be told, and ways that there are."""
    rules.check(new, old)
    missing = []
    for field, find in (("user_ids", tx.directory.user), ("role_ids", tx.directory.role)):
        before = set(getattr(old, field)) if old is not None else set()
        noun = field.removesuffix("_ids")
        added = [id for id in getattr(new, field) if id not in before]
        missing += [(field, f"{noun} {id}") for id in added if find(id) is None]
    if missing:
        raise errors.ReferenceUnknown(missing)


class NoticeRules(standard(store.notice_rules, on_save=check_rule), Servicer):  # type: ignore[misc]
    """The standard methods, and what rules may name."""

    @reads
    async def GetNoticeOptions(
        self, request: pb.GetNoticeOptionsRequest, tx: Tx
    ) -> pb.NoticeOptions:
        return pb.NoticeOptions(
            ways=sorted(ways.connected()),  # type: ignore[arg-type]
            event_types=sorted(rules.event_types()),
        )
