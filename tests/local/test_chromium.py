"""A machine without a browser is told what to do, and no test of the screens looks as if it had run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from local.chromium import ADVICE, ChromiumMissing, running_chromium
from tests.portal.town import chromium_for_tests


def opened_elsewhere(browser: AbstractContextManager[object]) -> None:
    """Open it in a thread of its own: in this one another test's browser may be running."""

    def open_it() -> None:
        with browser:
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(open_it).result()


def test_without_a_browser_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(ChromiumMissing, match="apt install chromium"):
        opened_elsewhere(running_chromium())
    monkeypatch.delenv("CHROMIUM_REQUIRED", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt install chromium"):
        opened_elsewhere(chromium_for_tests())
    monkeypatch.setenv("CHROMIUM_REQUIRED", "1")
    with pytest.raises(pytest.fail.Exception, match="here there must be one"):
        opened_elsewhere(chromium_for_tests())
    assert "playwright" in ADVICE
