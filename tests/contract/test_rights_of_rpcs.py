"""Every RPC asks for the right that its contract names, and for no other in its place. Generated from the descriptors.

What a right reaches is the matter of test_rights_matrix.py; here it is whether the RPC is called at all. Requests are empty: rights
are asked for before a request is read, and no body can be ruined by one that says nothing.
"""

import re
from collections.abc import AsyncIterator

import pytest

from chassis import contracts, errors, service
from chassis.testing.installation import Installation, Person, Tenant, installation
from tests.contract.descriptors import methods

SERVICES = [name for name in service.names() if name != "gateway"]
ASKED = [known for m in methods() if (known := contracts.method_of(m)).permission.object]
RIGHTS = sorted(contracts.rights())

OWN_AFFAIRS = {
    "GetMe", "UpdateMe", "ChangePassword", "Logout", "LogoutEverywhere", "ListSessions", "RevokeSession", "ListLinkedIdentities",
    "UnlinkIdentity", "GetSecondFactor", "EnrolSecondFactor", "ConfirmSecondFactor", "RenewRecoveryCodes", "DisableSecondFactor",
    "GetPushKey",
}  # fmt: skip
"""RPCs for everybody who is signed in: they are about the caller himself."""

ASKED_WITHIN = {
    "ListTimeline", "ListAsOf", "GetRecordAccess", "ExplainAccess", "ExplainAmount", "GetContactDeals",
}  # fmt: skip
"""RPCs about records of a kind that the request names: the right to read that kind is asked for where the request was read."""


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Installation]:
    async with installation(SERVICES, past=False) as running:
        yield running


@pytest.fixture(scope="module")
async def tenant(crm: Installation) -> Tenant:
    return await crm.tenant()


async def person(tenant: Tenant, rights: list[tuple[str, str]]) -> Person:
    """Somebody new with these rights, each at every scope there is."""
    grants = [{"object": object, "action": action, "scope": "all"} for object, action in rights]
    return await tenant.person(grants)


async def refused_for(who: Person, method: contracts.Method) -> str:
    """The right for which the caller was refused, e.g. `deal.read`; empty if he was let in."""
    headers = {"authorization": f"Bearer {who.token}"}
    try:
        await who.installation.local.unary(method.full_name, b"", headers)
    except errors.PermissionDenied as refusal:
        found = re.search(r"ask an administrator for (\S+)", refusal.message)
        return found.group(1) if found else ""
    except errors.Internal as defect:
        raise AssertionError(f"{method.full_name} cannot bear an empty request") from defect
    except errors.CrmError:
        pass
    return ""


def test_an_rpc_names_a_right_or_is_known_to_need_none() -> None:
    known = [contracts.method_of(m) for m in methods()]

    unnamed = {each.name for each in known if not each.permission.object and not each.public}

    assert unnamed == OWN_AFFAIRS | ASKED_WITHIN
    assert len(ASKED) > 600


async def test_without_a_right_every_rpc_is_refused_by_the_name_of_its_right(
    tenant: Tenant,
) -> None:
    nobody = await person(tenant, [])

    told = {m.full_name: await refused_for(nobody, m) for m in ASKED}

    assert told == {m.full_name: f"{m.permission.object}.{m.permission.action}" for m in ASKED}


@pytest.mark.large
@pytest.mark.parametrize("name", SERVICES)
async def test_one_right_lets_into_its_rpcs_and_all_others_together_do_not(
    tenant: Tenant, name: str
) -> None:
    of_service = [m for m in ASKED if m.service == name]
    wanted = sorted({(m.permission.object, m.permission.action) for m in of_service})
    let_in, kept_out = [], []
    for right in wanted:
        has_it = await person(tenant, [right])
        has_the_others = await person(tenant, [other for other in RIGHTS if other != right])
        for method in of_service:
            if (method.permission.object, method.permission.action) == right:
                told = ".".join(right)
                let_in.append((method.full_name, await refused_for(has_it, method) != told))
                kept_out.append(
                    (method.full_name, await refused_for(has_the_others, method) == told)
                )

    assert [rpc for rpc, right_was_enough in let_in if not right_was_enough] == []
    assert [rpc for rpc, right_was_needed in kept_out if not right_was_needed] == []
    assert len(let_in) == len(of_service) > 0
