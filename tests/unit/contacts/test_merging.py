"""What the one record has, and what is left when one of the several is taken out again."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.contacts.v1.contact_pb2 import Contact
from services.contacts.rules import merging, references

_TEXT = st.sampled_from(["", "ada", "bob", "cyd"])
_NUMBERS = st.lists(st.sampled_from([f"+4860123450{n}" for n in range(5)]), unique=True)
_IDS = [f"00000000-0000-7000-8000-00000000000{n}" for n in range(6)]


@st.composite
def contacts(draw: Any, id: str = _IDS[0]) -> Contact:
    """A contact of few different values, so that records often agree and often clash."""
    made = Contact(
        id=id, given_name=draw(_TEXT), position=draw(_TEXT), company_id=draw(st.sampled_from(["", *_IDS[3:]])),
        lifecycle_stage=draw(st.integers(0, 4)),  # type: ignore[arg-type]
    )  # fmt: skip
    for number in draw(_NUMBERS):
        made.phones.add(number=number, kind=draw(st.integers(0, 2)))
    for key in draw(st.sets(st.sampled_from("xyz"))):
        made.custom[key].string_value = draw(_TEXT)
    for target in draw(st.lists(st.sampled_from(_IDS), unique=True)):
        made.relations.add(contact_id=target, kind=draw(st.sampled_from(["friend", "boss"])))
    if draw(st.booleans()):
        made.referrer.contact_id = draw(st.sampled_from(_IDS))
    made.display_name = made.given_name or "unknown"
    return made


# A busy machine makes the generation slow; that says nothing of the rules.
EXAMPLES = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PEOPLE = [contacts(id=id) for id in _IDS[:3]]


@pytest.mark.large
@given(*PEOPLE)
@EXAMPLES
def test_undoing_at_once_gives_the_survivor_back(a: Contact, b: Contact, c: Contact) -> None:
    one = merging.union(a, [b, c], {})
    back, left = merging.three_way(one, a, one)
    assert (back, left) == (a, [])


@pytest.mark.large
@given(*PEOPLE)
@EXAMPLES
def test_the_union_has_every_item_once_and_no_value_is_lost(
    a: Contact, b: Contact, c: Contact
) -> None:
    one = merging.union(a, [b, c], {})
    numbers = [phone.number for phone in one.phones]
    assert sorted(numbers) == sorted({phone.number for each in (a, b, c) for phone in each.phones})
    assert set(one.custom) == set(a.custom) | set(b.custom) | set(c.custom)
    assert one.given_name == (a.given_name or b.given_name or c.given_name)
    assert one.company_id == (a.company_id or b.company_id or c.company_id)


@pytest.mark.large
@given(*PEOPLE)
@EXAMPLES
def test_a_change_since_survives_the_undo(a: Contact, b: Contact, edited: Contact) -> None:
    one = merging.union(a, [b], {})
    now = merging.union(one, [], {})
    now.position, now.salutation = "since", "since"
    back, left = merging.three_way(one, a, now)
    assert (back.position, back.salutation) == ("since", "since")
    assert {each.field for each in left} == {"position", "salutation"}


@pytest.mark.large
@given(contacts(), st.dictionaries(st.sampled_from(_IDS), st.sampled_from(_IDS), max_size=4))
@EXAMPLES
def test_settled_references_are_found_again(contact: Contact, into: dict[str, str]) -> None:
    first = Contact.FromString(contact.SerializeToString())
    displaced = references.settle("contact", contact, lambda noun, id: into.get(id, id))
    back, left = references.unsettle(contact, displaced)
    assert (back, left) == (first, [])
    ends = [(relation.contact_id, relation.kind) for relation in contact.relations]
    if displaced:
        assert len(ends) == len(set(ends))


def test_a_relation_to_oneself_is_left_out_and_comes_back() -> None:
    a, b = _IDS[:2]
    contact = Contact(id=a)
    contact.relations.add(contact_id=b, kind="friend", note="old")
    contact.referrer.contact_id = b
    displaced = references.settle("contact", contact, lambda noun, id: a if id == b else id)
    assert (len(contact.relations), contact.HasField("referrer")) == (0, False)
    contact.relations.add(contact_id=_IDS[2], kind="boss")
    back, left = references.unsettle(contact, displaced)
    assert [(r.contact_id, r.note) for r in back.relations] == [(_IDS[2], ""), (b, "old")]
    assert back.referrer.contact_id == b
    assert [(each.field, each.reason) for each in left] == [("relations", merging.ADDED)]
