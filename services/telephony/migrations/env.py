"""Alembic's entry: the chassis runs the migrations of every service."""

from chassis.db import migrations_env

migrations_env.run()
