"""Signing in where people sign in: code flow with PKCE at an issuer, the role from the token, and the way out.

The portal stands behind a door that checks tokens as API Gateway does and hands on the claims as API Gateway does.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from local.cli.home import environment_of
from local.front_door.http_event import RouteTable, WebReply, WebRequest, event_of, path_of, reply_of
from local.front_door.server import LocalServer
from local.template import local_deployment
from tests.handlers.conftest import theater
from tests.handlers.stage import Stage, Theater
from tests.portal.issuer import CLIENT_ID, Issuer, running_issuer
from tests.portal.town import NOTE_VIOLATIONS
from tests.store_fixture import store_endpoint
from trueup import bootstrap

__all__ = ["store_endpoint", "theater"]

pytestmark = [pytest.mark.slow]

DEFINITIONS = local_deployment().functions()
PUBLIC = {f"{route.method} {route.path}" for one in DEFINITIONS for route in one.routes if route.is_public}


@dataclass(frozen=True)
class Gateway:
    """API Gateway's HTTP API with its JWT authorizer, as far as a browser sees it."""

    stage: Stage
    issuer: Issuer

    def answer(self, request: WebRequest) -> WebReply:
        route = RouteTable(DEFINITIONS).match(request.method, path_of(request))
        if route is None:
            return WebReply(404, (("content-type", "application/json"),), b'{"message":"Not Found"}')
        event = event_of(request, route)
        if route.key not in PUBLIC:
            claims = self.issuer.claims(request.headers.get("authorization", "").removeprefix("Bearer "))
            if claims is None:
                return WebReply(401, (("content-type", "application/json"),), b'{"message":"Unauthorized"}')
            # API Gateway writes a list as text of this form.
            texts = {
                name: f"[{' '.join(value)}]" if isinstance(value, list) else value for name, value in claims.items()
            }
            event["requestContext"]["authorizer"] = {"jwt": {"claims": texts, "scopes": None}}
        return reply_of(self.stage.call("portal", event))


@dataclass(frozen=True)
class Place:
    url: str
    issuer: Issuer


@pytest.fixture(scope="module")
def place(theater: Theater) -> Iterator[Place]:
    with running_issuer() as issuer, theater.stage("proposed") as stage:
        server = LocalServer(0, Gateway(stage, issuer).answer)
        known = {
            "TRUEUP_OIDC_ISSUER": issuer.url,
            "TRUEUP_OIDC_CLIENT_ID": CLIENT_ID,
            "TRUEUP_SIGN_IN_ORIGINS": issuer.url,
        }
        with environment_of({**os.environ, **known}):
            bootstrap.reset()
            server.start()
            yield Place(server.url, issuer)
            server.stop()
        bootstrap.reset()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="en-US", reduced_motion="reduce")
    made.add_init_script(NOTE_VIOLATIONS)
    yield made
    made.close()


def opened(context: BrowserContext, place: Place, path: str, *, person: str, group: str) -> Page:
    place.issuer.person, place.issuer.groups = person, (group,)
    page = context.new_page()
    page.goto(place.url + path)
    expect(page.locator("main h1").first).to_be_visible()
    return page


def test_signing_in_leads_back_to_where_one_wanted_to_go(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/reconcile?verdict=bill_less", person="vic@msp.example", group="viewer")
    expect(page).to_have_url(re.compile(r"/reconcile\?verdict=bill_less$"))
    expect(page.locator(".me")).to_contain_text("vic@msp.example")
    expect(page.locator(".me")).to_contain_text("viewer")
    expect(page.get_by_role("note")).to_have_count(0)
    asked = place.issuer.asked[-1]
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == f"{place.url}/"
    assert place.issuer.refused == []
    assert page.evaluate("window.refusedByPolicy") == []
    assert "code=" not in page.url
    assert len(json.dumps(page.evaluate("({...localStorage})"))) < 200, "the token is kept for this tab only"


def test_a_viewer_sees_the_plan_and_cannot_approve_it(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/plan", person="vic@msp.example", group="viewer")
    expect(page.get_by_role("button", name="Approve…")).to_be_disabled()
    expect(page.get_by_role("button", name="Release")).to_have_count(0)
    expect(page.locator(".plan-bar")).to_contain_text("An approver decides")


def test_an_approver_may_release(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/plan", person="alex@msp.example", group="approver")
    expect(page.get_by_role("button", name="Release").first).to_be_visible()
    expect(page.get_by_role("button", name="Approve…")).to_be_enabled()


def test_somebody_without_a_role_is_told_what_to_do(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/accounts", person="new@msp.example", group="somebody")
    expect(page.get_by_role("alert").first).to_contain_text("Ask an administrator")


def test_an_answer_that_was_not_asked_for_is_refused(context: BrowserContext, place: Place) -> None:
    page = context.new_page()
    page.goto(f"{place.url}/?code=stolen&state=guessed")
    expect(page.get_by_role("heading", name="Signing in did not work")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('trueup.token')") is None


def signed_in(page: Page) -> bool:
    return page.evaluate("sessionStorage.getItem('trueup.token')") is not None


def ask_again(page: Page) -> None:
    """What the page does by itself every few seconds, now: it looks how far the newest run is."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


class HeldDiscovery:
    """The issuer's discovery as a slow network has it: every reply waits until it is let go."""

    def __init__(self, page: Page, place: Place) -> None:
        self._held: list[Route] = []
        self._is_open = False
        page.route(f"{place.issuer.url}/.well-known/**", self._on_route)

    def _on_route(self, route: Route) -> None:
        if self._is_open:
            route.continue_()
        else:
            self._held.append(route)

    def let_go(self) -> None:
        self._is_open = True
        for route in self._held:
            route.continue_()


def test_signing_out_forgets_the_token_and_tells_the_issuer(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/reconcile", person="vic@msp.example", group="viewer")
    asked = len(place.issuer.asked)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(re.escape(place.issuer.url) + "/logout"))
    assert len(place.issuer.asked) == asked, "nobody was signed in again on the way out"
    page.goto(f"{place.url}/icon.svg")
    assert not signed_in(page)


def test_who_signs_out_is_not_signed_in_again_by_what_the_page_does_meanwhile(
    context: BrowserContext, place: Place
) -> None:
    page = opened(context, place, "/reconcile", person="vic@msp.example", group="viewer")
    asked = len(place.issuer.asked)
    discovery = HeldDiscovery(page, place)
    with page.expect_request(re.compile("well-known")):
        page.get_by_role("button", name="Sign out").click()
    assert not signed_in(page), "the token is gone before anybody is asked"
    for _ in range(3):
        ask_again(page)
    page.evaluate("new Promise((done) => setTimeout(done))")
    discovery.let_go()
    expect(page).to_have_url(re.compile(re.escape(place.issuer.url) + "/logout"))
    assert len(place.issuer.asked) == asked


def test_who_signs_out_while_a_sign_in_begins_is_not_signed_in(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/reconcile", person="vic@msp.example", group="viewer")
    asked = len(place.issuer.asked)
    discovery = HeldDiscovery(page, place)
    page.evaluate("sessionStorage.removeItem('trueup.token')")
    with page.expect_request(re.compile("well-known")):
        ask_again(page)
    page.get_by_role("button", name="Sign out").click()
    discovery.let_go()
    expect(page).to_have_url(re.compile(re.escape(place.issuer.url) + "/logout"))
    assert len(place.issuer.asked) == asked


def test_many_questions_without_a_token_begin_one_sign_in(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/reconcile?view=all", person="vic@msp.example", group="viewer")
    asked = len(place.issuer.asked)
    discoveries: list[str] = []
    page.on("request", lambda request: "well-known" in request.url and discoveries.append(request.url))
    discovery = HeldDiscovery(page, place)
    page.evaluate("sessionStorage.removeItem('trueup.token')")
    with page.expect_request(re.compile("well-known")):
        for _ in range(4):
            ask_again(page)
    page.evaluate("new Promise((done) => setTimeout(done))")
    with page.expect_request(re.compile("/token$")):
        discovery.let_go()
    expect(page.locator("main h1").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"/reconcile\?view=all$"))
    expect(page.locator(".me")).to_contain_text("vic@msp.example")
    assert len(place.issuer.asked) == asked + 1
    assert len(discoveries) == 2, "one to leave by, one to come back by"


def test_a_token_that_is_refused_begins_a_new_sign_in_but_not_for_ever(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/reconcile", person="vic@msp.example", group="viewer")
    asked = len(place.issuer.asked)
    kept = (
        "sessionStorage.setItem('trueup.token', JSON.stringify({"
        "...JSON.parse(sessionStorage.getItem('trueup.token')), token: 'revoked', since: %s}))"
    )
    page.evaluate(kept % "0")
    with page.expect_request(re.compile("/token$")):
        ask_again(page)
    expect(page.locator(".me")).to_contain_text("vic@msp.example")
    assert len(place.issuer.asked) == asked + 1
    page.evaluate(kept % "Date.now()")
    ask_again(page)
    expect(page.get_by_role("alert").first).to_contain_text("This sign-in is not accepted here")
    assert len(place.issuer.asked) == asked + 1


def test_an_issuer_that_cannot_be_told_is_said(context: BrowserContext, place: Place) -> None:
    page = opened(context, place, "/reconcile", person="vic@msp.example", group="viewer")
    page.route(f"{place.issuer.url}/**", lambda route: route.abort())
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Signed out, but only here")).to_be_visible()
    assert not signed_in(page)
