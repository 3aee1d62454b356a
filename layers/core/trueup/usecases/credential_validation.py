"""Try a credential before it is stored, and watch the stored ones. No secret leaves this file but into the vault.

One vendor, one PSA and one source of license counts are connected at a time: another one takes the place of the first
only when a person says so. Nobody has to connect license counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta

from trueup.domain.audit import Audit
from trueup.domain.billing import CapabilityReport
from trueup.domain.errors import (
    ConfigurationInvalid,
    Conflict,
    CredentialRejected,
    InputInvalid,
    NotConnected,
    PermissionMissing,
    TrueupError,
    VendorTrouble,
)
from trueup.domain.integrations import CREDENTIAL_FIELDS, ConnectionState, Integration, IntegrationName, Side
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.state import Integrations
from trueup.ports.vault import Vault
from trueup.usecases.opening import stored_fields

PASSING_FAULT = timedelta(minutes=5)
"""One rejected reply may be a fault at the vendor that passes; two at least this far apart are not."""


def connect(
    name: IntegrationName,
    *,
    address: str,
    fields: Mapping[str, str],
    actor: str,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    clock: Clock,
    switch: bool = False,
    before_storing: Callable[[Integration], None] | None = None,
    ends_on: date | None = None,
) -> Integration:
    """Try the credential at that address; store it only when it works.

    The secret must come with every call, so that changing only the address can never send a stored secret elsewhere.
    ``switch`` is a person's word that this system takes the place of the one that is connected: that one's credential
    is forgotten, and nothing else. ``before_storing`` is called with what will be connected, once the credential is
    known to work and before anything is changed. ``ends_on`` is the last day of the credential, where it has one.

    Raises InputInvalid, UnsafeAddress, CredentialRejected, PermissionMissing, VendorTrouble, and Conflict where another
    system is connected and nobody said to switch; then nothing is stored.
    """
    checked = _require_fields(name, fields)
    _require_days_left(ends_on, clock)
    host = connections.address(name, address)
    wanted = Integration(name, address=host, settings=_open_settings(name, checked))
    others = replaced_by(wanted, integrations)
    if others and not switch:
        raise _occupied(wanted, others[0])
    report = _check(name, connections, host, checked)
    _require_reads(name, report)
    if before_storing is not None:
        before_storing(wanted)
    for other in others:
        if other.name is not name:
            disconnect(other.name, actor=actor, integrations=integrations, vault=vault, clock=clock)
    before = integrations.get(name)
    now = clock.now()
    if CREDENTIAL_FIELDS[name]:
        vault.put(name, host=host, fields=checked)
    # Another address or another company is another system: what was finished was the mapping of the old one.
    finished_at = before.finished_at if before.system == wanted.system else None
    return integrations.save(
        Integration(
            name=name,
            state=ConnectionState.ACTIVE if finished_at else ConnectionState.PENDING,
            address=host,
            settings=wanted.settings,
            identifier_tail=_tail(name, checked),
            report=report,
            checked_at=now,
            finished_at=finished_at,
            version=before.version,
            credential_ends_on=ends_on,
        ),
        Audit(now, actor, "integration connected", name, before.system, wanted.system),
    )


def validate(
    name: IntegrationName,
    *,
    actor: str,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    clock: Clock,
) -> Integration:
    """Try the stored credential and record its health. Raises NotConnected; a failed check is recorded, not raised."""
    integration = integrations.get(name)
    if integration.state is ConnectionState.NOT_CONNECTED:
        raise NotConnected(f"{name} is not connected")
    now = clock.now()
    try:
        fields = stored_fields(integration, vault)
        report = _check(name, connections, integration.address, fields)
        _require_reads(name, report)
    except (VendorTrouble, ConfigurationInvalid) as trouble:
        return _failed(integration, trouble, actor=actor, integrations=integrations, clock=clock)
    healed = integration.state is ConnectionState.NEEDS_ATTENTION
    whole = ConnectionState.ACTIVE if integration.finished_at else ConnectionState.PENDING
    state = whole if healed else integration.state
    audit = Audit(at=now, actor=actor, action="integration healed", subject=name) if healed else None
    return integrations.save(
        replace(
            integration,
            state=state,
            report=report,
            checked_at=now,
            cause="",
            fix="",
            failures_in_a_row=0,
            first_failed_at=None,
        ),
        audit,
    )


def disconnect(
    name: IntegrationName, *, actor: str, integrations: Integrations, vault: Vault, clock: Clock
) -> Integration:
    """Forget the credential. Accounts, mappings, plans and history stay."""
    integration = integrations.get(name)
    if integration.state is ConnectionState.NOT_CONNECTED:
        raise NotConnected(f"{name} is not connected")
    if CREDENTIAL_FIELDS[name]:
        vault.delete(name)
    audit = Audit(
        at=clock.now(), actor=actor, action="integration disconnected", subject=name, before=integration.address
    )
    return integrations.save(Integration(name=name, version=integration.version), audit)


def replaced_by(wanted: Integration, integrations: Integrations) -> tuple[Integration, ...]:
    """What is connected now and could not stay connected beside ``wanted``.

    On the vendor's side an account code means the same account at every address, so another address is no other system
    there; a PSA at another address or of another company has other clients under the same ids.
    """
    others = []
    for item in integrations.all():
        if item.state is ConnectionState.NOT_CONNECTED or item.name.side is not wanted.name.side:
            continue
        if item.name is not wanted.name or (item.name.side is Side.PSA and item.system != wanted.system):
            others.append(item)
    return tuple(others)


def _require_days_left(ends_on: date | None, clock: Clock) -> None:
    if ends_on is not None and ends_on < clock.now().date():
        raise InputInvalid(
            "the credential has ended already", field="credential_ends_on", remedy="Make a new one, or correct the day."
        )


def _occupied(wanted: Integration, other: Integration) -> Conflict:
    side = _SIDE_WORDS[wanted.name.side]
    command = f"trueup connect {wanted.name.value} --switch"
    return Conflict(
        f"{other.name.label} is connected ({other.system}), and only one {side} can be at a time",
        remedy=f'To change over: {command} (over the API: "switch": true). Vendor data, mappings, plans and history '
        "stay; what was mapped there is matched again here.",
    )


_SIDE_WORDS = {Side.VENDOR: "vendor", Side.PSA: "PSA", Side.LICENSES: "source of license counts"}


def _require_fields(name: IntegrationName, fields: Mapping[str, str]) -> dict[str, str]:
    wanted = CREDENTIAL_FIELDS[name]
    unknown = sorted(set(fields) - {field.name for field in wanted})
    if unknown:
        raise InputInvalid(f"{name} has no field {unknown[0]}", field=unknown[0], remedy="Leave it out.")
    checked: dict[str, str] = {}
    for field in wanted:
        value = fields.get(field.name, "").strip()
        if not value:
            remedy = f"Give the {field.label}" + (f": {field.where}." if field.where else ".")
            raise InputInvalid(f"{name}: {field.label} is missing", field=field.name, remedy=remedy)
        if not value.isascii() or not value.isprintable() or len(value) > 4096:
            raise InputInvalid(
                f"{name}: {field.label} has characters that no credential has",
                field=field.name,
                remedy="Copy it again without quotes or line breaks.",
            )
        checked[field.name] = value
    return checked


def _check(
    name: IntegrationName, connections: Connections, address: str, fields: Mapping[str, str]
) -> CapabilityReport:
    match name.side:
        case Side.VENDOR:
            return connections.vendor(name, address, fields).check()
        case Side.PSA:
            return connections.psa(name, address, fields).check()
        case Side.LICENSES:
            return connections.licenses(name, address, fields).check()


def _require_reads(name: IntegrationName, report: CapabilityReport) -> None:
    """A credential that may read nothing is refused; one that lacks something is stored with what it lacks."""
    if report.capabilities and len(report.missing) == len(report.capabilities):
        rows = "; ".join(capability.permission for capability in report.missing)
        if not CREDENTIAL_FIELDS[name]:
            raise ConfigurationInvalid(
                f"no file that {name.label} read was given yet", remedy=f"Give one first: {rows}."
            )
        raise PermissionMissing(
            f"the credential is accepted but may read nothing that {name} is needed for",
            integration=name,
            permission=rows,
            remedy=f"Give it: {rows}.",
        )


def _failed(
    integration: Integration, trouble: TrueupError, *, actor: str, integrations: Integrations, clock: Clock
) -> Integration:
    now = clock.now()
    first = integration.first_failed_at
    if first is None and isinstance(trouble, CredentialRejected | PermissionMissing):
        # Only a rejection starts the clock: an outage yesterday does not make today's first rejection a lasting one.
        first = now
    rejected = isinstance(trouble, CredentialRejected | PermissionMissing)
    broken = isinstance(trouble, ConfigurationInvalid) or (
        rejected and first is not None and now - first >= PASSING_FAULT
    )
    state = ConnectionState.NEEDS_ATTENTION if broken else integration.state
    changed = state is not integration.state
    audit = (
        Audit(at=now, actor=actor, action="integration failing", subject=integration.name, why=trouble.message)
        if changed
        else None
    )
    return integrations.save(
        replace(
            integration,
            state=state,
            checked_at=now,
            cause=trouble.message,
            fix=trouble.remedy,
            failures_in_a_row=integration.failures_in_a_row + 1,
            first_failed_at=first,
        ),
        audit,
    )


def _open_settings(name: IntegrationName, fields: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What may be shown of a credential: nothing but the company it signs in to.

    Every Autotask company of a zone has the same address; the domain of the API user's name tells them apart (assumed:
    Autotask makes the names of API users as a random part, ``@`` and the company's domain). Microsoft 365 has one
    address for everybody; the MSP's own directory tells whose clients are meant.
    """
    if name is IntegrationName.CONNECTWISE:
        return (("company_id", fields["company_id"]),)
    if name is IntegrationName.AUTOTASK:
        return (("company", fields["user_name"].rpartition("@")[2].casefold()),)
    if name is IntegrationName.MICROSOFT365:
        return (("tenant_id", fields["tenant_id"].casefold()),)
    return ()


_TAIL_FIELDS = {
    IntegrationName.MIMECAST: "client_id",
    IntegrationName.CONNECTWISE: "public_key",
    IntegrationName.AUTOTASK: "user_name",
    IntegrationName.HALOPSA: "client_id",
    IntegrationName.MICROSOFT365: "client_id",
}


def _tail(name: IntegrationName, fields: Mapping[str, str]) -> str:
    """The end of the id that tells keys apart; empty where the credential is nothing but a secret, or there is none."""
    return fields[_TAIL_FIELDS[name]].partition("@")[0][-4:] if name in _TAIL_FIELDS else ""
