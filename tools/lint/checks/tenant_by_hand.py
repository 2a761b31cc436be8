"""Nobody passes a tenant by hand: it comes from the verified token or event, inside `tx`."""

import ast
from collections.abc import Iterator

from tools.lint.source import ENTRY_ROOMS, Finding, Source, dotted

RULE = "tenant-by-hand"
_NAMES = {"tenant", "tenant_id"}
_ROOMS = ENTRY_ROOMS | {"rules"}


def check(source: Source) -> Iterator[Finding]:
    """One finding per parameter or keyword argument that is a tenant in a service's rooms.

    The resource message Tenant is no such thing: a parameter annotated with it, and a field of a
    message built from it (a call of a capitalised name), are left alone.
    """
    if source.room not in _ROOMS:
        return
    for node in source.nodes:
        if isinstance(node, ast.arg) and node.arg in _NAMES and not _is_resource(node):
            message = f"parameter {node.arg}: take tx, which knows its tenant"
            yield Finding(source.path, node.lineno, RULE, message)
        elif isinstance(node, ast.Call) and not _builds_message(node) and not _is_boundary(node):
            for keyword in node.keywords:
                if keyword.arg in _NAMES:
                    message = f"argument {keyword.arg}=: pass tx, which knows its tenant"
                    yield Finding(source.path, keyword.value.lineno, RULE, message)


def _is_boundary(call: ast.Call) -> bool:
    """`@writes(tenant=...)` of a public RPC says where its request names the company."""
    return dotted(call.func) in ("reads", "writes")


def _is_resource(argument: ast.arg) -> bool:
    annotation = argument.annotation
    return annotation is not None and dotted(annotation).rpartition(".")[2] == "Tenant"


def _builds_message(call: ast.Call) -> bool:
    name = dotted(call.func).rpartition(".")[2]
    return name[:1].isupper() and all(keyword.arg != "tenant_id" for keyword in call.keywords)
