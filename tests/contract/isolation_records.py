"""Records that no Create of their own makes: parts of others, what follows from something, and what there is once for a company."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from chassis import contracts
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.tx import Tx
from chassis.waits import first_of
from crm.contacts.v1 import contact_pb2, data_link_pb2, party_pb2
from crm.deals.v1 import deal_pb2, invoice_pb2, line_pb2
from crm.notifications.v1 import notice_pb2
from crm.telephony.v1 import recording_pb2
from services.notifications.store import notices
from services.telephony.store.recordings import recordings
from tests.contract.isolation import Company
from tests.service.notifications.browsers import Device

_ONCE = ("DealSettings", "TaskSettings", "TelephonySettings", "NoticePreferences")
_WAIT_S = 20


async def add(company: Company) -> None:
    """Gives a populated company one of each."""
    for name in _ONCE:
        made = await ask(company, f"Get{name}")
        option = contracts.resource_option(made.DESCRIPTOR)
        assert option is not None
        company.records[option.object] = made.id
    for more in (_parts, _commission, _statement_line, _data_change, _duplicate, _merge, _erasure):
        await more(company)
    endpoint = f"https://push.example.com/{uuid7()}"
    device = Device().request(endpoint)
    subscription = await ask(company, "SubscribePush", p256dh=device.p256dh, auth=device.auth, endpoint=endpoint)  # fmt: skip
    company.records["push_subscription"] = subscription.id
    await _notice(company)
    await _recording(company)


async def ask(company: Company, rpc: str, **fields: Any) -> Any:
    """The answer of the RPC to a valid request with these fields."""
    (method,) = (m for service in contracts.services() for m in service.methods if m.name == rpc)
    request = company.build(method.input_type)
    for name, value in fields.items():
        request.ClearField(name)
        given = type(request)(**{name: value})
        request.MergeFrom(given)
    return await company.call(method, request)


async def _until(listed: Callable[[], Awaitable[Any]]) -> Any:
    """The first of what a list gives, once it gives something."""
    async with asyncio.timeout(_WAIT_S):
        while not (found := await listed()):
            await first_of(asyncio.Event(), timeout_s=0.02)
    return found[0]


async def _parts(company: Company) -> None:
    """Stages, lines and instalments are parts of pipelines, deals and invoices."""
    pipeline = await ask(company, "GetPipeline", id=company.records["pipeline"])
    deal = await _deal(company)
    draft = invoice_pb2.Invoice(deal_id=deal.id, buyer={"name": "Eve"})
    draft = await ask(company, "CreateInvoice", invoice=draft)
    issued = await ask(company, "IssueInvoice", id=draft.id)
    company.records |= {
        "stage": pipeline.stages[0].id, "line": deal.lines[0].id, "instalment": issued.instalments[0].id,
    }  # fmt: skip


async def _deal(company: Company) -> deal_pb2.Deal:
    line = line_pb2.Line(name="Window", quantity="1", unit_price="100")
    made: deal_pb2.Deal = await ask(company, "CreateDeal", deal=deal_pb2.Deal(title="Windows", lines=[line]))  # fmt: skip
    return made


async def _commission(company: Company) -> None:
    """Somebody earns by winning."""
    plan = company.build(contracts.resources()["commission_plan"])
    plan.terms[0].from_date.year = 2020
    await ask(company, "CreateCommissionPlan", commission_plan=plan)
    deal = await _deal(company)
    await ask(company, "WinDeal", id=deal.id)
    listed = await ask(company, "ListCommissions")
    company.records["commission"] = listed.commissions[0].id


async def _statement_line(company: Company) -> None:
    async def lines() -> Any:
        return (await ask(company, "ListBankStatementLines")).bank_statement_lines

    company.records["bank_statement_line"] = (await _until(lines)).id


async def _data_change(company: Company) -> None:
    """A person proposes something by his link."""
    issued = await ask(company, "IssueDataLink", id=company.records["contact"])
    company.records["data_link"] = issued.data_link.id
    proposed = contact_pb2.Contact(phones=[party_pb2.Phone(number="+48601000002")])
    await ask(company, "ProposeDataChange", key=issued.key, contact=proposed)
    changes: data_link_pb2.ListDataChangesResponse = await ask(company, "ListDataChanges")
    company.records["data_change"] = changes.data_changes[0].id


async def _pair(company: Company) -> list[str]:
    """Two contacts who look like one."""
    same = contact_pb2.Contact(given_name="Ada", family_name="Nowak", display_name=f"Ada {uuid7()}")
    same.phones.add(number="+48601000001")
    return [(await ask(company, "CreateContact", contact=same)).id for _ in range(2)]


async def _duplicate(company: Company) -> None:
    await _pair(company)

    async def found() -> Any:
        return (await ask(company, "ListDuplicates")).duplicates

    company.records["duplicate"] = (await _until(found)).id


async def _merge(company: Company) -> None:
    survivor, other = await _pair(company)
    merge = await ask(company, "MergeContacts", id=survivor, merged_ids=[other])
    company.records["merge"] = merge.id


async def _erasure(company: Company) -> None:
    contact = await ask(company, "CreateContact", contact=contact_pb2.Contact(display_name="Eve"))
    erasure = await ask(company, "EraseContact", id=contact.id, confirmation=contact.display_name)
    company.records["erasure"] = erasure.id


async def _notice(company: Company) -> None:
    """As somebody has it who was told of something."""
    notice = notice_pb2.Notice(id=uuid7(), owner_id=company.user_id, code="task_due")

    async def told(tx: Tx) -> None:
        notices.notices.save(tx, notice)

    runtime = company.crm.process.runtimes["notifications"]
    await runtime.run_system(company.id, Cause("setup"), told)
    company.records["notice"] = notice.id


async def _recording(company: Company) -> None:
    """As an exchange makes it of a call that it records."""
    recording = recording_pb2.Recording(
        id=uuid7(), call_id=company.records["call"], owner_id=company.user_id
    )

    async def fetched(tx: Tx) -> None:
        recordings.save(tx, recording)

    runtime = company.crm.process.runtimes["telephony"]
    await runtime.run_system(company.id, Cause("setup"), fetched)
    company.records["recording"] = recording.id
