"""Which RPC or page answers a method and a path: read from google.api.http of every contract, so a new RPC needs no edit.

Matching walks a tree of path segments, literal before variable. A verb after the last segment (`{id}:win`) belongs to the leaf.
Some paths are bound by several services (`/v1/customFields`): there the request names the resource, and the resource its service.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor

from chassis import contracts, errors
from chassis.contracts import Method
from gateway.exchange import Exchange, Response
from gateway.problems import MethodNotAllowed

Handler = Callable[[Exchange, tuple[str, ...]], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP form of one RPC."""

    method: Method
    verb: str
    template: str
    variables: tuple[str, ...]
    body: str


@dataclass(frozen=True, slots=True)
class Shared:
    """One path bound by several services; `bindings` by the plural of the resource that the request names."""

    bindings: dict[str, Binding]
    all: tuple[Binding, ...]


Target = Binding | Shared | Handler


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    variable: "_Node | None" = None
    # custom verb ("" for none) -> HTTP verb -> target
    leaves: dict[str, dict[str, Target]] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """All routes of this process."""

    _root: _Node = field(default_factory=_Node)
    bindings: list[Binding] = field(default_factory=list)

    def add(self, verb: str, template: str, target: Target) -> None:
        """Binds `target`; raises ValueError where two single targets claim the same method and path."""
        segments, custom, _ = parse_template(template)
        node = self._root
        for segment in segments:
            if segment is None:
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        verbs = node.leaves.setdefault(custom, {})
        if verb in verbs:
            raise ValueError(f"{verb} {template} is bound twice")
        verbs[verb] = target

    def replace(self, verb: str, template: str, make: Callable[[Target], Handler]) -> None:
        """Puts a handler around what is bound; ValueError if nothing is."""
        segments, custom, _ = parse_template(template)
        found = _descend(
            self._root, ["", *("*" if s is None else s for s in segments)], 1, custom, []
        )
        if found is None or verb not in found:
            raise ValueError(f"{verb} {template} is not bound")
        found[verb] = make(found[verb])

    def match(self, verb: str, path: str) -> tuple[Target, tuple[str, ...]]:
        """The target and the path's variables in order; raises NotFound or MethodNotAllowed."""
        segments = path.split("/")
        last, _, custom = segments[-1].partition(":")
        segments[-1] = last
        found: list[str] = []
        leaves = _descend(self._root, segments, 1, custom, found)
        if leaves is None:
            raise errors.NotFound(f"nothing is at {path[:200]}")
        target = leaves.get(verb) or (leaves.get("GET") if verb == "HEAD" else None)
        if target is None:
            raise MethodNotAllowed(verb, sorted({*leaves, "HEAD"} if "GET" in leaves else leaves))
        return target, tuple(unquote(text) if "%" in text else text for text in found)


def _descend(
    node: _Node, segments: list[str], at: int, custom: str, found: list[str]
) -> dict[str, Target] | None:
    if at == len(segments):
        return node.leaves.get(custom)
    child = node.literals.get(segments[at])
    if child is not None:
        leaves = _descend(child, segments, at + 1, custom, found)
        if leaves is not None:
            return leaves
    if node.variable is None or not segments[at]:
        return None
    found.append(segments[at])
    leaves = _descend(node.variable, segments, at + 1, custom, found)
    if leaves is None:
        found.pop()
    return leaves


def parse_template(template: str) -> tuple[list[str | None], str, tuple[str, ...]]:
    """(segments with None for a variable, custom verb, variable names); ValueError on patterns this gateway does not know."""
    if not template.startswith("/"):
        raise ValueError(f"{template} does not begin with /")
    path, custom = template, ""
    last = template.rpartition("/")[2]
    if ":" in last:
        path, _, custom = template.rpartition(":")
    segments: list[str | None] = []
    names: list[str] = []
    for part in path[1:].split("/"):
        if part.startswith("{") and part.endswith("}"):
            name = part[1:-1]
            if "=" in name or "*" in name:
                raise ValueError(
                    f"{template}: patterns inside a variable are not used here; give it one segment"
                )
            segments.append(None)
            names.append(name)
        elif "{" in part or "*" in part:
            raise ValueError(f"{template}: a variable must be a whole segment")
        else:
            segments.append(part)
    return segments, custom, tuple(names)


def bindings_of(desc: descriptor.MethodDescriptor) -> Iterable[Binding]:
    """Every HTTP form of an RPC; none for server streams, which only gRPC callers use."""
    options = desc.GetOptions()
    if not options.HasExtension(annotations_pb2.http) or desc.server_streaming:
        return
    method = contracts.method_of(desc)
    rule: http_pb2.HttpRule = options.Extensions[annotations_pb2.http]
    for form in (rule, *rule.additional_bindings):
        verb = form.WhichOneof("pattern")
        if verb is None or verb == "custom":
            raise ValueError(f"{desc.full_name}: only get, put, post, delete and patch are bound")
        template = getattr(form, verb)
        yield Binding(method, verb.upper(), template, parse_template(template)[2], form.body)


def build(services: Iterable[descriptor.ServiceDescriptor]) -> Table:
    """The table of all annotated RPCs of these services."""
    forms: dict[tuple[object, ...], list[Binding]] = {}
    for service in services:
        for desc in service.methods:
            for binding in bindings_of(desc):
                segments, custom, _ = parse_template(binding.template)
                forms.setdefault((binding.verb, *segments, custom), []).append(binding)
    table = Table()
    plurals = _service_of_plural()
    for bound in forms.values():
        table.bindings += bound
        first = bound[0]
        table.add(first.verb, first.template, first if len(bound) == 1 else _share(bound, plurals))
    return table


def _share(bound: list[Binding], plurals: dict[str, str]) -> Shared:
    by_service = {binding.method.service: binding for binding in bound}
    if len(by_service) != len(bound):
        raise ValueError(f"{bound[0].verb} {bound[0].template} is bound twice by one service")
    return Shared(
        {plural: by_service[name] for plural, name in plurals.items() if name in by_service},
        tuple(bound),
    )


def _service_of_plural() -> dict[str, str]:
    """plural of a resource -> the service whose package declares it."""
    found: dict[str, str] = {}
    for desc in contracts.resources().values():
        option = contracts.resource_option(desc)
        service = contracts.service_of(desc.full_name)
        if option is not None and service not in ("common", "options"):
            found[option.plural] = service
    return found


def choose(shared: Shared, resource: str) -> Binding:
    """The binding of the service that owns `resource`; InvalidArgument with the possible values if none does."""
    binding = shared.bindings.get(resource)
    if binding is None:
        known = ", ".join(sorted(shared.bindings))
        raise errors.InvalidArgument(
            "this path is shared by several kinds of records; say which",
            [errors.Violation("resource", f"{resource[:60]!r} is not one of: {known}")],
        )
    return binding
