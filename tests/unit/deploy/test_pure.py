"""Keys, hashes, logs: small functions with exact answers."""

from pathlib import Path

import pytest

from chassis import nkey
from deploy.local import files, statehash
from deploy.local.statehash import TableState
from deploy.local.supervisor import shorten

SEED = "SAAAOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOB6O4U"
"""32 bytes 07 as the package nkeys spells them."""


def test_public_key_is_the_one_nats_tools_give() -> None:
    public = "ADVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCZW22"

    assert nkey.AccountKey(SEED).public_key == public


def test_new_seeds_are_account_seeds_and_differ() -> None:
    seeds = {nkey.new_account_seed() for _ in range(50)}

    assert len(seeds) == 50
    assert {seed[:2] for seed in seeds} == {"SA"}
    assert {nkey.AccountKey(seed).public_key[0] for seed in seeds} == {"A"}


@pytest.mark.parametrize(
    "seed", ["", "SA", SEED[:-1] + "V", SEED.replace("O", "P", 1), "SU" + SEED[2:]]
)
def test_seed_with_an_error_is_refused(seed: str) -> None:
    with pytest.raises(ValueError, match="NATS"):
        nkey.AccountKey(seed)


def test_state_hash_knows_database_table_rows_and_contents() -> None:
    def state(database: str = "a", table: str = "t", rows: int = 1, digest: str = "9") -> str:
        return statehash.overall({database: {table: TableState(rows, digest)}})

    variants = {state(), state(database="b"), state(table="u"), state(rows=2), state(digest="8")}

    assert len(variants) == 5
    assert state() == state()


def test_differences_name_what_is_missing_changed_and_new() -> None:
    one, other = TableState(1, "1"), TableState(2, "2")
    wanted = {"crm_a": {"s.same": one, "s.gone": one, "s.changed": one}}
    found = {"crm_a": {"s.same": one, "s.changed": other}, "crm_b": {"s.new": one}}

    assert statehash.differences(wanted, found) == [
        "crm_a s.changed: 2 rows, 1 rows expected",
        "crm_a s.gone: no such table, 1 rows expected",
        "crm_b s.new: 1 rows, no such table expected",
    ]


def test_outboxes_are_found_in_any_schema() -> None:
    names = ["public.outbox", "other.outbox", "public.outbox_old", "public.inbox"]

    assert statehash.outbox_names(names) == ["public.outbox", "other.outbox"]


def test_last_line_that_tells_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("FATAL: first\nFATAL: second\nbye\n\n")

    assert files.last_line(log) == "bye"
    assert files.last_line(log, "FATAL") == "FATAL: second"
    assert files.last_line(log, "PANIC") == ""
    assert files.last_line(tmp_path / "absent") == ""


def test_long_log_moves_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with open(log, "a") as writer:
        writer.write("x" * 100)
        writer.flush()
        shorten(log, limit=100)
        assert not (tmp_path / "app.log.1").exists()
        writer.write("y")
        writer.flush()

        shorten(log, limit=100)
        writer.write("z")

    assert (tmp_path / "app.log.1").read_text() == "x" * 100 + "y"
    assert log.read_text() == "z"


def test_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    files.write_private(path, "one")
    files.write_private(path, "two")

    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
