"""The whole local system with both vendors, and a real Chromium that visits it.

Method: what `trueup serve` runs, on a free port, with the demo world; every visitor notes what the page's policy
refused, what the page threw, and what the console called an error. Must not: help the page along, or leave a process
behind.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from local.chromium import ChromiumMissing, running_chromium
from local.cli.home import environment_of
from local.front_door import running_system
from local.simulators import SIMULATED_PSAS, ConnectWiseSimulator, MimecastSimulator, World, demo_world
from local.simulators.server import Simulator
from tests.handlers.stage import MIMECAST_FIELDS, unhurried_vendors

AXE = Path(__file__).with_name("vendor") / "axe.min.js"
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 360, "height": 720}
SERVICES = {"9702": "MIME-EMAIL-S1", "9731": "MIME-AWARE", "main:email-security-s1": "MIME-EMAIL-S1"}

expect.set_options(timeout=30_000)


@contextmanager
def chromium_for_tests() -> Iterator[Browser]:
    """The browser of the tests; without one they are skipped, and where CHROMIUM_REQUIRED is set they fail."""
    try:
        with running_chromium() as browser:
            yield browser
    except ChromiumMissing as missing:
        if os.environ.get("CHROMIUM_REQUIRED"):
            pytest.fail(f"here there must be one: {missing}")
        pytest.skip(str(missing))


@dataclass(frozen=True)
class Town:
    """Where everything is, and the API for what a test needs to be there already."""

    url: str
    mimecast: MimecastSimulator
    psa: Simulator
    psa_name: str = "connectwise"

    @property
    def connectwise(self) -> ConnectWiseSimulator:
        assert isinstance(self.psa, ConnectWiseSimulator)
        return self.psa

    def api(self, method: str, path: str, body: Any = None) -> Any:
        reply = requests.request(method, self.url + path, json=body, timeout=90)
        assert reply.ok, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply.json()

    def connect(self) -> None:
        for name, address, fields in (
            ("mimecast", self.mimecast.url, MIMECAST_FIELDS),
            (self.psa_name, self.psa.url, dict(SIMULATED_PSAS[self.psa_name].fields)),
        ):
            self.api("PUT", f"/v1/integrations/{name}", {"address": address, "fields": fields})

    def run(self) -> Any:
        """Start a run and wait until it is over or waits for a person."""
        run = self.api("POST", "/v1/runs")
        return self.settled(run["id"])

    def settled(self, run_id: str) -> Any:
        end = time.monotonic() + 60
        while (run := self.api("GET", f"/v1/runs/{run_id}"))["state"] == "running":
            assert time.monotonic() < end, run
            time.sleep(0.1)
        assert run["state"] != "failed", run
        return run

    def finish(self) -> Any:
        for service, product in SERVICES.items():
            self.api("PUT", f"/v1/service-mappings/{service}", {"product_id": product})
        return self.settled(self.api("POST", "/v1/integrations/mimecast/finish")["run"]["id"])


@contextmanager
def open_town(home: Path, world: World | None = None, *, psa: str = "connectwise") -> Iterator[Town]:
    """The system of one home, with vendors of its own that answer as fast as they can."""
    chosen = world or demo_world()
    mimecast, billing = MimecastSimulator(chosen), SIMULATED_PSAS[psa].open(chosen)
    with (
        environment_of({"TRUEUP_ALLOW_LOOPBACK": "1"}),
        unhurried_vendors(),
        mimecast,
        billing,
        running_system(home, schedules=False) as url,
    ):
        yield Town(url, mimecast, billing, psa)
    assert mimecast.internal_errors + billing.internal_errors == []


EVERY_RULE = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"

AT_REST = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  .then(() => Promise.all(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
    .map((one) => one.finished.catch(() => null))))
  .then(() => null)"""
"""Resolves when what was changed is painted and nothing that ends by itself is still moving."""

NOTE_VIOLATIONS = """
window.refusedByPolicy = [];
addEventListener("securitypolicyviolation", (event) =>
  window.refusedByPolicy.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Visitor:
    """One person at one browser window. ``close`` checks that the page did nothing it may not."""

    town: Town
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.town.url + path)
        expect(self.page.locator("main h1").first).to_be_visible()

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, wanted: Locator, *, presses: int = 60) -> None:
        """Press Tab until it has the focus, as somebody without a mouse does."""
        for _ in range(presses):
            if wanted.count() and wanted.first.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {wanted}")

    def row(self, table: str, text: str) -> Locator:
        return self.page.locator(f".table-{table} .rows .row").filter(has_text=text).first

    def refused(self) -> list[str]:
        found: list[str] = self.page.evaluate("window.refusedByPolicy")
        return found

    def barriers(self, schemes: tuple[str, ...] = ("light", "dark")) -> list[str]:
        """What axe-core finds on the page as it is, in light and in dark."""
        found = []
        for scheme in schemes:
            # The page's own switch, as a person would use it.
            self.page.evaluate(f"document.documentElement.dataset.theme = '{scheme}'")
            self.page.evaluate(AT_REST)
            if not self.page.evaluate("'axe' in window"):
                self.page.evaluate(AXE.read_text(encoding="utf-8") + "; null")
            # Only colours differ between the two; asking everything twice would take twice as long.
            wanted = EVERY_RULE if scheme == "light" else "['color-contrast']"
            result = self.page.evaluate(f"axe.run({{runOnly: {wanted}, resultTypes: ['violations'], preload: false}})")
            found += [
                f"{scheme} {self.page.url} {violation['id']}: {node['html'][:160]} {node.get('failureSummary', '')}"
                for violation in result["violations"]
                for node in violation["nodes"][:3]
            ]
        self.page.evaluate("document.documentElement.dataset.theme = 'light'")
        return found


@contextmanager
def visiting(browser: Browser, town: Town, viewport: Any = None, **options: Any) -> Iterator[Visitor]:
    """A window of its own; at the end nothing may have been refused, thrown or complained about."""
    settings = {"viewport": viewport or WIDE, "locale": "en-US", "reduced_motion": "reduce", **options}
    context = browser.new_context(**settings)
    context.add_init_script(NOTE_VIOLATIONS)
    page = context.new_page()
    visitor = Visitor(town, context, page)
    page.on("pageerror", lambda error: visitor.complaints.append(f"thrown: {error}"))
    page.on("console", lambda message: message.type == "error" and visitor.complaints.append(message.text))
    page.on("request", lambda request: _is_own(request.url, town) or visitor.complaints.append(f"asked {request.url}"))
    page.on("dialog", lambda dialog: visitor.complaints.append(f"dialog {dialog.message}"))
    try:
        yield visitor
        assert visitor.refused() == [], visitor.refused()
        assert visitor.complaints == [], visitor.complaints
    finally:
        context.close()


def _is_own(url: str, town: Town) -> bool:
    return url.startswith((town.url + "/", "blob:", "data:"))


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.05)


def manifest() -> Any:
    return json.loads((AXE.parent / "manifest.json").read_text(encoding="utf-8"))
