"""What the audit learns of an export."""

from chassis.kit import exported
from crm.contacts.v1 import imports_service_pb2 as pb


def test_details_name_fields_and_never_values() -> None:
    request = pb.ExportContactsRequest(
        filter='(emails:"ana@example.pl" OR custom.shoe = 42) AND NOT emails:"eva@example.pl"',
        q="Ana",
    )

    found = exported.details(request, ["given_name", "facts.revenue"], 7, form="csv")

    assert found == {
        "rows": "7", "format": "csv", "columns": "given_name, facts.revenue", "filtered_by": "custom.shoe, emails", "searched": "yes",
    }  # fmt: skip


def test_details_fit_into_the_audit() -> None:
    found = exported.details(
        pb.ExportContactsRequest(), [f"custom.{'x' * 40}{n}" for n in range(90)], 0, form="csv"
    )

    assert len(found["columns"]) == 500
    assert found["columns"].endswith("...")
    assert "filtered_by" not in found
