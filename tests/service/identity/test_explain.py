"""ExplainAccess, ListAccess and GetRecordAccess, called as services call them."""

from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from crm.common.v1 import access_pb2
from crm.identity.v1 import access_service_pb2_grpc as access_grpc
from crm.identity.v1 import api_token_pb2, department_pb2, role_pb2, user_pb2
from crm.identity.v1 import explain_pb2 as pb
from crm.identity.v1 import explain_service_pb2_grpc as explain_grpc
from tests.service.identity.conftest import Company, grant, sign_up


def stub(person: Any) -> Any:
    return person.stub(explain_grpc.ExplainServiceStub)


def access(person: Any) -> Any:
    return person.stub(access_grpc.IdentityAccessServiceStub)


def asked(user_id: str = "", object: str = "contact", **more: Any) -> pb.ExplainAccessRequest:
    return pb.ExplainAccessRequest(user_id=user_id, object=object, **{"action": "read", **more})


async def department(company: Company, name: str, parent_id: str = "") -> str:
    made = await company.stub.CreateDepartment(
        department_pb2.CreateDepartmentRequest(
            department=department_pb2.Department(name=name, parent_id=parent_id)
        )
    )
    await company.known("department", made.id)
    return str(made.id)


async def role(company: Company, name: str, *grants: role_pb2.Grant, **more: Any) -> str:
    made = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(role=role_pb2.Role(name=name, grants=grants, **more))
    )
    await company.known("role", made.id)
    return str(made.id)


async def test_the_text_names_role_grant_scope_owner_and_path(company: Company) -> None:
    sales = await department(company, "Sales")
    export = await department(company, "Export", sales)
    head, _ = await company.joined("head", name="Hana", department_id=sales)
    seller, _ = await company.joined(name="Sari", department_id=export)
    told = await stub(company.admin).ExplainAccess(
        asked(head.id, of_record=True, owner_id=seller.id)
    )
    assert told.text == (
        "Hana may read this contact: the role Head of department grants contact.* (subtree),"
        " and its owner Sari is in Export in Sales."
    )
    assert (told.reason, told.scope) == (pb.ACCESS_REASON_COLLEAGUE, role_pb2.SCOPE_SUBTREE)
    assert [(s.id, s.name) for s in told.department_path] == [(export, "Export"), (sales, "Sales")]

    told = await stub(company.admin).ExplainAccess(
        asked(seller.id, of_record=True, owner_id=head.id)
    )
    assert told.text == (
        "Sari may not read this contact: the role Salesperson grants contact.read (own),"
        " and that does not reach this record."
    )
    assert told.reason == pb.ACCESS_REASON_OUT_OF_SCOPE


async def test_a_delegate_of_somebody_who_is_there_has_no_right(company: Company) -> None:
    deputy, _ = await company.joined(name="Dewi")
    here, _ = await company.joined(name="Ari", delegate_id=deputy.id)
    told = await stub(company.admin).ExplainAccess(
        asked(deputy.id, of_record=True, owner_id=here.id)
    )
    assert (told.allowed, told.stands_in) == (False, False)


async def test_what_must_be_readable_first_is_told(company: Company) -> None:
    blind = await role(company, "Blind", grant("contact", "update"))
    user, _ = await company.joined("observer", role_ids=[blind])
    told = await stub(company.admin).ExplainAccess(
        asked(user.id, of_record=True, owner_id=user.id, action="update")
    )
    assert (told.allowed, told.reason, told.decided_by) == (
        False,
        pb.ACCESS_REASON_NOT_GRANTED,
        "read",
    )


async def test_a_token_is_explained_by_its_own_limits(company: Company) -> None:
    user, _ = await company.joined("observer")
    made = await company.stub.CreateApiToken(
        api_token_pb2.CreateApiTokenRequest(
            api_token=api_token_pb2.ApiToken(
                name="shop", owner_id=user.id, grants=[grant("contact", "read", role_pb2.SCOPE_OWN)],
                readable={"contact": api_token_pb2.FieldList(fields=["display_name"])},
            )
        )
    )  # fmt: skip
    token_id = made.api_token.id
    await company.known("token", token_id)
    question = {"of_record": True, "owner_id": company.admin_id}
    told = await stub(company.admin).ExplainAccess(
        asked(user.id, api_token_id=token_id, **question)
    )
    assert (told.allowed, told.scope) == (False, role_pb2.SCOPE_OWN)
    assert list(told.readable_fields) == ["display_name"]
    assert (await stub(company.admin).ExplainAccess(asked(user.id, **question))).allowed
    with pytest.raises(errors.NotFound):
        await stub(company.admin).ExplainAccess(asked(company.admin_id, api_token_id=token_id))
    with pytest.raises(errors.NotFound):
        await stub(company.admin).ExplainAccess(asked(user.id, api_token_id=uuid7()))


async def test_about_others_only_with_the_right_and_about_no_other_company(
    company: Company,
) -> None:
    user, person = await company.joined()
    assert (await stub(person).ExplainAccess(asked())).user_id == user.id
    assert (await stub(person).ExplainAccess(asked(user.id))).user_id == user.id
    with pytest.raises(errors.PermissionDenied):
        await stub(person).ExplainAccess(asked(company.admin_id))
    with pytest.raises(errors.PermissionDenied):
        await stub(person).ListAccess(pb.ListAccessRequest(object="contact", action="read"))
    other = await sign_up(company.crm)
    for strange in (other.admin_id, uuid7()):
        with pytest.raises(errors.NotFound):
            await stub(company.admin).ExplainAccess(asked(strange))


async def test_a_head_asks_about_the_own_departments(company: Company) -> None:
    sales = await department(company, "Sales")
    export = await department(company, "Export", sales)
    head, person = await company.joined("head", department_id=sales)
    below, _ = await company.joined("observer", department_id=export)
    beside, _ = await company.joined("observer")
    assert (await stub(person).ExplainAccess(asked(below.id))).allowed
    with pytest.raises(errors.PermissionDenied):
        await stub(person).ExplainAccess(asked(beside.id))
    page = await stub(person).ListAccess(pb.ListAccessRequest(object="contact", action="read"))
    assert [told.user_id for told in page.explanations] == sorted([head.id, below.id])


async def test_pages_hold_everybody_once(company: Company) -> None:
    readers = {company.admin_id}
    for _ in range(4):
        user, _ = await company.joined("observer")
        readers.add(user.id)
    await company.joined("observer", role_ids=[await role(company, "None")])
    found: list[str] = []
    token, pages = "", 0
    while True:
        page = await stub(company.admin).ListAccess(
            pb.ListAccessRequest(object="contact", action="read", page_size=2, page_token=token)
        )
        found, pages = [*found, *(told.user_id for told in page.explanations)], pages + 1
        if not (token := page.next_page_token):
            break
    assert (found, pages) == (sorted(readers), 3)
    with pytest.raises(errors.NotFound):
        await stub(company.admin).ListAccess(
            pb.ListAccessRequest(object="contact", action="read", page_token="x")
        )


@pytest.mark.parametrize(
    ("object", "action", "field", "says"),
    [
        ("unicorn", "read", "object", "unicorn is no object of any grant"),
        ("department", "win", "action", "department has create, delete, read, republish, update"),
    ],
)
async def test_a_right_that_nobody_asks_for_is_refused(
    company: Company, object: str, action: str, field: str, says: str
) -> None:
    for call in (
        stub(company.admin).ExplainAccess(asked(object=object, action=action)),
        stub(company.admin).ListAccess(pb.ListAccessRequest(object=object, action=action)),
    ):
        with pytest.raises(errors.InvalidArgument) as refusal:
            await call
        assert refusal.value.reason == "RIGHT_UNKNOWN"
        assert [(v.field, v.description) for v in refusal.value.violations] == [(field, says)]


async def test_whose_a_record_is(company: Company) -> None:
    sales = await department(company, "Sales")
    user, person = await company.joined("observer", department_id=sales)
    facts = await access(person).GetRecordAccess(
        access_pb2.GetRecordAccessRequest(object="user", id=user.id)
    )
    assert (facts.department_id, facts.owner_id, facts.unowned) == (sales, "", False)
    facts = await access(person).GetRecordAccess(
        access_pb2.GetRecordAccessRequest(object="department", id=sales)
    )
    assert facts.unowned


async def test_whose_a_record_is_learns_only_who_may_read_it(company: Company) -> None:
    sales = await department(company, "Sales")
    hiding = await role(
        company, "Hiding", grant("user", "read"), hidden_fields=["user.department_id"]
    )
    user, person = await company.joined("observer", department_id=sales)
    _, hidden = await company.joined("observer", role_ids=[hiding])
    _, nobody = await company.joined("observer", role_ids=[await role(company, "None")])
    request = access_pb2.GetRecordAccessRequest

    with pytest.raises(errors.PermissionDenied):
        await access(nobody).GetRecordAccess(request(object="user", id=user.id))
    with pytest.raises(errors.PermissionDenied) as refusal:
        await access(hidden).GetRecordAccess(request(object="user", id=user.id))
    assert refusal.value.reason == "FIELD_HIDDEN"
    with pytest.raises(errors.PermissionDenied):
        await access(person).GetRecordAccess(
            request(object="user", id=user.id, user_id=company.admin_id)
        )
    other = await sign_up(company.crm)
    with pytest.raises(errors.NotFound):
        await access(person).GetRecordAccess(request(object="user", id=other.admin_id))
    with pytest.raises(errors.InvalidArgument) as unknown:
        await access(person).GetRecordAccess(request(object="contact", id=user.id))
    assert [v.field for v in unknown.value.violations] == ["object"]


async def test_a_user_who_has_not_joined_may_nothing(company: Company) -> None:
    invited = await company.user("administrator")
    await company.known("user", invited.id)
    told = await stub(company.admin).ExplainAccess(asked(invited.id))
    assert (told.allowed, told.reason) == (False, pb.ACCESS_REASON_NOT_ACTIVE)
    assert (await company.stub.GetUser(user_pb2.GetUserRequest(id=invited.id))).state == (
        user_pb2.USER_STATE_INVITED
    )
