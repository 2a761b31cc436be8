"""A data directory is used only when it is ours, whole, and not newer than we are."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import installation
from deploy.local.errors import Refusal
from deploy.local.installation import FORMAT, Installation, opened
from deploy.local.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"CRM_DATA_DIR": str(tmp_path / "data"), "DEMO": "0"})


@pytest.fixture
def made(settings: Settings) -> Settings:
    """An installation whose databases were made."""
    with opened(settings) as one:
        for name in ("PG_VERSION", "global/pg_control"):
            path = settings.data / "postgres" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("18")
        one.remember(postgres_made=True)
    return settings


def tree(data: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_first_start_makes_secrets_that_stay(settings: Settings) -> None:
    with opened(settings) as first:
        secrets, token = first.secrets, first.setup_token
    with opened(settings) as second:
        assert (second.secrets, second.setup_token) == (secrets, token)
    assert len(bytes.fromhex(secrets.installation)) == 32
    assert len(token or "") >= 43
    for name in ("secrets.json", "setup-token", "installation.json", "data-version"):
        assert (settings.data / name).stat().st_mode & 0o777 == 0o600


def test_what_is_remembered_is_there_at_the_next_start(settings: Settings) -> None:
    with opened(settings) as first:
        first.remember(postgres_port=5, demo="created")
    with opened(settings) as second:
        assert (second.remembered.postgres_port, second.remembered.demo) == (5, "created")


def test_demo_is_decided_at_the_first_start(settings: Settings) -> None:
    def remembered(one: Installation) -> str:
        return one.remembered.demo

    with opened(replace(settings, demo=True)) as first:
        assert remembered(first) == "wanted"
    with opened(settings) as second:
        assert remembered(second) == "wanted"


def test_start_that_was_cut_off_before_its_secrets_continues(settings: Settings) -> None:
    with opened(settings):
        (settings.data / "secrets.json").unlink()
    with opened(settings) as again:
        assert again.secrets.postgres_password


def test_spent_setup_token_is_gone(settings: Settings) -> None:
    with opened(settings) as one:
        one.spend_setup_token()
        assert one.setup_token is None
    with opened(settings) as again:
        assert again.setup_token is None


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "data-version",
            json.dumps({"format": FORMAT + 1, "akrab": "7.0"}),
            "written by Akrab 7.0",
        ),
        ("data-version", "{", "data-version is unreadable"),
        ("secrets.json", None, "secrets.json is missing"),
        ("secrets.json", "{}", "secrets.json is incomplete"),
        ("installation.json", None, "installation.json is missing"),
        ("installation.json", '{"demo": 1, "other": 2}', "installation.json is incomplete"),
        ("postgres/PG_VERSION", None, "postgres is missing or incomplete"),
        ("postgres/global/pg_control", None, "postgres is missing or incomplete"),
    ],
)
def test_damaged_or_newer_directory_is_refused_untouched(
    made: Settings, file: str, content: str | None, words: str
) -> None:
    path = made.data / file
    path.unlink() if content is None else path.write_text(content)
    before = tree(made.data)

    with pytest.raises(Refusal, match=words), opened(made):
        pytest.fail("it was opened")

    assert tree(made.data) == before


def test_somebody_elses_folder_is_refused_untouched(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / "letters.txt").write_text("dear")

    with pytest.raises(Refusal, match="holds no Akrab data"), opened(settings):
        pytest.fail("it was opened")

    assert [path.name for path in settings.data.iterdir()] == ["letters.txt"]


def test_file_in_place_of_the_folder_is_refused(settings: Settings) -> None:
    settings.data.write_text("")

    with pytest.raises(Refusal, match="not a directory"), opened(settings):
        pytest.fail("it was opened")


def test_lock_tells_who_holds_it_and_ends_with_its_block(settings: Settings) -> None:
    with opened(settings):
        assert installation.in_use(settings.data)
        with pytest.raises(Refusal, match=f"process {os.getpid()}"), opened(settings):
            pytest.fail("it was opened twice")
    assert not installation.in_use(settings.data)
