"""Offices for the use-case tests."""

from __future__ import annotations

import pytest

from tests.usecases.office import Office, open_office, small_month


@pytest.fixture
def office() -> Office:
    """Nothing connected, nobody there."""
    return open_office()


@pytest.fixture
def month() -> Office:
    """Four clients, connected, mapped and finished; not run yet."""
    return small_month()
