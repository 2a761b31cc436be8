"""`except Exception` lives in few listed places; elsewhere it hides what nobody foresaw."""

import ast
from collections.abc import Iterator

from tools.lint.source import Finding, Source, dotted

RULE = "broad-except"
_BROAD = {"Exception", "BaseException"}
# Loops and borders that must outlive whatever passes through them.
ALLOWED = {
    "chassis/rpc/interceptors.py": "a call: INTERNAL with a trace id",
    "chassis/events/consumer.py": "a consumer's message: retried, then dead letter",
    "chassis/events/turns.py": "events that shared a turn: each tried again alone, raised where it is waited for",
    "chassis/operation_runs.py": "an operation's body: told to whoever waits for it",
    "chassis/timers.py": "a timer's body: tried again later",
    "chassis/events/relay.py": "a batch of the outbox: logged, tried again",
    "gateway/app.py": "the HTTP face of the interceptor: problem+json with a trace id",
}


def check(source: Source) -> Iterator[Finding]:
    """One finding per handler or suppress() of everything.

    A handler that ends in a bare `raise` cleans up and hides nothing: it passes.
    """
    if source.path in ALLOWED:
        return
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _re_raises(node):
            message = "name the exceptions you expect, or let it rise to the chassis"
            yield Finding(source.path, node.lineno, RULE, message)
        elif (
            isinstance(node, ast.Call)
            and dotted(node.func).rpartition(".")[2] == "suppress"
            and any(_is_broad(argument) for argument in node.args)
        ):
            message = "suppress() of everything; name the exceptions you expect"
            yield Finding(source.path, node.lineno, RULE, message)


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(one) for one in caught.elts)
    return caught is None or dotted(caught).removeprefix("builtins.") in _BROAD


def _re_raises(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
