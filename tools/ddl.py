"""`python -m tools.ddl SERVICE > services/SERVICE/migrations/versions/....sql`: what makes a service's tables.

For the first migration of a new service. A migration is frozen text: it makes the same tables when the code has moved on.
"""

import sys

from chassis import service as services
from chassis.db import schema
from chassis.db.plumbing import plumbing


def statements(name: str) -> str:
    """The statements as SQL text, each ended by a semicolon; {role} and {background} stand for the database's roles."""
    metadata = services.load(name).metadata
    if metadata is None:
        raise SystemExit(f"{name} owns no database")
    found = []
    for statement in (*schema.ddl(plumbing()), *schema.ddl(metadata)):
        lines = [line.rstrip() for line in statement.expandtabs(4).splitlines() if line.strip()]
        found.append("\n".join(lines) + ";\n")
    return "".join(found)


if __name__ == "__main__":
    print(statements(*sys.argv[1:]), end="")
