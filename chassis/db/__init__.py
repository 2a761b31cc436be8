"""PostgreSQL: compiled statements on pooled raw connections, tenancy, migrations."""

from chassis.db.pool import Connection, Pools
from chassis.db.statement import Statement

__all__ = ["Connection", "Pools", "Statement"]
