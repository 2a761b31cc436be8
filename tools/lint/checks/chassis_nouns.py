"""The chassis knows no noun of the CRM: not in a name, not in a string."""

import ast
import re
from collections.abc import Iterator

from tools.lint.source import Finding, Source

RULE = "chassis-noun"
NOUNS = frozenset(
    {
        "campaign",
        "company",
        "contact",
        "customer",
        "deal",
        "invoice",
        "lead",
        "opportunity",
        "prospect",
        "salesperson",
        "supplier",
        "task",
    }
)
# Names that are not ours to choose, each with whose they are.
ALLOWED = {
    "Task": "asyncio.Task, in annotations",
    "TaskGroup": "asyncio",
    "all_tasks": "asyncio",
    "create_task": "asyncio",
    "current_task": "asyncio",
    "task": "an asyncio.Task; a long-running piece of work of ours is an operation",
    "taskName": "logging.LogRecord",
    "task_done": "asyncio.Queue",
    "tasks": "several asyncio.Task",
}
# (noun, part of the path) where the word means something else.
ALLOWED_IN = {
    ("lead", "chassis/events/leader.py"): "what an elected leader does",
    ("contact", "openapi"): "OpenAPI's field for whom to ask about an API",
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def check(source: Source) -> Iterator[Finding]:
    """One finding per identifier or string (docstrings apart) in the chassis that has a noun."""
    if source.place != "chassis":
        return
    elsewhere = {noun for noun, part in ALLOWED_IN if part in source.path}
    docstrings = source.docstrings()
    for node in source.nodes:
        for text in _texts(node) if id(node) not in docstrings else ():
            for noun in sorted({_singular(word) for word in _WORD.findall(text)} & NOUNS):
                if noun in elsewhere:
                    continue
                message = (
                    f"{text[:40]!r} names a {noun}; say it generically or move it to a service"
                )
                yield Finding(source.path, getattr(node, "lineno", 1), RULE, message)


def _texts(node: ast.AST) -> list[str]:
    """The identifiers and the string that one node itself brings, those allowed apart."""
    fields = ("id", "attr", "arg", "name", "asname", "module")
    texts = [getattr(node, field, None) for field in fields]
    if isinstance(node, ast.Constant):
        texts.append(node.value)
    return [text for text in texts if isinstance(text, str) and text not in ALLOWED]


def _singular(word: str) -> str:
    word = word.lower()
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")
