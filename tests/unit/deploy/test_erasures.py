"""The erasure lists of a backup, of the place beside it and of the data directory are united by a restore."""

from pathlib import Path

from deploy.local import erasures


def noted(root: Path, tenant: str, id: str, text: str = "{}") -> None:
    place = root / "erasures" / tenant / f"{id}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_what_the_backup_lacks_comes_from_both_others(tmp_path: Path) -> None:
    restored, beside, data = (tmp_path / name for name in ("restored", "beside", "data"))
    noted(restored, "t1", "a", "its own")
    noted(beside, "t1", "a", "the same")
    noted(beside, "t1", "b")
    noted(data, "t1", "b")
    noted(data, "t2", "c")

    came = erasures.unite(restored, [beside, data])

    assert came == 2
    found = sorted(str(place.relative_to(restored)) for place in restored.rglob("*.json"))
    assert found == ["erasures/t1/a.json", "erasures/t1/b.json", "erasures/t2/c.json"]
    assert (restored / "erasures/t1/a.json").read_text() == "its own"
    assert (restored / "erasures/t2/c.json").stat().st_mode & 0o777 == 0o600


def test_without_lists_nothing_happens(tmp_path: Path) -> None:
    assert erasures.unite(tmp_path / "restored", [tmp_path / "nowhere"]) == 0
    assert not (tmp_path / "restored").exists()
