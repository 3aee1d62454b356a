"""Notices by e-mail: one message to the stack's own topic, which sends it to whoever subscribed.

The subject is plain ASCII without line ends, as SNS demands it. Kind and severity are message attributes, so that a
subscription can filter by them. It must not be sent twice by the client library: its own retries are off.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from trueup.domain.errors import ConfigurationInvalid, TrueupError, VendorUnavailable, WriteOutcomeUnknown
from trueup.domain.notice_text import ascii_line, plain_text
from trueup.domain.notices import ChannelName, Letterhead, Notice

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient

SUBJECT_CHARACTERS_MAXIMUM: Final = 99
"""SNS documents fewer than 100 characters of ASCII that begin with a letter, a digit or a punctuation mark."""

MESSAGE_CHARACTERS_MAXIMUM: Final = 60_000
"""SNS documents 256 KB; this many characters never have more bytes."""

TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}", re.ASCII)
_INTEGRATION: Final = ChannelName.EMAIL.value


class TopicChannel:
    """Implements NoticeChannel with one topic. ``open_client`` is called with its region, before the first send:
    a topic that is set wrongly is this channel's failure and nobody else's.
    """

    def __init__(self, open_client: Callable[[str], SNSClient], topic: str) -> None:
        self._open_client = open_client
        self._topic = topic
        self._client: SNSClient | None = None

    def send(self, notice: Notice, letterhead: Letterhead) -> str:
        """See NoticeChannel.send; the reference is the id that SNS gives the message."""
        failed: TrueupError
        client = self._opened()
        try:
            reply = client.publish(
                TopicArn=self._topic,
                Subject=ascii_line(f"Trueup {letterhead.tenant}: {notice.subject}", SUBJECT_CHARACTERS_MAXIMUM),
                Message=plain_text(notice, letterhead, maximum_characters=MESSAGE_CHARACTERS_MAXIMUM),
                MessageAttributes={
                    "kind": {"DataType": "String", "StringValue": notice.kind.value},
                    "severity": {"DataType": "String", "StringValue": notice.severity.value},
                },
            )
        except ClientError as error:
            failed = _meaning(error)
        except ReadTimeoutError as error:
            failed = _unknown(type(error).__name__)
        except ConnectionError as error:
            # No connection was made, so nothing was sent; a connection that broke off later is told below.
            failed = VendorUnavailable(f"SNS cannot be reached ({type(error).__name__})", integration=_INTEGRATION)
        except (NoCredentialsError, PartialCredentialsError) as error:
            failed = ConfigurationInvalid(
                f"there is no AWS credential to publish with ({type(error).__name__})",
                remedy="Give this process an AWS credential that may publish to the topic.",
            )
        except (BotoCoreError, ResponseParserError) as error:
            failed = _unknown(type(error).__name__)
        else:
            return reply["MessageId"]
        raise failed from None

    def _opened(self) -> SNSClient:
        if TOPIC.fullmatch(self._topic) is None:
            raise ConfigurationInvalid(
                "TRUEUP_NOTICE_TOPIC is not the ARN of an SNS topic", remedy="Correct it, or leave it empty."
            )
        if self._client is None:
            self._client = self._open_client(self._topic.split(":")[3])
        return self._client

    def find(self, notice: Notice, letterhead: Letterhead) -> str | None:
        """See NoticeChannel.find: a topic forgets what it has sent."""
        return None


def _meaning(error: ClientError) -> TrueupError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500 or code in {"InternalError", "InternalErrorException"}:
        return _unknown(code)
    if code in {"Throttling", "ThrottledException", "Throttled"}:
        return VendorUnavailable(f"SNS is busy ({code})", integration=_INTEGRATION)
    return ConfigurationInvalid(
        f"SNS did not take the message ({code})",
        remedy="Deploy the stack again, so that the topic is there and this function may publish to it.",
    )


def _unknown(why: str) -> WriteOutcomeUnknown:
    return WriteOutcomeUnknown(f"it is not known whether SNS took the message ({why})", integration=_INTEGRATION)
