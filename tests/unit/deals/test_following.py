"""How records follow contacts and companies that are merged, and come back."""

from crm.deals.v1.deal_pb2 import Deal, Participant
from crm.deals.v1.quote_pb2 import Quote
from services.deals.rules import following


def test_whoever_takes_the_place_gives_it_back() -> None:
    deal = Deal(contact_id="a", company_id="f", participants=[Participant(contact_id="a", role="pays")])  # fmt: skip
    before = Deal()
    before.CopyFrom(deal)

    was = following.follow(deal, "contact", ["a"], "b")

    assert (deal.contact_id, deal.company_id, deal.participants[0].contact_id) == ("b", "f", "b")
    following.come_back(deal, was, "contact", ["a"], {"b"})
    assert deal == before


def test_a_record_without_participants_follows_too() -> None:
    quote = Quote(company_id="f")

    was = following.follow(quote, "company", ["f"], "g")

    assert quote.company_id == "g"
    following.come_back(quote, was, "company", ["f"], {"g"})
    assert quote.company_id == "f"


def test_whom_a_record_names() -> None:
    deal = Deal(contact_id="a", participants=[Participant(contact_id="b", role="x"), Participant(user_id="u", role="y")])  # fmt: skip

    assert following.named(deal, "contact") == {"a", "b"}
    assert following.named(deal, "company") == set()
