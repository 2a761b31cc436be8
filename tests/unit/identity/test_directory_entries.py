"""What every process learns of a company."""

from crm.identity.v1 import tenant_pb2
from services.identity import directory_entries


def test_retention_travels_in_the_company_s_entry() -> None:
    tenant = tenant_pb2.Tenant(retention={"event_days": 7, "history_days": 365})

    entry = directory_entries.tenant(tenant)

    assert (entry["retention_days"], entry["history_days"]) == (7, 365)
    assert directory_entries.tenant(tenant_pb2.Tenant())["history_days"] == 0
