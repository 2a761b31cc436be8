"""The test kit: real servers, a real process, and tenants with people, for tests of any service."""
