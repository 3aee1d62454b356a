"""`make screenshots`: pictures of every screen, light, dark and narrow, taken of the demo month in a real Chromium.

Method: the local system with the simulated vendors is set to a point of the month over its own API, then visited.
Must not: draw anything the screens do not show, or leave a process behind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import requests
from playwright.sync_api import Browser, Page

from local.chromium import ChromiumMissing, running_chromium
from local.cli.home import ROOT, environment_of
from local.front_door import running_system
from local.simulator_process import RunningSimulators, running_simulators
from local.simulators import credentials
from local.simulators.demo_world import SERVICE_TO_PRODUCT

PICTURES = ROOT / "docs" / "screens"
WIDE = (1440, 900)
NARROW = (360, 740)
_WAIT_SECONDS = 120.0
COLLEAGUES = {"Dana Ops": "dana.ops", "Billing": "billing", "Lee Sales": "lee.sales", "Kim Split": "kim.split"}
"""Who is to be a portal user in the pictures, by the simulated directory."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its name, the address, what has to be there first, and what is done before it is taken."""

    name: str
    path: str
    wanted: str
    do: Callable[[Page], None] = lambda page: None


BEFORE = (Picture("connect", "/integrations", ".choices"),)
MAPPING = (
    Picture("integrations", "/integrations", ".card"),
    Picture("accounts", "/accounts?show=open", ".table-accounts .row.is-active", lambda page: _focus(page, "accounts")),
    Picture("services", "/services", ".table-services .row.is-active"),
    Picture("finish", "/finish", ".tally"),
)
MONTH = (
    Picture("reconcile", "/reconcile", ".plan-bar"),
    Picture("evidence", "/reconcile?q=kingsmoor&view=all", ".plan-bar", lambda page: _open_row(page, "reconcile")),
    Picture("plan", "/plan", ".table-plan .row.is-active"),
    Picture("approve", "/plan", ".table-plan .row.is-active", lambda page: _press(page, "a", "dialog")),
    Picture("files", "/files", ".records"),
    Picture("settings", "/settings", ".tabs"),
    Picture("orders", "/orders", ".table-orders .row.is-active"),
    Picture("order", "/orders", ".table-orders .row.is-active", lambda page: _open_row(page, "orders")),
    Picture("tenants", "/tenants?show=open", ".table-accounts .row.is-active"),
    Picture("portal-users", "/portal-users", ".portal-users > li"),
    Picture("months", "/months", ".months .card"),
    Picture("reports", "/reports", ".chart canvas"),
    Picture("history", "/history", ".table-history .row.is-active"),
    Picture("shortcuts", "/accounts", ".table-accounts .row.is-active", lambda page: _press(page, "?", "dialog")),
)


def main(arguments: list[str]) -> int:
    """Take them all; 1 when there is no Chromium."""
    parser = argparse.ArgumentParser(prog="python -m local.screenshots", description=__doc__.partition("\n")[0])
    parser.add_argument("--into", type=Path, default=PICTURES, help="folder of the pictures (default: docs/screens)")
    folder: Path = parser.parse_args(arguments).into
    try:
        with running_chromium() as browser:
            _take_all(browser, folder)
    except ChromiumMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    return 0


def _take_all(browser: Browser, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, environment_of({"TRUEUP_ALLOW_LOOPBACK": "1"}):
        home = Path(place)
        with running_simulators(home / "simulators") as vendors, running_system(home / "home", schedules=False) as url:
            api = Api(url)
            for pictures, prepare in ((BEFORE, None), (MAPPING, api.connect), (MONTH, api.finish)):
                if prepare is not None:
                    prepare(vendors)
                for scheme in ("light", "dark"):
                    _take(browser.new_page, api, pictures, folder, scheme, WIDE)
                _take(browser.new_page, api, pictures, folder, "light", NARROW)


def _take(
    new_page: Callable[..., Page],
    api: Api,
    pictures: tuple[Picture, ...],
    folder: Path,
    scheme: Literal["light", "dark"] | str,
    size: tuple[int, int],
) -> None:
    width, height = size
    page = new_page(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-US", reduced_motion="reduce"
    )
    suffix = "narrow" if size == NARROW else scheme
    for picture in pictures:
        page.goto(api.url + picture.path)
        page.wait_for_selector(picture.wanted)
        picture.do(page)
        page.wait_for_timeout(400)
        target = folder / f"{picture.name}-{suffix}.png"
        page.screenshot(path=target)
        print(target.relative_to(ROOT) if target.is_relative_to(ROOT) else target, flush=True)
    page.close()


@dataclass(frozen=True, slots=True)
class Api:
    """The API of the local system, for what has to be there before a picture is taken."""

    url: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = requests.request(method, self.url + path, json=body, timeout=60)
        reply.raise_for_status()
        return reply.json()

    def connect(self, vendors: RunningSimulators) -> None:
        """Both sides and Microsoft 365 connected, and read once."""
        mimecast = {
            "client_id": credentials.MIMECAST_CLIENT_ID,
            "client_secret": credentials.MIMECAST_CLIENT_SECRET,
        }
        connectwise = {
            "company_id": credentials.CONNECTWISE_COMPANY_ID,
            "public_key": credentials.CONNECTWISE_PUBLIC_KEY,
            "private_key": credentials.CONNECTWISE_PRIVATE_KEY,
            "client_id": credentials.CONNECTWISE_CLIENT_ID,
        }
        self.ask("PUT", "/v1/integrations/mimecast", {"address": vendors.mimecast, "fields": mimecast})
        self.ask("PUT", "/v1/integrations/connectwise", {"address": vendors.psa_url, "fields": connectwise})
        microsoft365 = {"address": vendors.microsoft365, "fields": credentials.MICROSOFT365_FIELDS}
        self.ask("PUT", "/v1/integrations/microsoft365", microsoft365)
        self._settle(self.ask("POST", "/v1/runs")["id"])

    def finish(self, _: RunningSimulators) -> None:
        """Services mapped, mapping finished, compared; the colleagues for the partner portal checked."""
        for service, product in SERVICE_TO_PRODUCT.items():
            self.ask("PUT", f"/v1/service-mappings/{service}", {"product_id": product})
        self._settle(self.ask("POST", "/v1/integrations/mimecast/finish")["run"]["id"])
        for name, address in COLLEAGUES.items():
            self.ask("POST", "/v1/portal-users", {"name": name, "address": f"{address}@simmsp.example"})
        self.ask("POST", "/v1/portal-users/check")

    def _settle(self, run_id: str) -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while (state := self.ask("GET", f"/v1/runs/{run_id}")["state"]) == "running":
            if time.monotonic() > end:
                raise TimeoutError(f"run {run_id} does not end")
            time.sleep(0.2)
        if state == "failed":
            raise RuntimeError(f"run {run_id} failed")


def _focus(page: Page, table: str) -> None:
    page.locator(f"[data-table={table}]").focus()


def _open_row(page: Page, table: str) -> None:
    page.locator(f".table-{table} .rows .row").first.click()
    page.wait_for_selector(".drawer")
    page.wait_for_timeout(500)


def _press(page: Page, key: str, wanted: str) -> None:
    page.keyboard.press(key)
    page.wait_for_selector(wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
