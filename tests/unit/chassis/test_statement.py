"""A statement is compiled when it is first used, once, into what asyncpg runs."""

import copy

import pytest
from sqlalchemy import Uuid, bindparam, column, select, table

from chassis.db import statement
from chassis.db.statement import Statement

THINGS = table("things", column("tenant_id", Uuid), column("name"))


def of_tenant() -> Statement:
    named = THINGS.c.name == bindparam("name", "default")
    return Statement(
        select(THINGS.c.name).where(THINGS.c.tenant_id == bindparam("tenant_id"), named)
    )


def test_text_names_and_arguments_are_those_of_the_compiled_statement() -> None:
    made = of_tenant()

    assert made.arguments({}, "t") == ["t", "default"]
    assert made.arguments({"name": "x"}, "t") == ["t", "x"]
    assert made.names == ("tenant_id", "name")
    assert made.needs_tenant
    assert made.sql.endswith("WHERE things.tenant_id = $1::UUID AND things.name = $2::VARCHAR")


def test_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = of_tenant()
    before = made.sql

    monkeypatch.setattr(statement, "_DIALECT", None)  # whoever compiled now would fail

    assert made.sql is before
    assert made.arguments({}, "t") == ["t", "default"]


def test_what_it_does_not_have_is_an_attribute_error() -> None:
    made = of_tenant()

    with pytest.raises(AttributeError, match="nothing"):
        made.nothing  # noqa: B018
    assert copy.copy(made).sql == made.sql  # copying asks for attributes before any is set
