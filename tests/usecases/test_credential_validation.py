"""A credential is tried before it is stored, a failure stores nothing, and one rejection is not a broken connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from tests.fakes.connections import VENDOR_HOST
from tests.usecases.office import CONNECTWISE_FIELDS, FIELDS, MIMECAST_FIELDS, PERSON, SECRET, Office
from trueup.domain.errors import (
    Conflict,
    CredentialRejected,
    InputInvalid,
    NotConnected,
    PermissionMissing,
    TrueupError,
    UnsafeAddress,
    VendorUnavailable,
)
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName
from trueup.usecases.credential_validation import connect, disconnect

MIMECAST, CONNECTWISE = IntegrationName.MIMECAST, IntegrationName.CONNECTWISE
REJECTED = CredentialRejected("it does not accept the credential", integration="mimecast", status=401)
AWAY = VendorUnavailable("no answer", integration="mimecast")


def connect_with(office: Office, fields: Mapping[str, str], *, address: str = VENDOR_HOST) -> Integration:
    return connect(
        MIMECAST,
        address=address,
        fields=fields,
        actor=PERSON,
        integrations=office.state.integrations,
        vault=office.vault,
        connections=office.connections,
        clock=office.clock,
    )


def stored(office: Office, host: str = VENDOR_HOST) -> Mapping[str, str]:
    return office.vault.get(MIMECAST, host=host)


def test_a_good_credential_is_stored_and_the_integration_waits_for_its_mapping(office: Office) -> None:
    integration = office.connect(MIMECAST)
    assert integration.state is ConnectionState.PENDING
    assert integration.address == VENDOR_HOST
    assert integration.checked_at == office.clock.now()
    assert integration.identifier_tail == MIMECAST_FIELDS["client_id"][-4:]
    assert stored(office) == MIMECAST_FIELDS
    assert office.actions() == ["integration connected"]
    assert office.state.integrations.get(MIMECAST) == integration


def test_the_last_day_of_a_credential_is_kept_until_another_one_is_given(office: Office) -> None:
    def given(ends_on: date | None) -> Integration:
        return connect(
            MIMECAST,
            address=VENDOR_HOST,
            fields=MIMECAST_FIELDS,
            actor=PERSON,
            integrations=office.state.integrations,
            vault=office.vault,
            connections=office.connections,
            clock=office.clock,
            ends_on=ends_on,
        )

    last = office.clock.now().date() + timedelta(days=365)
    assert given(last).credential_ends_on == last
    assert office.validate().credential_ends_on == last
    assert given(None).credential_ends_on is None
    with pytest.raises(InputInvalid, match="ended already") as refused:
        given(office.clock.now().date() - timedelta(days=1))
    assert refused.value.field == "credential_ends_on"


def test_no_secret_is_in_what_is_kept_beside_the_vault(office: Office) -> None:
    shown = [repr(office.connect(name, switch=True)) for name in FIELDS if FIELDS[name]]
    shown += [repr(event) for event in office.state.history.all()]
    shown += [repr(office.state.integrations.all()), repr(office.vault.calls), repr(office.connections.opened)]
    assert not [text for text in shown if SECRET in text]


def test_only_the_company_is_shown_of_a_connectwise_credential(office: Office) -> None:
    integration = office.connect(CONNECTWISE)
    assert integration.settings == (("company_id", CONNECTWISE_FIELDS["company_id"]),)
    assert integration.identifier_tail == CONNECTWISE_FIELDS["public_key"][-4:]


@pytest.mark.parametrize("trouble", [REJECTED, AWAY])
def test_a_credential_that_does_not_work_stores_nothing(office: Office, trouble: TrueupError) -> None:
    office.vendor.fail_always("check", trouble)
    with pytest.raises(type(trouble)):
        office.connect(MIMECAST)
    assert office.vault.calls == []
    assert office.state.switches.calls == []
    assert office.state.integrations.get(MIMECAST) == Integration(MIMECAST)


def test_a_credential_that_may_read_nothing_stores_nothing_and_names_what_is_missing(office: Office) -> None:
    office.vendor.revoke()
    with pytest.raises(PermissionMissing) as caught:
        office.connect(MIMECAST)
    assert caught.value.permission is not None
    assert "Partner: read" in caught.value.permission
    assert "Partner: read" in caught.value.remedy
    assert office.vault.calls == []
    assert office.state.switches.calls == []


def test_a_credential_that_lacks_one_thing_is_stored_with_what_it_lacks(office: Office) -> None:
    office.vendor.revoke("contracts")
    integration = office.connect(MIMECAST)
    assert integration.report is not None
    assert [one.name for one in integration.report.missing] == ["contracts"]


@pytest.mark.fault("S14")
def test_S14_changing_only_the_address_needs_the_secret_again(office: Office) -> None:
    office.connections.hosts = (VENDOR_HOST, "https://eu-api.vendor.example")
    office.connect(MIMECAST)
    without_secret = {name: value for name, value in MIMECAST_FIELDS.items() if name != "client_secret"}
    with pytest.raises(InputInvalid) as caught:
        connect_with(office, without_secret, address="https://eu-api.vendor.example")
    assert caught.value.field == "client_secret"
    assert stored(office) == MIMECAST_FIELDS
    assert office.connections.opened == [("mimecast", VENDOR_HOST)], "nothing was sent to the new address"
    with pytest.raises(NotConnected):
        stored(office, "https://eu-api.vendor.example")


def test_the_stored_secret_is_tied_to_its_host(office: Office) -> None:
    office.connections.hosts = (VENDOR_HOST, "https://eu-api.vendor.example")
    office.connect(MIMECAST)
    connect_with(office, MIMECAST_FIELDS, address="https://eu-api.vendor.example")
    assert stored(office, "https://eu-api.vendor.example") == MIMECAST_FIELDS
    with pytest.raises(NotConnected):
        stored(office, VENDOR_HOST)


def test_an_address_that_may_not_be_called_is_refused_before_anything_is_sent(office: Office) -> None:
    with pytest.raises(UnsafeAddress):
        connect_with(office, MIMECAST_FIELDS, address="https://evil.example")
    assert office.connections.opened == []
    assert office.vault.calls == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": "   "}, "client_secret"),
        ({"client_id": "line\nbreak"}, "client_id"),
        ({"client_id": "kl\u00fcg"}, "client_id"),
        ({"client_secret": "x" * 4097}, "client_secret"),
        ({"tenant": "other"}, "tenant"),
    ],
)
def test_a_bad_field_is_named_and_its_value_is_not_repeated(
    office: Office, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(InputInvalid) as caught:
        connect_with(office, {**MIMECAST_FIELDS, **changes})
    assert caught.value.field == field
    assert caught.value.remedy
    assert "x" * 100 not in str(caught.value)
    assert office.connections.opened == []


def test_connecting_again_with_a_new_secret_keeps_a_finished_integration_active(month: Office) -> None:
    month.connections.accepted_secret = "rotated-secret"
    integration = month.connect(MIMECAST, client_secret="rotated-secret")
    assert integration.state is ConnectionState.ACTIVE
    assert stored(month)["client_secret"] == "rotated-secret"


def test_another_company_at_the_same_address_is_another_system(month: Office) -> None:
    before = month.state.integrations.get(CONNECTWISE)
    assert before.state is ConnectionState.ACTIVE
    with pytest.raises(Conflict, match="ConnectWise is connected") as caught:
        month.connect(CONNECTWISE, company_id="othermsp")
    assert "--switch" in caught.value.remedy
    assert month.state.integrations.get(CONNECTWISE) == before
    integration = month.connect(CONNECTWISE, company_id="othermsp", switch=True)
    assert integration.state is ConnectionState.PENDING
    assert integration.finished_at is None


# The daily check.


def test_a_check_that_works_is_recorded(office: Office) -> None:
    office.connect(MIMECAST)
    office.clock.advance(3600)
    integration = office.validate()
    assert integration.checked_at == office.clock.now()
    assert integration.state is ConnectionState.PENDING
    assert office.actions() == ["integration connected"], "a check that changes nothing is no event"


def test_what_was_never_connected_cannot_be_checked(office: Office) -> None:
    with pytest.raises(NotConnected):
        office.validate()


def test_one_rejected_check_is_recorded_and_the_connection_stays(month: Office) -> None:
    month.vendor.fail_next("check", REJECTED)
    integration = month.validate()
    assert integration.state is ConnectionState.ACTIVE
    assert integration.failures_in_a_row == 1
    assert integration.cause == REJECTED.message
    assert integration.fix == REJECTED.remedy


def test_two_rejections_within_a_minute_are_one_passing_fault(month: Office) -> None:
    month.vendor.fail_next("check", REJECTED, REJECTED)
    month.validate()
    month.clock.advance(59)
    assert month.validate().state is ConnectionState.ACTIVE


@pytest.mark.fault("T17")
def test_T17_two_rejections_minutes_apart_need_attention_and_a_good_check_heals(month: Office) -> None:
    month.vendor.fail_next("check", REJECTED, REJECTED)
    month.validate()
    month.clock.advance(301)
    broken = month.validate()
    assert broken.state is ConnectionState.NEEDS_ATTENTION
    assert broken.failures_in_a_row == 2
    assert month.actions()[-1] == "integration failing"
    healed = month.validate()
    assert healed.state is ConnectionState.ACTIVE
    assert (healed.cause, healed.fix, healed.failures_in_a_row, healed.first_failed_at) == ("", "", 0, None)
    assert month.actions()[-1] == "integration healed"


def test_an_outage_never_breaks_a_connection_however_long(month: Office) -> None:
    month.vendor.fail_always("check", AWAY)
    for _ in range(3):
        month.clock.advance(24 * 3600)
        integration = month.validate()
    assert integration.state is ConnectionState.ACTIVE
    assert integration.failures_in_a_row == 3


def test_the_first_rejection_after_an_outage_is_not_a_lasting_one(month: Office) -> None:
    month.vendor.fail_next("check", AWAY, REJECTED)
    month.validate()
    month.clock.advance(24 * 3600)
    assert month.validate().state is ConnectionState.ACTIVE


def test_a_permission_taken_away_counts_as_a_rejection(month: Office) -> None:
    month.vendor.revoke()
    month.validate()
    month.clock.advance(301)
    integration = month.validate()
    assert integration.state is ConnectionState.NEEDS_ATTENTION
    assert "Partner: read" in integration.fix


def test_a_lost_secret_needs_attention_at_once(month: Office) -> None:
    month.vault.delete(MIMECAST)
    integration = month.validate()
    assert integration.state is ConnectionState.NEEDS_ATTENTION
    assert integration.fix


def test_a_healed_integration_that_was_never_finished_is_pending_again(office: Office) -> None:
    office.connect(MIMECAST)
    office.vendor.fail_next("check", REJECTED, REJECTED)
    office.validate()
    office.clock.advance(301)
    assert office.validate().state is ConnectionState.NEEDS_ATTENTION
    assert office.validate().state is ConnectionState.PENDING


# Disconnecting.


def test_disconnecting_forgets_the_secret_and_keeps_the_mapping(month: Office) -> None:
    entries = list(month.state.accounts.all())
    integration = disconnect(
        MIMECAST, actor=PERSON, integrations=month.state.integrations, vault=month.vault, clock=month.clock
    )
    assert integration.state is ConnectionState.NOT_CONNECTED
    assert integration.identifier_tail == ""
    with pytest.raises(NotConnected):
        stored(month)
    assert list(month.state.accounts.all()) == entries
    assert month.actions()[-1] == "integration disconnected"


def test_disconnecting_what_is_not_connected_is_an_error(office: Office) -> None:
    with pytest.raises(NotConnected):
        disconnect(
            MIMECAST, actor=PERSON, integrations=office.state.integrations, vault=office.vault, clock=office.clock
        )
    assert office.actions() == []
