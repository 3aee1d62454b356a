"""The one place that knows both ports and adapters. Nothing is built before it is asked for, and then once a process.

Imports of adapters are inside the functions on purpose: a function that never speaks to the PSA does not pay for
loading what speaks to it. Nothing here belongs to a tenant but what the environment of this process says.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from trueup.bootstrap_addresses import parsed_address
from trueup.domain.callbacks import CallbackSecrets
from trueup.domain.errors import InputInvalid
from trueup.domain.integrations import DEFAULT_ADDRESS, Integration, IntegrationName
from trueup.domain.notices import Letterhead
from trueup.domain.uploads import Upload
from trueup.ports.callbacks import CallbackQueue, CallbackRegistration, CallbackVerification
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.exported_files import ExportedFiles
from trueup.ports.licenses import EarlierReads, LicenseReading
from trueup.ports.orders import OrderSubmission
from trueup.ports.portal_users import PortalUserReading
from trueup.ports.psa import PsaAccountReading, PsaBilling, PsaLineCreation
from trueup.ports.psa_tickets import TicketCreation
from trueup.ports.similarity import NameSimilarity
from trueup.ports.state_bundle import State
from trueup.ports.vault import Vault
from trueup.ports.vendor import VendorBilling
from trueup.ports.workflow import Workflow
from trueup.settings import Settings, settings
from trueup.usecases.notices import NoticeSystems
from trueup.usecases.reconciliation import ReconciliationPolicy

if TYPE_CHECKING:
    from trueup.adapters.autotask.billing import AutotaskBilling
    from trueup.adapters.connectwise.billing import ConnectWiseBilling
    from trueup.adapters.halopsa.billing import HaloPsaBilling


_given_time: list[Clock] = []


@cache
def clock() -> Clock:
    if _given_time:
        return _given_time[0]
    from trueup.adapters.clock import SystemClock

    return SystemClock()


@cache
def state() -> State:
    import boto3
    from botocore.config import Config

    from trueup.adapters.dynamodb.state import open_state

    chosen = settings()
    # The adapter retries by what it knows of each call; a second layer of retries would only hide how often.
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10)
    return open_state(
        boto3.client("dynamodb", config=once), table_name=chosen.table, tenant=chosen.tenant, clock=clock()
    )


@cache
def vault() -> Vault:
    chosen = settings()
    if chosen.vault_directory:
        from trueup.adapters.file_vault import FileVault

        return FileVault(Path(chosen.vault_directory))
    import boto3

    from trueup.adapters.secretsmanager import SecretsManagerVault

    return SecretsManagerVault(boto3.client("secretsmanager"), prefix=chosen.secret_prefix, clock=clock())


@cache
def similarity() -> NameSimilarity:
    from trueup.adapters.name_similarity import RapidNameSimilarity

    return RapidNameSimilarity()


@cache
def connections() -> Connections:
    # Both sides are opened at the same moment by two threads. The HTTP library refers to itself while it loads, and a
    # thread that meets it half loaded fails; so it is loaded whole before there is a second thread.
    import_module("trueup.adapters.http")
    return _Connections(settings(), clock())


@cache
def exported_files() -> ExportedFiles:
    from trueup.adapters.files.exported import ExportedTables

    return ExportedTables(settings().currency)


@cache
def workflow() -> Workflow:
    import boto3

    from trueup.adapters.lambda_workflow import LambdaWorkflow

    return LambdaWorkflow(boto3.client("lambda"), function=settings().monthly_run_function)


@cache
def callback_queue() -> CallbackQueue:
    import boto3
    from botocore.config import Config

    from trueup.adapters.sqs_callback_queue import SqsCallbackQueue

    # The PSA waits for the answer: it is better told to send the message again than kept waiting.
    brief = Config(retries={"total_max_attempts": 2}, connect_timeout=1, read_timeout=3)
    return SqsCallbackQueue(boto3.client("sqs", config=brief), queue_url=settings().callback_queue_url)


@cache
def notice_systems() -> NoticeSystems:
    from trueup.adapters.notifications.channels import OpenedChannels

    chosen = settings()
    channels = OpenedChannels(topic=chosen.notice_topic, clock=clock(), allow_loopback=chosen.allow_loopback)
    letterhead = Letterhead(chosen.tenant, chosen.portal_url)
    return NoticeSystems(state().notices, state().integrations, vault(), connections(), channels, letterhead, clock())


def reconciliation_policy() -> ReconciliationPolicy:
    chosen = settings()
    return ReconciliationPolicy(
        chosen.tenant,
        chosen.time_zone,
        chosen.currency,
        chosen.guards,
        billing_basis=chosen.billing_basis,
        bills_on_order=chosen.bills_on_order,
        orders=chosen.orders,
    )


def load() -> None:
    """Import what the store is spoken to with, for functions whose first caller waits.

    While a function is being started its processor is not rationed; afterwards it is.
    """
    import boto3  # noqa: F401 - for its own imports
    import botocore.session  # noqa: F401

    import trueup.adapters.dynamodb.state  # noqa: F401


def reset(time: Clock | None = None) -> None:
    """Forget everything that was built, so that the next call reads the environment afresh. For tests and local use.

    ``time`` is the clock that everything built from now on goes by; the machine's own when it is left out.
    """
    _given_time[:] = [] if time is None else [time]
    stores = (clock, state, vault, similarity, connections, exported_files, workflow, callback_queue, notice_systems)
    for built in (*stores, settings):
        built.cache_clear()


class _Connections:
    """Implements Connections with the adapters there are."""

    def __init__(self, chosen: Settings, time: Clock) -> None:
        self._settings = chosen
        self._clock = time

    def address(self, name: IntegrationName, text: str) -> str:
        if name in {IntegrationName.VENDOR_FILES, IntegrationName.PSA_FILES, IntegrationName.LICENSE_FILES}:
            return DEFAULT_ADDRESS[name]
        return parsed_address(name, text, self._settings).url

    def vendor(
        self, name: IntegrationName, address: str, fields: Mapping[str, str], *, customer_file: Upload | None = None
    ) -> VendorBilling:
        if name is IntegrationName.VENDOR_FILES:
            from trueup.adapters.files.vendor import open_vendor_files

            return open_vendor_files(state().uploads, clock=self._clock, home_currency=self._settings.currency)
        from trueup.adapters.mimecast.adapter import open_mimecast

        return open_mimecast(
            address,
            fields,
            clock=self._clock,
            allow_loopback=self._settings.allow_loopback,
            customer_file=customer_file,
        )

    def order_submission(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> OrderSubmission:
        if name is not IntegrationName.MIMECAST:
            raise _not_for(name, "takes no orders through an API")
        from trueup.adapters.mimecast.orders import open_mimecast_orders

        return open_mimecast_orders(address, fields, clock=self._clock, allow_loopback=self._settings.allow_loopback)

    def portal_users(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PortalUserReading:
        if name is not IntegrationName.MIMECAST:
            raise _not_for(name, "has no account whose users could be checked")
        from trueup.adapters.mimecast.portal_users import open_portal_users

        return open_portal_users(address, fields, clock=self._clock, allow_loopback=self._settings.allow_loopback)

    def customer_file_rows(self, name: IntegrationName, content: bytes) -> int:
        if name is not IntegrationName.MIMECAST:
            raise InputInvalid(
                f"{name} takes no customer file",
                field="name",
                remedy="Give it to the integration that sells: mimecast.",
            )
        from trueup.adapters.mimecast.customer_file import parse_customer_file

        return len(parse_customer_file(content).customers)

    def psa(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaBilling:
        match name:
            case IntegrationName.CONNECTWISE:
                return self._connectwise(address, fields)
            case IntegrationName.AUTOTASK:
                return self._autotask(address, fields)
            case IntegrationName.HALOPSA:
                return self._halopsa(address, fields)
            case IntegrationName.SYNCRO:
                from trueup.adapters.syncro.billing import open_syncro

                return open_syncro(address, fields, clock=self._clock, allow_loopback=self._settings.allow_loopback)
            case IntegrationName.PSA_FILES:
                from trueup.adapters.files.psa import open_psa_files

                return open_psa_files(state().uploads, clock=self._clock, home_currency=self._settings.currency)
        raise _not_for(name, "is no PSA")

    def licenses(
        self, name: IntegrationName, address: str, fields: Mapping[str, str], *, earlier: EarlierReads | None = None
    ) -> LicenseReading:
        match name:
            case IntegrationName.MICROSOFT365:
                from trueup.adapters.microsoft365.licenses import open_microsoft365

                return open_microsoft365(
                    address, fields, clock=self._clock, allow_loopback=self._settings.allow_loopback, earlier=earlier
                )
            case IntegrationName.LICENSE_FILES:
                from trueup.adapters.files.licenses import open_license_files

                return open_license_files(state().uploads, clock=self._clock)
        raise _not_for(name, "tells no license counts")

    def line_creation(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaLineCreation:
        match name:
            case IntegrationName.CONNECTWISE:
                return self._connectwise(address, fields)
            case IntegrationName.HALOPSA:
                return self._halopsa(address, fields)
        raise _not_for(name, "lets no program make lines")

    def account_reading(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaAccountReading:
        match name:
            case IntegrationName.CONNECTWISE:
                return self._connectwise(address, fields)
            case IntegrationName.AUTOTASK:
                return self._autotask(address, fields)
            case IntegrationName.HALOPSA:
                return self._halopsa(address, fields)
        raise _not_for(name, "sends no callbacks")

    def callback_registration(
        self, name: IntegrationName, address: str, fields: Mapping[str, str]
    ) -> CallbackRegistration:
        loopback = self._settings.allow_loopback
        match name:
            case IntegrationName.CONNECTWISE:
                from trueup.adapters.connectwise import callbacks as connectwise

                hosts = self._settings.connectwise_hosts
                return connectwise.open_callback_registration(
                    address, fields, clock=self._clock, allow_loopback=loopback, additional_hosts=hosts
                )
            case IntegrationName.AUTOTASK:
                from trueup.adapters.autotask import callbacks as autotask

                return autotask.open_callback_registration(address, fields, clock=self._clock, allow_loopback=loopback)
            case IntegrationName.HALOPSA:
                from trueup.adapters.halopsa import callbacks as halopsa

                hosts = self._settings.halopsa_hosts
                return halopsa.open_callback_registration(
                    address, fields, clock=self._clock, allow_loopback=loopback, additional_hosts=hosts
                )
        raise _not_for(name, "sends no callbacks")

    def tickets(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> TicketCreation:
        loopback = self._settings.allow_loopback
        match name:
            case IntegrationName.CONNECTWISE:
                from trueup.adapters.connectwise import tickets as connectwise

                hosts = self._settings.connectwise_hosts
                return connectwise.open_tickets(address, fields, hosts, clock=self._clock, allow_loopback=loopback)
            case IntegrationName.AUTOTASK:
                from trueup.adapters.autotask import tickets as autotask

                return autotask.open_tickets(address, fields, clock=self._clock, allow_loopback=loopback)
            case IntegrationName.HALOPSA:
                from trueup.adapters.halopsa import tickets as halopsa

                hosts = self._settings.halopsa_hosts
                return halopsa.open_tickets(address, fields, hosts, clock=self._clock, allow_loopback=loopback)
        raise _not_for(name, "takes no tickets from Trueup")

    def callback_verification(self, integration: Integration, secrets: CallbackSecrets) -> CallbackVerification:
        match integration.name:
            case IntegrationName.CONNECTWISE:
                from trueup.adapters.connectwise import callbacks as connectwise

                return connectwise.callback_verification(
                    integration,
                    secrets,
                    clock=self._clock,
                    allow_loopback=self._settings.allow_loopback,
                    additional_hosts=self._settings.connectwise_hosts,
                )
            case IntegrationName.AUTOTASK:
                from trueup.adapters.autotask import callbacks as autotask

                return autotask.callback_verification(integration, secrets)
            case IntegrationName.HALOPSA:
                from trueup.adapters.halopsa import callbacks as halopsa

                return halopsa.callback_verification(integration, secrets)
        raise _not_for(integration.name, "sends no callbacks")

    def _connectwise(self, address: str, fields: Mapping[str, str]) -> ConnectWiseBilling:
        from trueup.adapters.connectwise.billing import open_connectwise

        return open_connectwise(
            address,
            fields,
            clock=self._clock,
            allow_loopback=self._settings.allow_loopback,
            additional_hosts=self._settings.connectwise_hosts,
        )

    def _autotask(self, address: str, fields: Mapping[str, str]) -> AutotaskBilling:
        from trueup.adapters.autotask.billing import open_autotask

        return open_autotask(
            address,
            fields,
            clock=self._clock,
            allow_loopback=self._settings.allow_loopback,
            time_zone=self._settings.time_zone,
        )

    def _halopsa(self, address: str, fields: Mapping[str, str]) -> HaloPsaBilling:
        from trueup.adapters.halopsa.billing import open_halopsa

        return open_halopsa(
            address,
            fields,
            clock=self._clock,
            allow_loopback=self._settings.allow_loopback,
            additional_hosts=self._settings.halopsa_hosts,
        )


def _not_for(name: IntegrationName, why: str) -> InputInvalid:
    return InputInvalid(f"{name.label} {why}", field="name", remedy="Name an integration that does.")
