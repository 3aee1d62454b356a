"""The state fixtures for the tests of the table."""

from tests.store_fixture import client, clock, dynamodb_client, state, store_endpoint, stored, subject, table, tenant

__all__ = ["client", "clock", "dynamodb_client", "state", "store_endpoint", "stored", "subject", "table", "tenant"]
