"""Handovers given back; departments, tokens and delegations of a leaver; who may hand over what (S19, M15)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import errors
from chassis.testing.installation import Installation
from crm.common.v1 import handover_pb2 as common
from crm.contacts.v1 import contact_pb2
from crm.identity.v1 import api_token_pb2, department_pb2, handover_pb2, user_pb2
from crm.identity.v1.handovers_service_pb2_grpc import HandoversServiceStub
from tests.service.identity.conftest import sign_up, until
from tests.service.identity.handing_over import (
    Firm,
    Handover,
    both_running,
    counted,
    customers,
    everything_to,
    new_department,
    part,
)

Part, Kept = common.HandoverPart, common.HandoverKept


@pytest.fixture(scope="module")
async def both() -> AsyncIterator[Installation]:
    async with both_running() as running:
        yield running


@pytest.fixture
async def firm(both: Installation) -> Firm:
    return Firm(await sign_up(both))


@pytest.mark.large
async def test_a_department_never_loses_its_head_silently(firm: Firm) -> None:
    ana, _ = await firm.company.joined("head")
    dewi, _ = await firm.company.joined()
    budi, _ = await firm.company.joined()
    sales = await new_department(firm, "Sales", head_id=ana.id, deputy_id=budi.id)
    export = await new_department(firm, "Export", head_id=ana.id)
    care = await new_department(firm, "Care", head_id=dewi.id, deputy_id=ana.id)
    one = await firm.propose(
        ana.id, **everything_to(dewi.id), heads=[{"department_id": export, "head_id": dewi.id}]
    )
    async with firm.company.unchanged():
        with pytest.raises(errors.FailedPrecondition, match="Sales") as refused:
            await firm.confirm(one.id)
    assert refused.value.reason == "DEPARTMENT_WITHOUT_HEAD"
    heads = [
        {"department_id": export, "head_id": dewi.id},
        {"department_id": sales, "deputy_takes_over": True},
    ]
    await firm.handovers.UpdateHandover(
        handover_pb2.UpdateHandoverRequest(
            handover=Handover(id=one.id, heads=heads), update_mask={"paths": ["heads"]}
        )
    )
    previewed = await firm.becomes(one.id, Handover.STATE_PREVIEWED)
    assert counted(previewed, "identity")["department", "head_id"] == {dewi.id: 1, budi.id: 1}

    await firm.confirm(one.id)

    async def led(id: str) -> tuple[str, str]:
        found = await firm.company.stub.GetDepartment(department_pb2.GetDepartmentRequest(id=id))
        return found.head_id, found.deputy_id

    assert [await led(id) for id in (sales, export, care)] == [
        (budi.id, ""),
        (dewi.id, ""),
        (dewi.id, ""),
    ]
    await firm.revert(one.id)
    assert [await led(id) for id in (sales, export, care)] == [
        (ana.id, budi.id),
        (ana.id, ""),
        (dewi.id, ana.id),
    ]


@pytest.mark.large
async def test_tokens_are_revoked_or_taken_over(firm: Firm) -> None:
    dewi, _ = await firm.company.joined()
    for taken_over in (False, True):
        ana, _ = await firm.company.joined()
        token = (
            await firm.company.stub.CreateApiToken(
                api_token_pb2.CreateApiTokenRequest(
                    api_token=api_token_pb2.ApiToken(name="shop", owner_id=ana.id)
                )
            )
        ).api_token
        one = await firm.propose(
            ana.id, **everything_to(dewi.id), program_owner_id=dewi.id if taken_over else ""
        )
        await firm.confirm(one.id)
        if taken_over:
            found = await firm.company.stub.GetApiToken(
                api_token_pb2.GetApiTokenRequest(id=token.id)
            )
            assert found.owner_id == dewi.id
        else:
            with pytest.raises(errors.NotFound):
                await firm.company.stub.GetApiToken(api_token_pb2.GetApiTokenRequest(id=token.id))
        back = await firm.revert(one.id)
        kept = [(k.object, k.id, k.reason) for k in part(back, "identity").kept]
        assert kept == ([] if taken_over else [("api_token", token.id, Kept.REASON_ENDED)])
        if taken_over:
            found = await firm.company.stub.GetApiToken(
                api_token_pb2.GetApiTokenRequest(id=token.id)
            )
            assert found.owner_id == ana.id


@pytest.mark.large
async def test_who_counted_on_the_leaver_as_stand_in_gets_another(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    budi, _ = await firm.company.joined(delegate_id=ana.id)
    await firm.company.crm.process.directory.until(
        lambda: firm.company.directory.user(budi.id)["delegate_id"] == ana.id
    )
    absence = await firm.absent(budi.id, start=24, delegate_id=ana.id)
    one = await firm.propose(ana.id, **everything_to(dewi.id))
    assert counted(one, "identity") == {
        ("absence", "delegate_id"): {dewi.id: 1},
        ("user", "delegate_id"): {dewi.id: 1},
    }

    await firm.confirm(one.id)

    user = await firm.company.stub.GetUser(user_pb2.GetUserRequest(id=budi.id))
    assert (user.delegate_id, user.absences[0].delegate_id) == (dewi.id, dewi.id)
    await firm.revert(one.id)
    user = await firm.company.stub.GetUser(user_pb2.GetUserRequest(id=budi.id))
    assert (user.delegate_id, user.absences[0].delegate_id) == (ana.id, ana.id)
    assert user.absences[0].absence_id == absence.id


# -- giving back ------------------------------------------------------------------------------------------


@pytest.mark.large
async def test_reverting_restores_everything_when_nothing_happened_between(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    for _ in range(3):
        await customers(firm, ana.id)
    budi, _ = await firm.company.joined()
    await firm.contact(dewi.id, follower_ids=[budi.id, ana.id, firm.admin.id])
    before = await firm.picture()
    one = await firm.propose(ana.id, **everything_to(dewi.id, budi.id))
    await firm.confirm(one.id)
    assert await firm.picture() != before

    back = await firm.revert(one.id)

    assert await firm.picture() == before
    assert (part(back).kept_count, part(back).state) == (0, Part.STATE_RETURNED)
    user = await firm.company.stub.GetUser(user_pb2.GetUserRequest(id=ana.id))
    assert user.state == user_pb2.USER_STATE_ACTIVE


@pytest.mark.large
async def test_reverting_leaves_and_lists_what_changed_since(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    budi, _ = await firm.company.joined()
    moved_on, edited, deleted, same = [(await firm.contact(ana.id)).id for _ in range(4)]
    one = await firm.propose(ana.id, **everything_to(dewi.id))
    await firm.confirm(one.id)
    for id, field, value in ((moved_on, "owner_id", budi.id), (edited, "position", "Owner")):
        await firm.contacts.UpdateContact(
            contact_pb2.UpdateContactRequest(
                contact=contact_pb2.Contact(**{"id": id, field: value}),
                update_mask={"paths": [field]},
            )
        )
    await firm.contacts.DeleteContact(contact_pb2.DeleteContactRequest(id=deleted))

    back = await firm.revert(one.id)

    assert {k.id: k.reason for k in part(back).kept} == {
        moved_on: Kept.REASON_MOVED_ON,
        edited: Kept.REASON_CHANGED,
        deleted: Kept.REASON_DELETED,
    }
    assert part(back).kept_count == 3
    owners = await firm.owners("contacts")
    assert [owners[id] for id in (moved_on, edited, deleted, same)] == [
        budi.id,
        ana.id,
        dewi.id,
        ana.id,
    ]
    async with firm.company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refused:
            await firm.revert(one.id)
    assert refused.value.reason == "HANDOVER_STATE_WRONG"


# -- deactivating without a handover, and who may what --------------------------------------------------------


async def test_deactivating_an_owner_is_refused_with_counts_unless_forced(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    await firm.contact(ana.id)
    await firm.request(ana.id)
    one = await firm.propose(ana.id, **everything_to(dewi.id))
    async with firm.company.unchanged():
        with pytest.raises(
            errors.FailedPrecondition, match=f"1 contact, 1 request.*{one.id}"
        ) as refused:
            await firm.company.stub.DeactivateUser(user_pb2.DeactivateUserRequest(id=ana.id))
    assert refused.value.reason == "USER_OWNS_RECORDS"

    gone = await firm.company.stub.DeactivateUser(
        user_pb2.DeactivateUserRequest(id=ana.id, force=True)
    )
    assert gone.state == user_pb2.USER_STATE_DEACTIVATED
    done = await firm.confirm(one.id)  # a leaver who is out already
    assert not done.deactivated
    assert set((await firm.owners("contacts")).values()) == {dewi.id}


async def test_a_head_lends_within_the_department_and_deactivates_nobody(firm: Firm) -> None:
    department = await new_department(firm, "Sales")
    head, as_head = await firm.company.joined("head", department_id=department)
    ana, as_ana = await firm.company.joined(department_id=department)
    stranger, _ = await firm.company.joined()
    one = await firm.propose(ana.id, by=as_head, **everything_to(head.id))
    stub: Any = as_head.stub(HandoversServiceStub)
    async with firm.company.unchanged():
        with pytest.raises(errors.PermissionDenied):
            await stub.ConfirmHandover(handover_pb2.ConfirmHandoverRequest(id=one.id))
        with pytest.raises(errors.PermissionDenied):
            await firm.propose(stranger.id, by=as_head, **everything_to(head.id))
        with pytest.raises(errors.PermissionDenied):
            await firm.propose(ana.id, by=as_ana, **everything_to(head.id))


# -- deactivated without a handover ---------------------------------------------------------------------------


async def deactivated(firm: Firm, id: str, **values: Any) -> None:
    await firm.company.stub.DeactivateUser(user_pb2.DeactivateUserRequest(id=id, **values))


async def handovers_of(firm: Firm, user_id: str) -> list[Handover]:
    request = handover_pb2.ListHandoversRequest(filter=f'owner_id = "{user_id}"')
    return list((await firm.handovers.ListHandovers(request)).handovers)


async def test_deactivating_an_owner_proposes_a_handover_to_who_stands_in(firm: Firm) -> None:
    dewi, _ = await firm.company.joined()
    ana, _ = await firm.company.joined(delegate_id=dewi.id)
    contact = await firm.contact(ana.id)

    await deactivated(firm, ana.id)

    (one,) = await handovers_of(firm, ana.id)
    assert (one.kind, one.after_deactivation) == (Handover.KIND_LEAVER, True)
    assert [list(rule.user_ids) for rule in one.rules] == [[dewi.id]]
    previewed = await firm.becomes(one.id, Handover.STATE_PREVIEWED)
    assert counted(previewed) == {("contact", "owner_id"): {dewi.id: 1}}
    assert await firm.owner("contacts", contact.id) == ana.id, "nothing moves unasked"
    await firm.confirm(one.id)
    assert await firm.owner("contacts", contact.id) == dewi.id


async def test_the_proposal_for_somebody_who_owns_nothing_goes_by_itself(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    await deactivated(firm, ana.id)

    async def gone() -> bool:
        return not await handovers_of(firm, ana.id)

    await until(gone)
    user = await firm.company.stub.GetUser(user_pb2.GetUserRequest(id=ana.id))
    assert user.state == user_pb2.USER_STATE_DEACTIVATED
    await firm.company.event("HandoverDeleted")


async def test_a_department_does_not_lose_its_head_unless_that_is_said(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    department = await new_department(firm, "Sales", head_id=ana.id)
    async with firm.company.unchanged():
        with pytest.raises(
            errors.FailedPrecondition, match=r"Sales.*POST /v1/handovers"
        ) as refused:
            await deactivated(firm, ana.id)
    assert refused.value.reason == "USER_LEADS_DEPARTMENTS"
    assert department in refused.value.message

    await deactivated(firm, ana.id, force=True)

    user = await firm.company.stub.GetUser(user_pb2.GetUserRequest(id=ana.id))
    assert user.state == user_pb2.USER_STATE_DEACTIVATED
    assert await handovers_of(firm, ana.id) == []
