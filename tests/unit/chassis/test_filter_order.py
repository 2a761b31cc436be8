"""order_by: fields that may be sorted by, all in one direction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kit.filter import Field, FilterError, Order, parse_order

FIELDS = {
    "name": Field("name_search", "text", sortable=True, sort_column="name_sort"),
    "create_time": Field("create_time", "timestamp", sortable=True),
    "labels": Field("labels", "text_array"),
} | {f"n{i}": Field(f"n{i}", "number", sortable=True) for i in range(5)}


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        ("", []),
        ("  ", []),
        ("name", [Order("name", descending=False)]),
        ("name asc", [Order("name", descending=False)]),
        ("createTime desc", [Order("create_time", descending=True)]),
        (
            " name  desc ,create_time desc",
            [Order("name", descending=True), Order("create_time", descending=True)],
        ),
    ],
)
def test_order(text: str, orders: list[Order]) -> None:
    assert parse_order(text, FIELDS) == orders


def test_a_field_may_be_sorted_by_another_column_than_it_is_filtered_by() -> None:
    assert FIELDS["name"].order_column == "name_sort"
    assert FIELDS["create_time"].order_column == "create_time"


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("name desc, create_time", 10,
         "all keys must run in one direction, got name desc and create_time asc"),
        ("labels", 0,
         "cannot order by labels; expected one of create_time, n0, n1, n2, n3, n4, name"),
        ("name, nobody", 5,
         "cannot order by nobody; expected one of create_time, n0, n1, n2, n3, n4, name"),
        ("name, name", 5, "name is named twice"),
        ("name,", 5, "expected a field, or a field followed by asc or desc"),
        ("name down", 0, "expected a field, or a field followed by asc or desc"),
        ("name desc nulls last", 0, "expected a field, or a field followed by asc or desc"),
        ("n0,n1,n2,n3,n4", 12, "expected at most 4 keys"),
    ],
)  # fmt: skip
def test_refused_order(text: str, position: int, message: str) -> None:
    with pytest.raises(FilterError) as refusal:
        parse_order(text, FIELDS)
    assert (refusal.value.position, refusal.value.message) == (position, message)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        orders = parse_order(text, FIELDS)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert len({order.field for order in orders}) == len(orders)
