"""What a PSA tells of its own accord. A callback is a hint that a record changed, and never the record itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trueup.domain.billing import AgreementId, PsaAccountId
from trueup.domain.integrations import IntegrationName


class CallbackSubject(StrEnum):
    """What changed: a client, or an agreement (HaloPSA: a recurring invoice)."""

    ACCOUNT = "account"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True)
class CallbackHint:
    """One verified callback.

    ``message_id`` is unique to the message, so that a repeat can be told. ``record_id`` is the id of the account or
    agreement. ``changed_at`` is the PSA's own time of the change where it gives one: an older hint than what was read
    last asks for nothing. ``deleted`` is the PSA's word that the record is gone; it is looked for all the same.
    """

    psa: IntegrationName
    message_id: str
    subject: CallbackSubject
    record_id: str
    changed_at: datetime | None = None
    deleted: bool = False

    @property
    def account_id(self) -> PsaAccountId | None:
        return PsaAccountId(self.record_id) if self.subject is CallbackSubject.ACCOUNT else None

    @property
    def agreement_id(self) -> AgreementId | None:
        return AgreementId(self.record_id) if self.subject is CallbackSubject.AGREEMENT else None


@dataclass(frozen=True, slots=True)
class CallbackSecrets:
    """What proves that a callback is from the PSA; made by Trueup when callbacks are registered.

    ``path_token`` is the unguessable last part of the address. ``signing_secret`` is what Autotask signs with (20 to 64
    characters); ``basic_user`` and ``basic_password`` are what HaloPSA sends. ConnectWise signs with a key of its own,
    which it tells at an address of its own.
    """

    path_token: str
    signing_secret: str
    basic_user: str
    basic_password: str

    def __repr__(self) -> str:
        return "CallbackSecrets(hidden)"


@dataclass(frozen=True, slots=True)
class RegisteredCallback:
    """One registration as the PSA lists it. ``url`` is shown without its secret last part."""

    id: str
    description: str
    subject: str
    url: str
    active: bool
