"""Rules of RPCs: HTTP form, right, what a request carries, and the shapes of the standard methods (INTERFACES of the resource kit)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from crm.options.v1 import options_pb2
from tools.contracts.walk import is_snake, option, reachable, type_of

# Every service with custom fields binds these; the gateway routes them by the resource that the request names.
SHARED_PATHS = ("/v1/customFields", "/v1/views")
_VARIABLE = re.compile(r"{([a-z0-9_.]+)}")
_PATH = re.compile(r"/v1(/([a-z][A-Za-z0-9]*|{[a-z0-9_.]+}))+(:[a-z][A-Za-z]*)?")
_MASK, _TIME = "google.protobuf.FieldMask", "google.protobuf.Timestamp"
_OPERATION = "google.longrunning.Operation"
_REVISIONS = "repeated crm.common.v1.Revision"


def http_of(method: MethodDescriptor) -> tuple[str, str, str] | None:
    """(verb, path, body) of an RPC's HTTP form, or None."""
    rule = option(method, annotations_pb2.http)
    verb = rule.WhichOneof("pattern") if rule is not None else None
    return (verb, getattr(rule, verb), rule.body) if verb else None


def http_forms(methods: Iterable[MethodDescriptor]) -> Iterator[str]:
    """Each RPC has one HTTP form whose path, variables and body fit its request."""
    for method in methods:
        form = http_of(method)
        if form is None:
            yield f"{method.full_name}: no (google.api.http)"
            continue
        verb, path, body = form
        if verb not in ("get", "post", "patch", "put", "delete"):
            yield f"{method.full_name}: HTTP verb {verb} is not offered"
        if not _PATH.fullmatch(path):
            yield f"{method.full_name}: path {path} is not /v1/lowerCamel/{{field}}:verb"
        for variable in _VARIABLE.findall(path):
            if not _has_path(method.input_type, variable):
                yield f"{method.full_name}: the path names {variable}, the request has no such field"
        if (verb in ("get", "delete")) != (body == ""):
            yield f"{method.full_name}: {verb} {'takes no' if body else 'needs a'} body"
        if body not in ("", "*") and body not in method.input_type.fields_by_name:
            yield f"{method.full_name}: body {body} is not a field of the request"


def _has_path(message: Descriptor, path: str) -> bool:
    name, _, rest = path.partition(".")
    field = message.fields_by_name.get(name)
    if field is None or not rest:
        return field is not None
    return field.message_type is not None and _has_path(field.message_type, rest)


def permissions(methods: Iterable[MethodDescriptor]) -> Iterator[str]:
    """Each RPC says who may call: an object and an action, both lower_snake, or that no grant is needed."""
    for method in methods:
        wanted = option(method, options_pb2.permission)
        if wanted is None:
            yield f"{method.full_name}: no (crm.options.v1.permission)"
            continue
        granted = wanted.access in (options_pb2.ACCESS_UNSPECIFIED, options_pb2.ACCESS_GRANTED)
        pair = (wanted.object, wanted.action)
        if granted and not all(map(is_snake, pair)):
            yield f"{method.full_name}: object {pair[0]!r} and action {pair[1]!r} must be lower_snake"
        if not granted and any(pair):
            yield f"{method.full_name}: names {pair[0]}.{pair[1]}, which nobody needs for it"
        if wanted.feature and not is_snake(wanted.feature):
            yield f"{method.full_name}: feature {wanted.feature!r} must be lower_snake"


def path_clashes(methods: Iterable[MethodDescriptor]) -> Iterator[str]:
    """No two RPCs have one verb and path, except that services share custom fields and views."""
    bound: dict[tuple[str, str], list[MethodDescriptor]] = defaultdict(list)
    for method in methods:
        if form := http_of(method):
            bound[form[0], _VARIABLE.sub("{}", form[1])].append(method)
    for (verb, path), several in bound.items():
        services = {method.containing_service.full_name for method in several}
        shared = re.split(r"/{|:", path)[0] in SHARED_PATHS and len(services) == len(several)
        if len(several) > 1 and not shared:
            yield f"{verb} {path} is bound by {', '.join(sorted(m.full_name for m in several))}"


def tenants(methods: Iterable[MethodDescriptor]) -> Iterator[str]:
    """No request says which tenant: the caller's credentials do. The resource Tenant itself may be sent."""
    roots = {method.input_type.full_name: method.input_type for method in methods}
    for _, message in reachable(roots.values()):
        for field in message.fields:
            is_record = (
                field.message_type is not None
                and option(field.message_type, options_pb2.resource) is not None
            )
            if {"tenant", "tenants", "tid"} & set(field.name.split("_")) and not is_record:
                yield f"{field.full_name}: a request must not carry a tenant"


def lists(methods: Iterable[MethodDescriptor]) -> Iterator[str]:
    """What lists is paged: page_size (0 to 200 declared) and page_token in, next_page_token out."""
    for method in methods:
        asked, answered = method.input_type.fields_by_name, method.output_type.fields_by_name
        repeats = any(field.is_repeated for field in method.output_type.fields)
        if not (method.name.startswith("List") or "next_page_token" in answered) or not repeats:
            continue
        for name, kind in (("page_size", "int32"), ("page_token", "string")):
            if name not in asked or type_of(asked[name]) != kind:
                yield f"{method.full_name}: the request has no {kind} {name}"
        if "next_page_token" not in answered:
            yield f"{method.full_name}: the answer has no next_page_token"
        if "page_size" in asked:
            rules = option(asked["page_size"], options_pb2.rules)
            if rules is None or (rules.min, rules.max) != (0, 200):
                yield f"{method.full_name}: page_size is not limited to 0..200"


def request_ids(methods: Iterable[MethodDescriptor]) -> Iterator[str]:
    """What writes can be repeated safely: each such request has a request_id; what reads has none."""
    for method in methods:
        field = method.input_type.fields_by_name.get("request_id")
        form = http_of(method)
        if form is None or (form[0] == "get") == (field is None):
            continue
        yield f"{method.full_name}: {'a read needs no' if field else 'a write needs a'} request_id"


@dataclass(frozen=True)
class Standard:
    """The shape of one standard method; {X}, {Xs}, {x}, {xs} stand for the resource's names, {path} for its plural in paths.

    `required` fields must be there with these types, `optional` ones may be, others may not: the kit would not look at them.
    """

    name: str
    required: dict[str, str]
    optional: dict[str, str]
    answer: str | dict[str, str]
    http: tuple[str, str, str]


_SENT = {"request_id": "string"}
# Of custom fields and saved views, whose paths all services share.
_OWNER = {"resource": "string"}
_HISTORY = {"revisions": _REVISIONS, "next_page_token": "string"}
STANDARD: Sequence[Standard] = (
    Standard("Get{X}", {"id": "string", "fields": _MASK}, {"as_of": _TIME, **_OWNER}, "{type}", ("get", "/v1/{path}/{id}", "")),
    Standard(
        "BatchGet{Xs}", {"ids": "repeated string", "fields": _MASK}, {},
        {"{xs}": "repeated {type}", "missing_ids": "repeated string"}, ("get", "/v1/{path}:batchGet", ""),
    ),
    Standard(
        "List{Xs}",
        {
            "page_size": "int32", "page_token": "string", "filter": "string", "order_by": "string", "q": "string",
            "fields": _MASK, "show_deleted": "bool",
        },
        {"as_of": _TIME, **_OWNER}, {"{xs}": "repeated {type}", "next_page_token": "string"}, ("get", "/v1/{path}", ""),
    ),
    Standard("Create{X}", {"{x}": "{type}", **_SENT}, {}, "{type}", ("post", "/v1/{path}", "{x}")),
    Standard(
        "Update{X}", {"{x}": "{type}", "update_mask": _MASK, "etag": "string", **_SENT}, _OWNER, "{type}",
        ("patch", "/v1/{path}/{{x}.id}", "{x}"),
    ),
    Standard("Delete{X}", {"id": "string", "etag": "string", **_SENT}, _OWNER, "{type}", ("delete", "/v1/{path}/{id}", "")),
    Standard("Undelete{X}", {"id": "string", **_SENT}, _OWNER, "{type}", ("post", "/v1/{path}/{id}:undelete", "*")),
    Standard(
        "List{X}History", {"id": "string", "page_size": "int32", "page_token": "string"}, {}, _HISTORY,
        ("get", "/v1/{path}/{id}/history", ""),
    ),
    Standard("Republish{Xs}", dict(_SENT), {}, _OPERATION, ("post", "/v1/{path}:republish", "*")),
)  # fmt: skip


def standard_shapes(
    methods: Iterable[MethodDescriptor], resources: Iterable[Descriptor]
) -> Iterator[str]:
    """Get, List, Create and so on of each resource look alike everywhere; the kit and the gateway read their fields by name."""
    by_name: dict[str, list[MethodDescriptor]] = defaultdict(list)
    for method in methods:
        by_name[method.name].append(method)
    for resource in resources:
        names = _names(resource)
        for shape in STANDARD:
            for method in by_name[_fill(shape.name, names)]:
                yield from _misshapen(method, shape, names)


def _names(resource: Descriptor) -> dict[str, str]:
    option_ = option(resource, options_pb2.resource)
    # views are SavedViews in names: the plural of a message is that of its path, or an s.
    path = option_.plural
    singular = resource.name
    plural = path[0].upper() + path[1:]
    if not plural.startswith(singular[:3]):
        plural = f"{singular}s"
    return {
        "X": singular, "Xs": plural, "x": _snake(singular), "xs": _snake(plural), "path": path, "type": resource.full_name,
    }  # fmt: skip


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _fill(text: str, names: dict[str, str]) -> str:
    return re.sub(r"{(X|Xs|x|xs|path|type)}", lambda found: names[found[1]], text)


def _misshapen(method: MethodDescriptor, shape: Standard, names: dict[str, str]) -> Iterator[str]:
    asked = {field.name: type_of(field) for field in method.input_type.fields}
    required = {_fill(n, names): _fill(t, names) for n, t in shape.required.items()}
    optional = {_fill(n, names): _fill(t, names) for n, t in shape.optional.items()}
    for name, kind in required.items():
        if asked.get(name) != kind:
            yield f"{method.full_name}: the request's {name} is {asked.get(name, 'absent')}, not {kind}"
    for name in sorted(asked.keys() - required.keys()):
        if optional.get(name) != asked[name]:
            yield f"{method.full_name}: the kit does not know {asked[name]} {name} in this request"
    if isinstance(shape.answer, str):
        if method.output_type.full_name != (wanted := _fill(shape.answer, names)):
            yield f"{method.full_name}: answers {method.output_type.full_name}, not {wanted}"
    else:
        answered = {field.name: type_of(field) for field in method.output_type.fields}
        expected = {_fill(n, names): _fill(t, names) for n, t in shape.answer.items()}
        if answered != expected:
            yield f"{method.full_name}: answers {answered}, not {expected}"
    wanted_http = tuple(_fill(part, names) for part in shape.http)
    if http_of(method) != wanted_http:
        yield f"{method.full_name}: HTTP {http_of(method)}, not {wanted_http}"
