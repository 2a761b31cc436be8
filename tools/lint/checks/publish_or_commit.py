"""A service neither publishes nor commits nor aborts: it emits, returns, or raises a refusal."""

import ast
from collections.abc import Iterator

from tools.lint.source import Finding, Source, dotted

RULE = "publish-or-commit"
_INSTEAD = {
    "publish": "use tx.emit: the event leaves with the commit or not at all",
    "commit": "return from the body: the chassis commits",
    "rollback": "raise a refusal: the chassis rolls back",
}


def check(source: Source) -> Iterator[Finding]:
    """One finding per NATS import and per publish, commit, rollback or context.abort call."""
    if source.service is None or source.room == "migrations":
        return
    for line, name in source.imports():
        if name.split(".")[0] == "nats":
            yield Finding(source.path, line, RULE, f"{name}: use tx.emit and @on instead")
    for node in source.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = dotted(node.func)
        if node.func.attr in _INSTEAD:
            message = f".{node.func.attr}(): {_INSTEAD[node.func.attr]}"
            yield Finding(source.path, node.lineno, RULE, message)
        elif name.endswith("context.abort"):
            message = f"{name}(): raise a refusal of errors.py; one interceptor maps it"
            yield Finding(source.path, node.lineno, RULE, message)
