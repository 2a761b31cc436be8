"""Matching of methods and paths."""

import pytest

from chassis import contracts, errors
from gateway import routes
from gateway.problems import MethodNotAllowed
from gateway.routes import Binding, Shared, Table
from tests.unit.gateway.conftest import ID


@pytest.fixture(scope="module")
def table() -> Table:
    return routes.build(contracts.services())


def matched(table: Table, verb: str, path: str) -> tuple[str, tuple[str, ...]]:
    target, variables = table.match(verb, path)
    assert isinstance(target, Binding)
    return target.method.name, variables


@pytest.mark.parametrize(
    ("verb", "path", "name", "variables"),
    [
        ("GET", f"/v1/contacts/{ID}", "GetContact", (ID,)),
        ("HEAD", f"/v1/contacts/{ID}", "GetContact", (ID,)),
        ("GET", "/v1/contacts", "ListContacts", ()),
        ("GET", "/v1/contacts:batchGet", "BatchGetContacts", ()),
        ("PATCH", f"/v1/contacts/{ID}", "UpdateContact", (ID,)),
        ("POST", f"/v1/requests/{ID}:assign", "AssignRequest", (ID,)),
        ("GET", f"/v1/contacts/{ID}/history", "ListContactHistory", (ID,)),
        ("GET", "/v1/me", "GetMe", ()),
        ("POST", "/v1/auth:login", "Login", ()),
        ("GET", f"/v1/operations/identity/{ID}", "GetOperation", (ID,)),
        ("GET", "/v1/contacts/a%2Fb%3Ac", "GetContact", ("a/b:c",)),
    ],
)
def test_path_leads_to_its_rpc(
    table: Table, verb: str, path: str, name: str, variables: tuple[str, ...]
) -> None:
    assert matched(table, verb, path) == (name, variables)


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/contacts/", "/v1", "/", f"/v1/contacts/{ID}:fly", "/v1//x", "v1"]
)
def test_unknown_path_is_not_found(table: Table, path: str) -> None:
    with pytest.raises(errors.NotFound):
        table.match("GET", path)


def test_known_path_with_wrong_method_names_the_possible_ones(table: Table) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        table.match("PUT", f"/v1/contacts/{ID}")
    assert refused.value.allow == ["DELETE", "GET", "HEAD", "PATCH"]


def test_every_annotated_rpc_is_reachable_at_its_template(table: Table) -> None:
    for binding in table.bindings:
        segments, custom, names = routes.parse_template(binding.template)
        path = "/" + "/".join(ID if segment is None else segment for segment in segments)
        target, variables = table.match(binding.verb, f"{path}:{custom}" if custom else path)
        found = target.all if isinstance(target, Shared) else (target,)
        assert binding in found, binding.template
        assert len(variables) == len(names)
    assert len(table.bindings) > 100


def test_literal_wins_over_variable_and_gives_way_where_it_leads_nowhere() -> None:
    async def page(exchange: object, variables: tuple[str, ...]) -> None: ...
    async def item(exchange: object, variables: tuple[str, ...]) -> None: ...
    async def part(exchange: object, variables: tuple[str, ...]) -> None: ...

    table = Table()
    table.add("GET", "/x/mine", page)
    table.add("GET", "/x/{id}", item)
    table.add("GET", "/x/{id}/part", part)
    assert table.match("GET", "/x/mine")[0] is page
    assert table.match("GET", "/x/other") == (item, ("other",))
    assert table.match("GET", "/x/mine/part") == (part, ("mine",))


def test_the_same_path_twice_is_refused_at_the_start() -> None:
    async def page(exchange: object, variables: tuple[str, ...]) -> None: ...

    table = Table()
    table.add("GET", "/x/{id}", page)
    with pytest.raises(ValueError, match="bound twice"):
        table.add("GET", "/x/{other}", page)


@pytest.mark.parametrize("template", ["x/y", "/x/{name=a/*}", "/x/{id}.json", "/x/*"])
def test_a_template_this_gateway_cannot_match_is_refused_at_the_start(template: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        routes.parse_template(template)


def test_shared_path_goes_to_the_owner_of_the_resource() -> None:
    by_name = {s.name: s for s in contracts.services()}
    bound = [
        b
        for b in routes.build([by_name["ContactsService"]]).bindings
        if b.template == "/v1/customFields"
    ]
    shared = Shared({"contacts": bound[0], "requests": bound[0]}, tuple(bound))
    assert routes.choose(shared, "contacts") is bound[0]
    with pytest.raises(errors.InvalidArgument) as refused:
        routes.choose(shared, "cars")
    assert refused.value.violations == (
        errors.Violation("resource", "'cars' is not one of: contacts, requests"),
    )
