"""The screens as the portal serves them: what may run, how long it may be kept, how much a first visit transfers."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.front_door.http_event import WebReply, reply_of
from tests.handlers.stage import Stage, require_problem
from trueup.api.screens import PAGES, Screens, page_headers
from trueup.settings import Settings

STATIC = Path(__file__).resolve().parents[2] / "functions" / "portal" / "static"
FIRST_LOAD_BYTES_MAXIMUM = 150_000
BROWSER = {"accept-encoding": "gzip, deflate, br, zstd"}


@dataclass(frozen=True)
class Visit:
    """Asks the portal as a browser does, without a token."""

    stage: Stage

    def get(self, path: str, headers: Mapping[str, str] = BROWSER) -> WebReply:
        event = self.stage.event("GET", path, headers=headers)
        del event["requestContext"]["authorizer"]
        return reply_of(self.stage.call("portal", event))

    def page(self, path: str = "/") -> str:
        return text_of(self.get(path))


def header(reply: WebReply, name: str) -> str:
    return dict(reply.headers).get(name, "")


def text_of(reply: WebReply) -> str:
    content = gzip.decompress(reply.body) if header(reply, "content-encoding") == "gzip" else reply.body
    return content.decode()


def references(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', page)


@pytest.fixture(scope="module")
def visit(untouched: Stage) -> Visit:
    return Visit(untouched)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_screen_has_an_address_and_is_one_page(visit: Visit, page: str) -> None:
    reply = visit.get(f"/{page}")
    assert reply.status == 200
    assert header(reply, "content-type") == "text/html; charset=utf-8"
    assert header(reply, "cache-control") == "no-cache"
    assert text_of(reply) == visit.page()


def test_another_address_is_no_screen(visit: Visit) -> None:
    reply = visit.get("/nothing-here", {})
    assert reply.status == 404
    assert json.loads(reply.body)["code"] == "not_found"


@pytest.mark.fault("S7")
def test_S7_a_page_may_run_its_own_files_and_nothing_else(visit: Visit) -> None:
    policy = header(visit.get("/"), "content-security-policy")
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'self'"
    assert not {"script-src", "style-src"} & set(parts), "nothing may be allowed that the default does not allow"
    assert "unsafe" not in policy
    assert parts["require-trusted-types-for"] == "'script'"
    assert parts["trusted-types"] == "'none'"
    assert parts["frame-ancestors"] == parts["object-src"] == parts["base-uri"] == "'none'"


def test_the_page_has_nothing_inline_and_asks_nobody_else(visit: Visit) -> None:
    page = visit.page()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    assert all(reference.startswith("/") and not reference.startswith("//") for reference in references(page))


@pytest.mark.parametrize("file", sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".svg"}))
def test_no_file_of_ours_names_another_server_or_makes_markup_of_text(file: Path) -> None:
    if file.is_relative_to(STATIC / "vendor"):
        return
    text = file.read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|dangerously|document\.write|eval\(|new Function", text
    )
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_one_file_calls_fetch() -> None:
    callers = [
        path.relative_to(STATIC).as_posix()
        for path in STATIC.rglob("*.js")
        if "vendor" not in path.parts
        and re.search(r"\bfetch\(|XMLHttpRequest|sendBeacon|EventSource", path.read_text())
    ]
    assert callers == ["app/api.js"]


def test_files_are_kept_for_ever_under_the_hash_of_the_release(visit: Visit) -> None:
    for reference in references(visit.page()):
        reply = visit.get(reference)
        assert reply.status == 200, reference
        assert header(reply, "cache-control") == "public, max-age=31536000, immutable"
        assert header(reply, "x-content-type-options") == "nosniff"


def test_a_file_of_another_release_or_from_outside_is_not_given(visit: Visit) -> None:
    release = Screens(STATIC).release
    for path in (
        f"/assets/{'0' * 16}/app/start.js",
        f"/assets/{release}/../app.py",
        f"/assets/{release}/%2e%2e/app.py",
        f"/assets/{release}/index.html/x",
    ):
        assert visit.get(path, {}).status == 404, path


def test_another_byte_is_another_release(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a")
    before = Screens(tmp_path).release
    (tmp_path / "index.html").write_text("b")
    assert Screens(tmp_path).release != before


def test_a_first_visit_transfers_less_than_150_kilobytes(visit: Visit) -> None:
    """The page, every file it names, and the modules and images those name: all there is before anything is shown."""
    page = visit.get("/")
    sizes = {"/": len(page.body)}
    for reference in references(text_of(page)):
        sizes[reference] = len(visit.get(reference).body)
    style = next(reference for reference in sizes if reference.endswith("controls.css"))
    for image in re.findall(r'url\("([^"]+)"\)', text_of(visit.get(style))):
        sizes[image] = len(visit.get(f"{style.rpartition('/')[0]}/{image}").body)
    assert sum(sizes.values()) < FIRST_LOAD_BYTES_MAXIMUM, sizes
    assert not any("oauth4webapi" in name for name in sizes), "only where people sign in, and then later"


def test_every_module_is_announced_so_that_none_waits_for_another(visit: Visit) -> None:
    named = {reference.rpartition("/app/")[2] for reference in references(visit.page()) if "/app/" in reference}
    modules = {path.relative_to(STATIC / "app").as_posix() for path in (STATIC / "app").rglob("*.js")}
    assert named == {name for name in modules if not name.startswith("later/")}


@pytest.mark.parametrize("file", sorted((STATIC / "app").rglob("*.js")))
def test_what_is_fetched_later_is_not_fetched_first(file: Path) -> None:
    """A module of ``later/`` is only imported when somebody goes there, or by another one of them."""
    if "later" in file.relative_to(STATIC).parts:
        return
    assert not re.search(r'^import .*"\.{1,2}/later/', file.read_text(encoding="utf-8"), re.MULTILINE)


def test_who_cannot_read_gzip_gets_plain_text(visit: Visit) -> None:
    for headers in ({}, {"accept-encoding": "br"}, {"accept-encoding": "gzip;q=0"}):
        reply = visit.get("/", headers)
        assert not header(reply, "content-encoding")
        assert reply.body.startswith(b"<!doctype html>")


def test_long_answers_of_the_api_are_compressed_for_who_reads_that(untouched: Stage) -> None:
    plain = untouched.http("GET", "/v1/account-mappings", role="viewer")
    packed = untouched.call("portal", untouched.event("GET", "/v1/account-mappings", role="viewer", headers=BROWSER))
    content = base64.b64decode(packed["body"])
    assert packed["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(content).decode() == plain.text
    assert len(content) < len(plain.text) / 4


def test_the_page_knows_where_people_sign_in_and_may_ask_there() -> None:
    settings = Settings.read({
        "TRUEUP_TENANT": "acme",
        "TRUEUP_TABLE": "table",
        "TRUEUP_OIDC_ISSUER": "https://issuer.example/tenant",
        "TRUEUP_OIDC_CLIENT_ID": "client",
        "TRUEUP_SIGN_IN_ORIGINS": "https://issuer.example https://login.example",
    })  # fmt: skip
    policy = page_headers(settings)["content-security-policy"]
    assert "connect-src 'self' https://issuer.example https://login.example;" in policy


def test_the_kept_libraries_are_what_the_manifest_says() -> None:
    vendor = STATIC / "vendor"
    manifest: Any = json.loads((vendor / "manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["files"]:
        content = (vendor / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]
        assert entry["license"] in {"Apache-2.0", "MIT", "OFL-1.1"}
        assert (vendor / entry["license_file"]).is_file()
        assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])
    named = {entry["file"] for entry in manifest["files"]}
    others = {path.name for path in vendor.iterdir() if not path.name.startswith("LICENSE-")} - {"manifest.json"}
    assert others == named, "a file that nobody answers for"


def test_who_is_signed_in(untouched: Stage) -> None:
    assert untouched.ok("GET", "/v1/me", role="viewer", person="vic@msp.example") == {
        "name": "vic@msp.example",
        "role": "viewer",
    }
    assert untouched.ok("GET", "/v1/me", role=None, person="new@msp.example")["role"] is None


def test_a_decision_on_a_service_can_be_taken_back(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    taken_back = stage.ok("DELETE", "/v1/service-mappings/9702", role="preparer")
    assert (taken_back["mapping"], taken_back["product_id"]) == ("unmapped", None)
    assert taken_back["decision"]["reason"] == "taken back"
    event = stage.ok("GET", "/v1/history", role="viewer")["items"][0]
    assert (event["action"], event["subject"], event["after"]) == ("service unmapped", "9702", None)


def test_what_another_person_decided_is_not_taken_back_unseen(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    entry = stage.ok("GET", "/v1/account-mappings?mapping=mapped", role="viewer")["items"][0]
    path = f"/v1/account-mappings/{entry['vendor_account_id']}"
    stage.ok("PUT", path, {"exclude_reason": "a trial", "version": entry["version"]}, role="preparer")
    require_problem(stage.http("DELETE", f"{path}?version={entry['version']}"), 409, "version_conflict")
    assert stage.ok("GET", path, role="viewer")["mapping"] == "excluded"


def test_the_clients_to_pick_from_come_a_page_at_a_time(untouched: Stage) -> None:
    first = untouched.ok("GET", "/v1/psa-accounts?limit=20", role="viewer")
    rest = untouched.ok("GET", f"/v1/psa-accounts?limit=1000&cursor={first['next_cursor']}", role="viewer")
    names = [item["psa_account_name"] for item in first["items"] + rest["items"]]
    assert len(names) == sum(not company.deleted for company in untouched.world.companies.values())
    assert rest["next_cursor"] is None
    found = untouched.ok("GET", "/v1/psa-accounts?search=larkfield", role="viewer")["items"]
    assert [item["psa_account_name"] for item in found] == ["Larkfield Inc."]
    require_problem(
        untouched.http("GET", f"/v1/psa-accounts?search=a&cursor={first['next_cursor']}"), 400, "input_invalid"
    )
