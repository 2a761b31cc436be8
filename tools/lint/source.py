"""One file as the checks see it, and the finding they report."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

# An exception to a rule, with its reason, at the end of the line that breaks it.
_ALLOW = re.compile(r"(?:#|//) allow (?P<rule>[a-z-]+): \S+")

# The rooms of a service (STYLE section 2). Other modules in a service are its named calculations.
ENTRY_ROOMS = frozenset({"rpc", "consumers", "timers", "jobs"})
ROOMS = ENTRY_ROOMS | {"rules", "store", "errors", "service", "migrations"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule at one line: what is wrong and what to do."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Source:
    """A tracked text file. `path` is relative to the repository, with forward slashes."""

    path: str
    text: str
    parts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", PurePosixPath(self.path).parts)

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file. Raises SyntaxError."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, or none when this is not Python."""
        return list(ast.walk(self.tree)) if self.is_python else []

    @property
    def place(self) -> str:
        """The top folder: chassis, services, gateway, tests, ..."""
        return self.parts[0]

    @property
    def service(self) -> str | None:
        """The service this file belongs to, else None."""
        return self.parts[1] if self.place == "services" and len(self.parts) > 2 else None

    @property
    def room(self) -> str | None:
        """The room of its service, also when the room is a package or lies in a resource folder."""
        return room_of(self.parts[2:]) if self.service else None

    def allows(self, finding: Finding) -> bool:
        """Whether the finding's line carries an exception to that rule, with a reason."""
        if not 1 <= finding.line <= len(self.lines):
            return False
        found = _ALLOW.search(self.lines[finding.line - 1])
        return found is not None and found["rule"] == finding.rule

    def imports(self) -> Iterator[tuple[int, str]]:
        """(line, dotted name) of everything imported; `from a import b` gives `a.b`."""
        package = [*self.parts[:-1]]
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                stem = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    yield node.lineno, f"{stem}.{alias.name}"

    def docstrings(self) -> set[int]:
        """Identities of the constants that are docstrings."""
        return {
            id(node.body[0].value)
            for node in self.nodes
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
            and isinstance(node.body[0].value, ast.Constant)
        }


def room_of(parts: tuple[str, ...] | list[str]) -> str | None:
    """The first part that names a room; parts are those below the service's folder."""
    return next((part for name in parts if (part := name.removesuffix(".py")) in ROOMS), None)


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, the last attribute alone when it hangs on something else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        stem = dotted(node.value)
        return f"{stem}.{node.attr}" if stem else node.attr
    return ""
