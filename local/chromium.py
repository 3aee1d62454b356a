"""A Chromium for tests, pictures and measurements of the screens: what CHROMIUM names, Debian's, or Playwright's own.

Must not: install anything, or open a page that is not ours (the sandbox is off, see below).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

ADVICE = "Chromium is not installed (apt install chromium, or python -m playwright install chromium)"


class ChromiumMissing(RuntimeError):
    """There is no Chromium on this machine that could be started."""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A headless Chromium until the block ends. Raises ChromiumMissing."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        try:
            # The sandbox needs user namespaces, which containers often do not give; only our own pages are opened.
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as trouble:
            # Without a path Playwright looks for its own, and says so when it was never downloaded.
            raise ChromiumMissing(f"{ADVICE}: {trouble.message.splitlines()[0]}") from trouble
        try:
            yield browser
        finally:
            browser.close()
