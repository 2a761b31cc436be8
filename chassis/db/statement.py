"""SQLAlchemy builds a statement, once; asyncpg runs its text.

SQLAlchemy's own execute costs five to eight times the CPU of the same compiled statement (PERFORMANCE.md section 1).
"""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql.elements import ClauseElement

_DIALECT = dialect()
_PLACE = re.compile(r"\$(\d+)")  # compiled statements hold no literals in which it might stand


class Statement:
    """A statement, compiled when it is first used: `sql` with $1, $2 ... and the bind names in their order; literals are defaults.

    A program has about a thousand of them: compiling all when they are imported would be a quarter of its start.
    """

    __slots__ = ("_element", "_known", "defaults", "names", "needs_tenant", "sql")

    sql: str
    names: tuple[str, ...]
    defaults: dict[str, Any]
    needs_tenant: bool
    _known: frozenset[str]

    def __init__(self, element: ClauseElement) -> None:
        self._element: ClauseElement | None = element

    def __getattr__(self, name: str) -> Any:
        """Called only for what is not there yet; from then on the attributes cost nothing more."""
        if name not in self.__slots__ or self._element is None:
            raise AttributeError(name)
        self._compile(self._element)
        self._element = None
        return getattr(self, name)

    def _compile(self, element: ClauseElement) -> None:
        compiled = element.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.sql = str(compiled)
        self.names = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]
        self.defaults = {k: v for k, v in compiled.params.items() if v is not None}
        self._known = frozenset(self.names)
        self.needs_tenant = "tenant_id" in self._known

    def arguments(self, values: Mapping[str, Any], tenant_id: str | None) -> list[Any]:
        """The positional arguments; a bind that is neither given nor a literal is NULL, an unknown one is a KeyError."""
        if unknown := values.keys() - self._known:
            raise KeyError(f"statement has no bind {sorted(unknown)}: {self.sql}")
        if self.needs_tenant and tenant_id is not None:
            values = {"tenant_id": tenant_id, **values}
        defaults = self.defaults
        return [values[name] if name in values else defaults.get(name) for name in self.names]


def placed(sql: str, before: int) -> str:
    """The text of a compiled statement with its parameters behind `before` others."""
    return _PLACE.sub(lambda found: f"${int(found[1]) + before}", sql)
