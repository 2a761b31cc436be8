"""What a comment may be: mentions in the text, what is fixed, threads, and standing on a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.contacts.v1 import contact_pb2
from crm.contacts.v1 import events_pb2 as contacts
from crm.notifications.v1 import comment_pb2
from crm.tasks.v1 import events_pb2 as tasks
from crm.tasks.v1 import task_pb2
from services.notifications import comments, errors
from services.notifications.rules import comments as rules
from services.notifications.rules.comments import Record

Comment = comment_pb2.Comment
ANA, JAN = "018f0000-0000-7000-8000-00000000000a", "018f0000-0000-7000-8000-00000000000b"
RECORD = Record("contact", ANA, 1, owner_id=JAN, contact_ids=(ANA,))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"@[Ana Nowak]({ANA}) and @[Jan]({JAN})", [ANA, JAN]),
        (f"@[Ana]({ANA}) twice @[Ana]({ANA})", [ANA]),
        (f"@[Ana]({ANA.upper()})", [ANA]),
        (f"mail ana@example.com ({ANA}), @Ana, @[]({ANA}), [Ana]({ANA})", []),
        (f"@[two\nlines]({ANA})", []),
        ("@[Ana](not-an-id)", []),
        ("", []),
    ],
)
def test_mentions_are_read_from_the_text(text: str, ids: list[str]) -> None:
    assert rules.mentioned_in(text) == ids


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert rules.mentioned_in(text) == []


@given(st.lists(st.uuids().map(str), max_size=8), st.lists(st.uuids().map(str), max_size=8))
def test_whom_the_text_names_no_more_is_mentioned_no_more_and_who_was_named_beside_it_stays(
    in_text: list[str], beside: list[str]
) -> None:
    old = Comment(text="x " + " ".join(f"@[A]({id})" for id in in_text), mention_user_ids=beside)
    rules.normalise(old, None)
    new = Comment(text="nobody", mention_user_ids=old.mention_user_ids)

    rules.normalise(new, old)

    assert set(old.mention_user_ids) == {*in_text, *beside}
    assert set(new.mention_user_ids) == set(beside) - set(in_text)
    assert rules.newly_mentioned(new, old) == []


def test_what_says_nothing_is_refused() -> None:
    with pytest.raises(errors.CommentEmpty):
        rules.normalise(Comment(text=" \t\n"), None)


@pytest.mark.parametrize("field", ["object", "object_id", "reply_to_id"])
def test_where_it_stands_is_fixed(field: str) -> None:
    old = Comment(object="contact", object_id=ANA)
    new = Comment(object="contact", object_id=ANA)
    setattr(new, field, JAN)

    with pytest.raises(errors.CommentFixed) as refused:
        rules.keep_fixed(new, old)

    assert [v.field for v in refused.value.violations] == [field]


def test_a_merge_and_its_undoing_leave_a_comment_as_it_was() -> None:
    comment = Comment(text="x")
    rules.stand_on(comment, RECORD)
    before = comment.SerializeToString()
    first, second = Record("contact", JAN, 1), Record("contact", "c", 1)

    rules.move(comment, first)
    rules.move(comment, second)  # the survivor went into another one
    assert (comment.object_id, comment.origin_id, comment.owner_id) == ("c", ANA, "")
    rules.move_back(comment, RECORD)

    assert comment.SerializeToString() == before


def test_a_record_is_read_from_the_events_of_any_service() -> None:
    contact = contacts.ContactUpdated(
        contact=contact_pb2.Contact(id=ANA, owner_id=JAN, follower_ids=[ANA, ANA])
    )
    task = tasks.TaskCreated(task=task_pb2.Task(id=JAN, department_id=ANA, contact_id=ANA))
    contact.change.version = task.change.version = 4

    assert comments.record_of(contact) == Record("contact", ANA, 4, JAN, "", (ANA,), (ANA,), ())
    assert comments.record_of(task) == Record("task", JAN, 4, "", ANA, (), (ANA,), ())
