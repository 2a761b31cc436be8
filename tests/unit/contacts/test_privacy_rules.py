"""What is personal in a record, and what is left of a request without it."""

from google.protobuf.struct_pb2 import Value

from crm.common.v1 import imports_pb2
from crm.contacts.v1 import contact_pb2, party_pb2, request_pb2
from services.contacts.rules import privacy

Request = request_pb2.Request
WHO = "0192f3a0-0000-7000-8000-000000000001"


def test_a_request_keeps_source_times_and_outcome_and_nothing_else() -> None:
    touch = party_pb2.Touch(
        utm_source="google", keyword="jan kowalski windows", referrer="https://x/?mail=j@k.pl"
    )
    request = Request(
        id=WHO, etag="3", state=Request.STATE_CLOSED, close_reason=Request.CLOSE_REASON_NOT_FOR_US,
        channel=Request.CHANNEL_FORM, raw="Jan", form_id=WHO, source_id=WHO, first_touch=touch, visitor_id="v", name="Jan",
        phone="1", email="j@k.pl", company_name="Jan's", text="hi", contact_id=WHO, owner_id=WHO, candidate_ids=[WHO],
        fields={"a": "Jan"}, custom={"a": Value(string_value="Jan")}, name_differs=True, label_ids=[WHO],
    )  # fmt: skip
    request.create_time.seconds = 7

    bare = privacy.anonymised(request)

    expected = Request(
        id=WHO, etag="3", state=Request.STATE_CLOSED, close_reason=Request.CLOSE_REASON_NOT_FOR_US,
        channel=Request.CHANNEL_FORM, form_id=WHO, source_id=WHO, owner_id=WHO, label_ids=[WHO],
        first_touch=party_pb2.Touch(utm_source="google"),
    )  # fmt: skip
    expected.create_time.seconds = 7
    assert bare == expected


def test_every_field_of_a_request_is_kept_by_name_or_left_out() -> None:
    """A field that is added later is personal until somebody says that it is not."""
    kept = {"first_touch", "last_touch", *privacy._KEPT}

    assert kept <= set(Request.DESCRIPTOR.fields_by_name)


def test_traits_are_looked_for_in_every_spelling() -> None:
    traits = privacy.Traits()
    traits.add_contact(
        contact_pb2.Contact(
            given_name="Łucja", family_name="Żółkowska", display_name="Łucja Żółkowska",
            phones=[party_pb2.Phone(number="+48601234567")], emails=[party_pb2.Email(address="l@example.com")],
        )
    )  # fmt: skip

    texts = traits.texts()

    assert {
        "Żółkowska",
        "żółkowska",
        "ŻÓŁKOWSKA",
        "zolkowska",
        "48601234567",
        "601234567",
        "l@example.com",
    } <= texts
    assert privacy.mentions("call +48 601-234-567 today", {text.casefold() for text in texts})
    assert privacy.mentions("ŁUCJA ŻÓŁKOWSKA", {text.casefold() for text in texts})
    assert not privacy.mentions("call +48 601-234-568 today", {text.casefold() for text in texts})


def test_a_request_adds_no_single_first_name() -> None:
    traits = privacy.Traits()

    traits.add_request(
        Request(name="Anna", phone="601 234 567", email="A@Example.com", visitor_id="v1")
    )

    assert (traits.names, traits.digits, traits.visitors) == (set(), {"601234567"}, {"v1"})
    assert "a@example.com" in traits.emails


def test_an_import_forgets_the_values_and_keeps_its_counts() -> None:
    imported = imports_pb2.Import(
        file_name="kowalska.csv", plan=imports_pb2.ImportCounts(created=2),
        columns=[imports_pb2.ImportColumn(header="Name", samples=["Nowak", "Kowalska"])],
        samples=[imports_pb2.ImportRow(line=2, cells=["Kowalska", "601 234 567"])],
    )  # fmt: skip

    assert privacy.scrub(imported, {"Kowalska", "601234567"})

    assert imported.file_name == ""
    assert list(imported.columns[0].samples) == ["Nowak", ""]
    assert (imported.samples[0].line, list(imported.samples[0].cells), imported.plan.created) == (
        2,
        ["", ""],
        2,
    )
    assert not privacy.scrub(imported, {"Kowalska", "601234567"})


def test_others_lose_their_references_and_nothing_more() -> None:
    other = contact_pb2.Contact(
        relations=[
            party_pb2.Relation(contact_id=WHO, kind="friend"),
            party_pb2.Relation(company_id=WHO, kind="bank"),
        ]
    )
    other.referrer.contact_id = WHO

    assert privacy.without(other, {WHO})

    assert [relation.kind for relation in other.relations] == ["bank"]
    assert not other.HasField("referrer")
    assert not privacy.without(other, {WHO})
