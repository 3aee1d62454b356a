"""A machine without a browser is told what to do, and no test of the screens looks as if it had run."""

from __future__ import annotations

import pytest

from local.chromium import ADVICE, ChromiumMissing, running_chromium
from tests.portal.town import chromium_for_tests


def test_without_a_browser_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(ChromiumMissing, match="apt install chromium"), running_chromium():
        pass
    monkeypatch.delenv("CHROMIUM_REQUIRED", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt install chromium"), chromium_for_tests():
        pass
    monkeypatch.setenv("CHROMIUM_REQUIRED", "1")
    with pytest.raises(pytest.fail.Exception, match="here there must be one"), chromium_for_tests():
        pass
    assert "playwright" in ADVICE
