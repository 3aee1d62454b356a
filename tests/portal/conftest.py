"""One Chromium for all tests of the screens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.portal.town import chromium_for_tests


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium_for_tests() as chromium:
        yield chromium
