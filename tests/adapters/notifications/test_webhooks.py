"""Which addresses are webhooks, and what Slack and Teams are given: text that can be nothing but text."""

from __future__ import annotations

import json

import pytest

from tests.adapters.notifications.channel_subjects import KINDS, SLACK_PATH, TEAMS_PATH, on_a_server
from tests.adapters.scripted_server import reply
from tests.domain.test_notices import HOSTILE, OURS, notice
from tests.fakes.clock import FakeClock
from trueup.adapters.notifications.channels import OpenedChannels
from trueup.adapters.notifications.slack import escaped, slack_document
from trueup.adapters.notifications.teams import TeamsChannel, teams_document
from trueup.adapters.notifications.webhook import Webhook, parse_webhook, webhook_address
from trueup.domain.errors import InputInvalid, NotConnected, RequestRefused, UnsafeAddress
from trueup.domain.notices import ChannelName, NoticeLine

NEW_TEAMS = "https://default0123456789abcdef.61.environment.api.powerplatform.com:443/powerautomate/automations/direct"
GOOD = [
    (ChannelName.SLACK, f"https://hooks.slack.com{SLACK_PATH}"),
    (ChannelName.SLACK, f"https://hooks.slack-gov.com{SLACK_PATH}"),
    (ChannelName.TEAMS, f"https://prod-186.westus.logic.azure.com:443{TEAMS_PATH}"),
    (ChannelName.TEAMS, f"{NEW_TEAMS}{TEAMS_PATH}"),
    (ChannelName.TEAMS, "https://acme.webhook.office.com/webhookb2/0a-1b@2c-3d/IncomingWebhook/4e5f/6a-7b"),
]
BAD = [
    "",
    "slack",
    f"http://hooks.slack.com{SLACK_PATH}",
    f"https://hooks.slack.com.evil.example{SLACK_PATH}",
    f"https://evil.example/https://hooks.slack.com{SLACK_PATH}",
    f"https://hooks.slack.com@evil.example{SLACK_PATH}",
    f"https://user:password@hooks.slack.com{SLACK_PATH}",
    f"https://hooks.slack.com:8443{SLACK_PATH}",
    f"https://hooks.slack.com\\@evil.example{SLACK_PATH}",
    f"https://hooks.slack.com{SLACK_PATH}/../../../api/chat.postMessage",
    f"https://hooks.slack.com{SLACK_PATH}?x=1",
    f"https://hooks.slack.com{SLACK_PATH}#part",
    f"https://hooks.slack.com{SLACK_PATH}\r\nHost: evil.example",
    f"https://HOOKS.slack.com{SLACK_PATH}",
    "https://hooks.slack.com/api/chat.postMessage",
    "https://hooks.slack.com/services/T0/B0/",
    f"https://logic.azure.com.evil.example{TEAMS_PATH}",
    f"https://evil.example/.logic.azure.com{TEAMS_PATH}",
    f"https://prod.westus.logic.azure.com{TEAMS_PATH}/../../x",
    "https://prod.westus.logic.azure.com/",
    "https://acme.webhook.office.com/api/v1/other/thing",
    f"http://127.0.0.1:8080{SLACK_PATH}",
    f"http://169.254.169.254{SLACK_PATH}",
    f"https://hooks.släck.com{SLACK_PATH}",
    "https://hooks.slack.com" + "/services/T/B/" + "x" * 3000,
]


@pytest.mark.parametrize(("name", "text"), GOOD)
def test_an_address_of_the_service_is_split_into_server_and_secret(name: ChannelName, text: str) -> None:
    address = webhook_address(name, text, allow_loopback=False)
    assert address.host.startswith("https://")
    assert address.host + address.path == text.replace(":443", "")
    assert address.path not in repr(address)
    assert address.tail == text[-4:]


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("name", [ChannelName.SLACK, ChannelName.TEAMS])
def test_anything_else_is_refused_and_not_repeated(name: ChannelName, text: str) -> None:
    with pytest.raises(UnsafeAddress) as refused:
        webhook_address(name, text, allow_loopback=False)
    if len(text) > 10:
        assert text not in f"{refused.value.message} {refused.value.remedy}"


def test_one_services_address_is_not_the_others() -> None:
    for name, text in GOOD:
        other = ChannelName.TEAMS if name is ChannelName.SLACK else ChannelName.SLACK
        with pytest.raises(UnsafeAddress):
            parse_webhook(other, text, allow_loopback=False)


def test_what_is_kept_is_checked_again_before_it_is_called() -> None:
    for host, path in (("https://evil.example", SLACK_PATH), ("https://hooks.slack.com", "/api/chat.postMessage")):
        with pytest.raises(UnsafeAddress):
            Webhook(ChannelName.SLACK, host, {"path": path}, clock=FakeClock(), allow_loopback=False)
    with pytest.raises(NotConnected):
        Webhook(ChannelName.SLACK, "https://hooks.slack.com", {}, clock=FakeClock(), allow_loopback=False)


def test_only_the_two_services_have_webhooks() -> None:
    channels = OpenedChannels(topic="", clock=FakeClock(), allow_loopback=False)
    assert channels.email() is None
    for name in (ChannelName.EMAIL, ChannelName.TICKET):
        with pytest.raises(InputInvalid):
            channels.webhook_address(name, GOOD[0][1])
        with pytest.raises(InputInvalid):
            channels.webhook(name, "https://hooks.slack.com", {"path": SLACK_PATH})
    webhook = Webhook(
        ChannelName.SLACK, "https://hooks.slack.com", {"path": SLACK_PATH}, clock=FakeClock(), allow_loopback=False
    )
    assert repr(webhook) == "Webhook(slack, hidden)"


class TestSlack:
    def test_names_stand_where_slack_reads_no_markup(self) -> None:
        document = slack_document(notice(NoticeLine(HOSTILE, HOSTILE), subject=HOSTILE), OURS)
        for block in document["blocks"]:
            if "<!channel>" in block["text"]["text"]:
                assert block["text"]["type"] == "plain_text"
        marked = [block["text"]["text"] for block in document["blocks"] if block["text"]["type"] == "mrkdwn"]
        assert marked == ["<https://trueup.acme.example/plan?id=plan-1|Plan>"]
        assert "&lt;!channel&gt;" in document["text"]
        assert "<" not in document["text"]

    def test_the_three_characters_are_escaped_as_documented(self) -> None:
        assert escaped("a & b <@U1> c") == "a &amp; b &lt;@U1&gt; c"

    def test_every_block_keeps_slacks_limits(self) -> None:
        document = slack_document(notice(*(NoticeLine("&" * 500) for _ in range(100)), subject="x" * 900), OURS)
        header, *sections = document["blocks"]
        assert len(header["text"]["text"]) <= 150
        assert len(document["blocks"]) <= 50
        assert all(0 < len(block["text"]["text"]) <= 3_000 for block in sections)

    def test_a_notice_without_lines_and_links_is_a_header(self) -> None:
        document = slack_document(notice(), type(OURS)("acme"))
        assert [block["type"] for block in document["blocks"]] == ["header"]

    def test_slacks_own_word_is_in_the_error(self) -> None:
        answer = reply(410, b"channel_is_archived", content_type="text/html")
        with on_a_server(KINDS["slack"], [answer]) as (channel, _), pytest.raises(RequestRefused) as refused:
            channel.send(notice(), OURS)
        assert "channel_is_archived" in refused.value.message


class TestTeams:
    def test_all_text_is_in_runs_that_know_no_markdown(self) -> None:
        document = teams_document(notice(NoticeLine(HOSTILE, HOSTILE), subject=HOSTILE), OURS)
        (attachment,) = document["attachments"]
        card = attachment["content"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert "msteams" not in card, "nobody is mentioned"
        assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
        assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
        assert [action["url"] for action in card["actions"]] == ["https://trueup.acme.example/plan?id=plan-1"]

    def test_a_card_is_cut_to_what_teams_takes_and_says_so(self) -> None:
        document = teams_document(notice(*(NoticeLine("\U0001d518" * 5_000) for _ in range(100))), OURS)
        assert len(json.dumps(document).encode()) <= 24_000
        (attachment,) = document["attachments"]
        assert "more lines are in Trueup" in attachment["content"]["body"][-1]["inlines"][0]["text"]

    @pytest.mark.parametrize(
        ("body", "is_taken"), [(b"1", True), (b"Webhook message delivery failed with error: HTTP error 429", False)]
    )
    def test_a_connector_says_in_the_body_whether_it_took_the_message(self, body: bytes, is_taken: bool) -> None:
        with on_a_server(KINDS["teams"], [reply(200, body, content_type="text/plain")]) as (channel, _):
            assert isinstance(channel, TeamsChannel)
            channel._is_connector = True
            if is_taken:
                assert channel.send(notice(), OURS) == ""
            else:
                with pytest.raises(RequestRefused, match="429"):
                    channel.send(notice(), OURS)
