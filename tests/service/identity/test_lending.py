"""Handovers while somebody is away: what is not done is lent and returns by itself; done work stays done (S20)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Value

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation
from crm.common.v1 import handover_pb2 as common
from crm.contacts.v1 import form_pb2, intake_pb2, request_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.contacts.v1.contacts_service_pb2_grpc import ContactsServiceStub
from crm.identity.v1 import absence_pb2, absences_service_pb2_grpc, handover_pb2, user_pb2
from tests.service.identity.conftest import sign_up, until
from tests.service.identity.handing_over import (
    Firm,
    Handover,
    both_running,
    counted,
    everything_to,
    in_hours,
    part,
)

Kept = common.HandoverKept
TEMPORARY = Handover.KIND_TEMPORARY


@pytest.fixture(scope="module")
async def both() -> AsyncIterator[Installation]:
    async with both_running() as running:
        yield running


@pytest.fixture
async def firm(both: Installation) -> Firm:
    return Firm(await sign_up(both))


@pytest.mark.large
async def test_what_is_not_done_is_lent_to_who_stands_in_and_returns(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    contact = await firm.contact(ana.id, follower_ids=[])
    waiting, answered, closed = [
        (await firm.request(ana.id, contact_id=contact.id)).id for _ in range(3)
    ]
    await firm.close(closed)
    kept = (await firm.agreement(ana.id, contact.id)).id
    before = await firm.picture()
    absence = await firm.absent(ana.id, delegate_id=dewi.id)

    one = await firm.propose(ana.id, kind=TEMPORARY, absence_id=absence.id)

    assert [list(rule.user_ids) for rule in one.rules] == [[dewi.id]]
    assert counted(one) == {
        ("contact", "owner_id"): {dewi.id: 1},
        ("request", "owner_id"): {dewi.id: 2},
        ("agreement", "assignee_id"): {dewi.id: 1},
    }
    await firm.confirm(one.id)
    assert await firm.owner("contacts", contact.id) == dewi.id
    assert [await firm.owner("requests", id) for id in (waiting, answered, closed)] == [
        dewi.id,
        dewi.id,
        ana.id,
    ]
    (row,) = await firm.rows(
        "SELECT cause->>'kind' AS kind FROM contacts_history WHERE tenant_id = $1 AND id = $2 AND version = 2",
        contact.id,
    )
    assert row["kind"] == "absence"
    user = await firm.company.stub.GetUser(user_pb2.GetUserRequest(id=ana.id))
    assert user.state == user_pb2.USER_STATE_ACTIVE  # who is away may still sign in

    await firm.close(answered)
    await firm.back(absence.id)

    back = await firm.becomes(one.id, Handover.STATE_RETURNED)
    assert [(k.id, k.reason) for k in part(back).kept] == [(answered, Kept.REASON_FINISHED)]
    assert [await firm.owner("requests", id) for id in (waiting, answered, closed)] == [
        ana.id,
        dewi.id,
        ana.id,
    ]
    assert await firm.owner("contacts", contact.id) == ana.id
    assert await firm.owner("agreements", kept, "assignee_id") == ana.id
    reopened = await firm.picture()
    assert reopened != before  # the answered request is closed now, and dewi's


@pytest.mark.large
async def test_lending_and_returning_restores_everything_when_nothing_happened(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    contact = await firm.contact(ana.id)
    await firm.note(contact.id)
    await firm.request(ana.id, contact_id=contact.id)
    await firm.agreement(ana.id, contact.id)
    before = await firm.picture()
    absence = await firm.absent(ana.id, delegate_id=dewi.id)
    one = await firm.propose(ana.id, kind=TEMPORARY, absence_id=absence.id)
    await firm.confirm(one.id)
    assert await firm.picture() != before
    await firm.back(absence.id)
    await firm.becomes(one.id, Handover.STATE_RETURNED)
    assert await firm.picture() == before


async def test_what_was_given_away_by_hand_meanwhile_stays(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    budi, _ = await firm.company.joined()
    given = await firm.request(ana.id)
    absence = await firm.absent(ana.id, delegate_id=dewi.id)
    one = await firm.propose(ana.id, kind=TEMPORARY, absence_id=absence.id)
    await firm.confirm(one.id)
    await firm.contacts.AssignRequest(verbs.AssignRequestRequest(id=given.id, owner_id=budi.id))
    await firm.back(absence.id)
    back = await firm.becomes(one.id, Handover.STATE_RETURNED)
    assert await firm.owner("requests", given.id) == budi.id
    assert [(k.id, k.reason) for k in part(back).kept] == [(given.id, Kept.REASON_MOVED_ON)]


async def test_a_handover_for_an_absence_that_lies_ahead_waits_for_it(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    contact = await firm.contact(ana.id)
    absence = await firm.absent(ana.id, start=24, delegate_id=dewi.id)
    one = await firm.propose(ana.id, kind=TEMPORARY, absence_id=absence.id)

    waiting = await firm.confirm(one.id, wait=False)

    assert waiting.state == Handover.STATE_SCHEDULED
    assert await firm.owner("contacts", contact.id) == ana.id
    # It begins sooner than planned.
    await firm.admin.stub(absences_service_pb2_grpc.AbsencesServiceStub).UpdateAbsence(
        absence_pb2.UpdateAbsenceRequest(
            absence=absence_pb2.Absence(id=absence.id, start_time=in_hours(-1)),
            update_mask={"paths": ["start_time"]},
        )
    )
    await firm.becomes(one.id, Handover.STATE_DONE)
    assert await firm.owner("contacts", contact.id) == dewi.id


async def test_an_absence_that_is_taken_back_takes_its_handover_along(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    absence = await firm.absent(ana.id, start=24, delegate_id=dewi.id)
    one = await firm.propose(ana.id, kind=TEMPORARY, absence_id=absence.id)
    await firm.confirm(one.id, wait=False)
    await firm.admin.stub(absences_service_pb2_grpc.AbsencesServiceStub).DeleteAbsence(
        absence_pb2.DeleteAbsenceRequest(id=absence.id)
    )
    with pytest.raises(errors.NotFound):
        await firm.get(one.id)

    async def forgotten() -> bool:
        return not await firm.rows("SELECT 1 FROM handover_moves WHERE tenant_id = $1")

    await until(forgotten)


async def test_new_requests_of_his_customers_go_to_who_stands_in_and_come_back(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    budi, _ = await firm.company.joined()
    await firm.contact(ana.id, phones=[{"number": "+48601000111"}])
    assignment = form_pb2.Assignment(
        rule=form_pb2.Assignment.RULE_ROUND_ROBIN, keep_contact_owner=True, user_ids=[budi.id]
    )
    form = await firm.contacts.CreateForm(
        form_pb2.CreateFormRequest(
            form=form_pb2.Form(
                name="Order", assignment=assignment, rate_limit_per_minute=1000,
                fields=[form_pb2.FormField(key="phone", label="Phone", meaning=form_pb2.FormField.MEANING_PHONE)],
            )
        )
    )  # fmt: skip

    async def asks() -> request_pb2.Request:
        visitor: Any = firm.company.crm.stranger.stub(
            ContactsServiceStub, **{"crm-peer": f"peer-{uuid7()}"}
        )
        sent = intake_pb2.SubmitFormRequest(form_key=form.key)
        sent.fields["phone"].CopyFrom(Value(string_value="601 000 111"))
        receipt = await visitor.SubmitForm(sent)
        found: request_pb2.Request = await firm.contacts.GetRequest(
            request_pb2.GetRequestRequest(id=receipt.receipt_id)
        )
        return found

    assert (await asks()).owner_id == ana.id
    absence = await firm.absent(ana.id, delegate_id=dewi.id)
    lent, done = await asks(), await asks()
    assert (lent.owner_id, done.owner_id) == (dewi.id, dewi.id)
    await firm.close(done.id)

    await firm.back(absence.id)

    async def returned() -> bool:
        return await firm.owner("requests", lent.id) == ana.id

    await until(returned)
    assert await firm.owner("requests", done.id) == dewi.id


async def test_a_loan_until_a_time_needs_no_absence_and_can_be_returned_early(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    contact = await firm.contact(ana.id)
    one = await firm.propose(
        ana.id, kind=TEMPORARY, until_time=in_hours(24), **everything_to(dewi.id)
    )
    await firm.confirm(one.id)
    assert await firm.owner("contacts", contact.id) == dewi.id
    (timer,) = await firm.company.rows(
        "SELECT due_at FROM timers WHERE kind = 'handover-return' AND key = $1", one.id
    )
    assert abs(timer["due_at"].timestamp() - one.until_time.seconds) < 2
    await firm.revert(one.id)
    assert await firm.owner("contacts", contact.id) == ana.id
    assert not await firm.company.rows(
        "SELECT 1 FROM timers WHERE kind = 'handover-return' AND key = $1", one.id
    )


async def test_another_s_absence_or_one_that_is_over_lends_nothing(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    others = await firm.absent(dewi.id)
    over = await firm.absent(ana.id, delegate_id=dewi.id)
    await firm.back(over.id)
    for absence_id, reason in ((others.id, "REFERENCE_UNKNOWN"), (over.id, "ABSENCE_STATE_WRONG")):
        async with firm.company.unchanged():
            with pytest.raises(errors.FailedPrecondition) as refused:
                await firm.propose(
                    ana.id, kind=TEMPORARY, absence_id=absence_id, **everything_to(dewi.id)
                )
        assert refused.value.reason == reason


async def test_a_dropped_handover_is_forgotten_and_a_running_one_cannot_be_dropped(
    firm: Firm,
) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    one = await firm.propose(
        ana.id, kind=TEMPORARY, until_time=in_hours(24), **everything_to(dewi.id)
    )
    await firm.confirm(one.id)
    async with firm.company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refused:
            await firm.handovers.DeleteHandover(handover_pb2.DeleteHandoverRequest(id=one.id))
    assert refused.value.reason == "HANDOVER_STATE_WRONG"


async def test_a_failed_part_says_why_and_goes_on_when_it_is_retried(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    contact = await firm.contact(ana.id)
    async with firm.contacts_down():
        one = await firm.propose(ana.id, wait=False, **everything_to(dewi.id))
        await firm.confirm(one.id, wait=False, allow_missing=True)
        await firm.company.stub.DeactivateUser(user_pb2.DeactivateUserRequest(id=dewi.id))
        await firm.company.crm.process.directory.until(
            lambda: firm.company.directory.user(dewi.id)["state"] == "deactivated"
        )
    failed = await firm.becomes(one.id, Handover.STATE_FAILED)
    assert f"contact {contact.id}" in part(failed).error
    assert await firm.owner("contacts", contact.id) == ana.id
    await firm.company.stub.ReactivateUser(user_pb2.ReactivateUserRequest(id=dewi.id))
    await firm.company.crm.process.directory.until(
        lambda: firm.company.directory.user(dewi.id)["state"] == "active"
    )

    await firm.handovers.RetryHandover(handover_pb2.RetryHandoverRequest(id=one.id))

    await firm.becomes(one.id, Handover.STATE_DONE)
    assert await firm.owner("contacts", contact.id) == dewi.id
    async with firm.company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refused:
            await firm.handovers.RetryHandover(handover_pb2.RetryHandoverRequest(id=one.id))
    assert refused.value.reason == "HANDOVER_STATE_WRONG"
