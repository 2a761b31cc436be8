"""Tests wait on a condition with a deadline, never for a while."""

import ast
from collections.abc import Iterator

from tools.lint.source import Finding, Source, dotted

RULE = "sleep-in-test"
_SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep"}


def check(source: Source) -> Iterator[Finding]:
    """One finding per sleep in tests/; `sleep(0)` only lets others run and passes."""
    if source.place != "tests":
        return
    bare = any(name in _SLEEPS for _, name in source.imports())
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        if (name in _SLEEPS or (bare and name == "sleep")) and not _is_zero(node):
            message = f"{name}(): wait on a condition with a deadline"
            yield Finding(source.path, node.lineno, RULE, message)


def _is_zero(call: ast.Call) -> bool:
    return any(isinstance(a, ast.Constant) and a.value == 0 for a in call.args)
