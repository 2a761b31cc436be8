"""Why deals, quotes, invoices and contracts are in somebody's day: sources of `day.py`."""

from datetime import timedelta
from typing import Any

from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import day_pb2 as pb
from services.tasks import store
from services.tasks.rules import day as rules
from services.tasks.rules.day import Found, Today

Reason = pb.DayReason

_NEWS = timedelta(days=14)
"""So long a new price list is worth a call."""
_CODES = {
    "step": Reason.CODE_DEAL_WITHOUT_STEP,
    "promise": Reason.CODE_PROMISE,
    "ask": Reason.CODE_ASK_AGAIN,
    "expire": Reason.CODE_QUOTE_EXPIRES,
    "overdue": Reason.CODE_INVOICE_OVERDUE,
    "renew": Reason.CODE_RENEWAL,
}


async def matters(tx: Tx, today: Today) -> tuple[list[Found], bool]:
    """What deals told of the person's records, as far as the caller may read them."""
    found: list[Found] = []
    more = False
    for reason, code in _CODES.items():
        rows = await store.matters.due(tx, reason, today.user_id, today.day)
        more = more or len(rows) > store.day.MOST_OTHERS
        for row in rows[: store.day.MOST_OTHERS]:
            if _reads(tx, row["object"], row):
                said = Reason(date=rules.dated(row["since"]), days=today.days_since(row["since"]))
                found.append(_found(row, code, today.midnight_of(row["since"]), said))
    return found, more


async def price_lists(tx: Tx, today: Today) -> tuple[list[Found], bool]:
    """Customers with open deals to whom nobody has spoken since the newest price list was published (S51)."""
    newest = await store.matters.newest_price_list(tx, tx.now - _NEWS)
    if newest is None:
        return [], False
    rows = await store.matters.untold(tx, today.user_id, newest["publish_time"])
    found = []
    for row in rows[: store.day.MOST_OTHERS]:
        if _reads(tx, "deal", row):
            said = Reason(
                price_list_id=str(newest["id"]), time=to_timestamp(newest["publish_time"])
            )
            at = newest["publish_time"]
            found.append(_found(row, Reason.CODE_NEW_PRICE_LIST, at, said))
    return found, len(rows) > store.day.MOST_OTHERS


def _found(row: Any, code: "rules.Code", at: Any, reason: Reason) -> Found:
    setattr(reason, f"{row['object']}_id", str(row["id"]))
    contact, company = str(row["contact_id"] or ""), str(row["company_id"] or "")
    matter = rules.of_deal(contact, company, str(row["deal_id"] or ""), str(row["id"]))
    return rules.found(matter, code, at, str(row["id"]), reason)


def _reads(tx: Tx, object: str, row: Any) -> bool:
    """Whether a Get of the record would show it to the caller, by what was told of it last."""
    return tx.rights.reaches(
        object, "read", str(row["owner_id"] or ""), str(row["department_id"] or ""),
        [str(id) for id in row["follower_ids"]],
    )  # fmt: skip
