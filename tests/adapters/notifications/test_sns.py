"""E-mail through SNS: what the service takes, as moto checks it, and what is this process's own trouble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.adapters.notifications.channel_subjects import TOPIC
from tests.domain.test_notices import HOSTILE, OURS, notice
from tests.fakes.clock import FakeClock
from trueup.adapters.notifications.channels import OpenedChannels
from trueup.adapters.notifications.sns import TopicChannel
from trueup.domain.errors import ConfigurationInvalid
from trueup.domain.notices import NoticeLine


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


def subscribed() -> tuple[str, Any, str]:
    """A topic with a queue that gets what is published; the topic's ARN, the queue's client and its address."""
    sns, sqs = boto3.client("sns", region_name="eu-west-1"), boto3.client("sqs", region_name="eu-west-1")
    topic = sns.create_topic(Name="trueup-acme-notices")["TopicArn"]
    queue = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, sqs, queue


@pytest.mark.usefixtures("aws")
def test_sns_takes_hostile_names_as_one_subject_and_one_body() -> None:
    topic, sqs, queue = subscribed()
    channel = OpenedChannels(topic=topic, clock=FakeClock(), allow_loopback=False).email()
    assert channel is not None
    reference = channel.send(notice(NoticeLine(HOSTILE), subject=f"Zürich {HOSTILE}"), OURS)
    message = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert message["MessageId"] == reference
    assert message["Subject"].startswith("Trueup acme-msp: Zurich Evil")
    assert len(message["Subject"]) < 100
    assert message["Message"].startswith("Zürich Evil")
    assert message["MessageAttributes"]["kind"]["Value"] == "approval_wanted"


@pytest.mark.usefixtures("aws")
def test_a_topic_that_is_gone_is_a_setting_to_be_corrected() -> None:
    channel = OpenedChannels(topic=TOPIC, clock=FakeClock(), allow_loopback=False).email()
    assert channel is not None
    with pytest.raises(ConfigurationInvalid, match="NotFound"):
        channel.send(notice(), OURS)


@pytest.mark.parametrize("topic", ["NoticeTopic", "arn:aws:sqs:eu-west-1:123456789012:queue", f"{TOPIC}\n"])
def test_what_is_no_topic_is_this_channels_failure_alone(topic: str) -> None:
    channel = OpenedChannels(topic=topic, clock=FakeClock(), allow_loopback=False).email()
    assert channel is not None
    with pytest.raises(ConfigurationInvalid, match="TRUEUP_NOTICE_TOPIC"):
        channel.send(notice(), OURS)


def test_without_a_credential_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import NoCredentialsError

    def open_client(region: str) -> Any:
        client = boto3.client("sns", region_name=region, config=Config(signature_version=UNSIGNED))
        monkeypatch.setattr(client, "publish", _raise(NoCredentialsError()))
        return client

    with pytest.raises(ConfigurationInvalid, match="NoCredentialsError"):
        TopicChannel(open_client, TOPIC).send(notice(), OURS)


def _raise(error: Exception) -> Any:
    def publish(**_request: object) -> None:
        raise error

    return publish
