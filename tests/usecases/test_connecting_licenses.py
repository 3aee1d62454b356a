"""Connecting license counts: optional, beside the vendor and the PSA, one source at a time."""

from __future__ import annotations

import pytest

from tests.usecases.office import PERSON, SECRET, Office, open_office
from trueup.domain.errors import Conflict, CredentialRejected, InputInvalid, PermissionMissing
from trueup.domain.integrations import ConnectionState, IntegrationName, Side
from trueup.usecases.credential_validation import disconnect
from trueup.usecases.opening import connected_sides

MICROSOFT365, FILES = IntegrationName.MICROSOFT365, IntegrationName.LICENSE_FILES


@pytest.fixture
def office() -> Office:
    office = open_office()
    office.client(1, "Harbor Dental Group", 10, "10")
    office.licenses.add_tenant("t-1", "Harbor Dental Group", 10)
    return office


def state_of(office: Office, name: IntegrationName) -> ConnectionState:
    return office.state.integrations.get(name).state


def test_only_the_vendor_and_the_psa_are_needed(office: Office) -> None:
    assert connected_sides(office.state.integrations) == (Side.VENDOR, Side.PSA)
    office.set_up()
    assert connected_sides(office.state.integrations) == (Side.VENDOR, Side.PSA)
    assert state_of(office, IntegrationName.MIMECAST) is ConnectionState.ACTIVE


def test_licenses_do_not_stand_in_for_a_side_that_is_needed(office: Office) -> None:
    office.set_up()
    office.connect_licenses()
    disconnect(
        IntegrationName.CONNECTWISE,
        actor=PERSON,
        integrations=office.state.integrations,
        vault=office.vault,
        clock=office.clock,
    )
    with pytest.raises(Conflict, match="a vendor and a PSA must be connected"):
        office.finish()


def test_licenses_are_pending_until_the_mapping_is_finished(office: Office) -> None:
    office.set_up()
    office.connect_licenses()
    integration = office.state.integrations.get(MICROSOFT365)
    assert (integration.state, integration.identifier_tail) == (ConnectionState.PENDING, "app1")
    assert dict(integration.settings) == {"tenant_id": "00000000-0000-4000-8000-0000000000ff"}
    assert SECRET not in repr(integration)
    assert connected_sides(office.state.integrations) == tuple(Side)
    assert state_of(office, IntegrationName.CONNECTWISE) is ConnectionState.ACTIVE
    office.finish()
    assert state_of(office, MICROSOFT365) is ConnectionState.ACTIVE


def test_one_source_of_license_counts_at_a_time(office: Office) -> None:
    office.connect_both()
    office.connect_licenses()
    office.connections.accepted_secret = None
    with pytest.raises(Conflict, match="only one source of license counts can be"):
        office.connect(FILES)
    office.connect(FILES, switch=True)
    assert state_of(office, MICROSOFT365) is ConnectionState.NOT_CONNECTED
    assert state_of(office, FILES) is ConnectionState.PENDING


def test_a_credential_that_reads_nothing_or_is_wrong_is_not_stored(office: Office) -> None:
    with pytest.raises(CredentialRejected):
        office.connect(MICROSOFT365, client_secret="wrong")
    with pytest.raises(InputInvalid) as missing:
        office.connect(MICROSOFT365, tenant_id=" ")
    assert missing.value.field == "tenant_id"
    office.licenses.revoke()
    with pytest.raises(PermissionMissing):
        office.connect(MICROSOFT365)
    assert state_of(office, MICROSOFT365) is ConnectionState.NOT_CONNECTED


def test_a_credential_that_lacks_the_kinds_of_mailboxes_is_taken_with_what_it_lacks(office: Office) -> None:
    office.licenses.revoke("mailbox_kinds")
    report = office.connect(MICROSOFT365).report
    assert report is not None
    assert [capability.name for capability in report.missing] == ["mailbox_kinds"]


def test_the_daily_check_says_when_licenses_fail(office: Office) -> None:
    office.set_up()
    office.connect_licenses()
    office.finish()
    office.connections.accepted_secret = "another"
    for _ in range(2):
        office.validate(MICROSOFT365)
        office.clock.advance(600)
    assert state_of(office, MICROSOFT365) is ConnectionState.NEEDS_ATTENTION
    office.connections.accepted_secret = SECRET
    assert office.validate(MICROSOFT365).state is ConnectionState.ACTIVE
