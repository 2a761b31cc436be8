"""SQL lives in stores and migrations only."""

import ast
import re
from collections.abc import Iterator

from tools.lint.source import Finding, Source

RULE = "sql-outside-store"
_LIBRARIES = {"sqlalchemy", "asyncpg", "alembic", "psycopg", "sqlite3"}
# Statements as people write them, all upper or all lower case: "Select a file from ..." is English.
_SQL = re.compile(
    r"\s*(SELECT\s.*\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s"
    r"|WITH\s+\w+\s+AS\s*\(|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|VIEW)\s"
    r"|select\s.*\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s+\S+\s+where\s)",
    re.DOTALL,
)


def check(source: Source) -> Iterator[Finding]:
    """One finding per SQL library or statement in a service's other rooms or in the gateway."""
    if source.place not in ("services", "gateway") or _is_store(source):
        return
    for line, name in source.imports():
        if name.split(".")[0] in _LIBRARIES:
            yield Finding(source.path, line, RULE, f"{name} belongs in store.py")
    docstrings = source.docstrings()
    for node in source.nodes:
        text = _text(node)
        if id(node) not in docstrings and text and _SQL.match(text):
            message = f"statement {text.strip()[:30]!r} belongs in store.py"
            yield Finding(source.path, getattr(node, "lineno", 1), RULE, message)


def _is_store(source: Source) -> bool:
    below_service = source.parts[2:]
    return any(part.startswith("store") or part == "migrations" for part in below_service)


def _text(node: ast.AST) -> str | None:
    """The text of a string or of an f-string, with {} for what is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{}" for part in node.values)
    return None
