"""Keys by which files name records of other services."""

from chassis.kit.imports import named


def test_equal_keys_of_two_companies_have_other_hashes() -> None:
    assert named.hashed("a", "phone:+1") != named.hashed("b", "phone:+1")
    assert len(named.hashed("a", "phone:+1")) == 32
