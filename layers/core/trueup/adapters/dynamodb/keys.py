"""Every key of the table, on one page; no other file of this room composes one.

Method: the tenant is the first part of every partition key, text from outside is always the last part, so that it can
hold any character without being taken for another key. Must not: know what a record holds.

====================================  ==========================  ==================================================
partition key                         sort key                    record
====================================  ==========================  ==================================================
T#integrations                        NAME                        one connection
T#snapshots#SIDE                      header#ID, latest           one complete read; which one is the newest
T#content#ADDRESS                     part#N                      immutable bytes by their SHA-256 (pages, plan changes)
T#temporary#ADDRESS                   part#N                      the same for what expires
T#accounts                            VENDOR ID                   one vendor account with its mapping
T#license-accounts                    TENANT ID                   one Microsoft 365 tenant with its mapping
T#counting-policies                   current#LENGTHS#PSA#CLIENT  the counting policy that holds for the MSP or a client
T#counting-policies                   past#LENGTHS#PSA#CLIENT#N   one version of it
T#services                            SERVICE ID                  one vendor service with its product
T#allocations                         LENGTHS#PSA#CLIENT#PRODUCT  how seats are divided among several lines
T#runs                                run#ID, started#TIME#ID     one run; runs by time
T#runs                                unfinished                  which run has the one place
T#comparison#PERIOD                   header                      which generation of rows is the one to read
T#comparison#PERIOD                   found#TIME#RUN              what each comparison of the period found
T#rows#GENERATION                     row#N                       one row of a comparison
T#plan#ID                             header                      a plan without its changes and results
T#plan#ID                             result#ROUND#CHANGE         what became of one change
T#plan#ID                             intent#CHANGE               that a change was about to be written
T#plans                               created#TIME#ID             plans by time
T#plans                               current#PERIOD              which plan of a period is the one that counts
T#change-orders                       ID                          one change order
T#open-orders                         LENGTH#ACCOUNT#SERVICE      which order of an account and service is open
T#history                             N                           one event of the chain
T#history-head                        head                        number and hash of the last event
T#sealed                              link#N                      one link of the chain of closed months
T#sealed                              period#PERIOD               whether a period is closed
T#lease#NAME                          lease                       who has it, until when, fencing number
T#upload#NAME                         header                      a file that a person gave to be kept
T#upload#NAME                         part#GENERATION#N           its bytes
T#checkpoint#SIDE#RUN                 checkpoint                  where an unfinished read is
T#idempotency#KEY                     claim                       an API write and its reply
T#api-keys                            KEY ID                      a machine's key, without its secret
T#counter#NAME                        counter                     how often something happened in a window of time
T#notices#PERIOD                      CHANNEL#KIND PERIOD CAUSE   what became of one notice on one channel
T#notice-channels                     CHANNEL                     how a channel for notices is set
T#portal-users                        book                        every portal user, with the last check
====================================  ==========================  ==================================================

Index ``by_status``: ``T#accounts#STATE`` and ``NAME`` with the vendor id, for vendor accounts; the same for tenants.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple

from trueup.domain.errors import ConfigurationInvalid

PARTITION_KEY = "pk"
SORT_KEY = "sk"
INDEX = "by_status"
INDEX_PARTITION_KEY = "gsi1pk"
INDEX_SORT_KEY = "gsi1sk"
EXPIRY = "expires_at_epoch_seconds"

VENDOR_ACCOUNTS = "accounts"
LICENSE_ACCOUNTS = "license-accounts"
"""Where entries of accounts lie: those of the vendor, and those of license counts."""

_LONGEST_TEXT_BYTES = 700
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_UNSAFE = re.compile("[\x00-\x1f\ud800-\udfff\ufffd]")
_BELOW_ANY_TEXT = "\t"


class Key(NamedTuple):
    """Where one record lies."""

    pk: str
    sk: str


class IndexKey(NamedTuple):
    """Where one record lies in the index."""

    pk: str
    sk: str


class Prefix(NamedTuple):
    """All records of a partition whose sort key begins like this."""

    pk: str
    sk: str


class Keys:
    """The keys of one tenant. Raises ConfigurationInvalid for a tenant's name that could be taken for a key's part."""

    def __init__(self, tenant: str) -> None:
        if _TENANT.fullmatch(tenant) is None:
            raise ConfigurationInvalid(
                "the tenant's name may hold letters, digits, dot, hyphen and underscore, 63 at most",
                remedy="Correct the tenant's name in the settings.",
            )
        self._tenant = tenant

    def integration(self, name: str) -> Key:
        return Key(self._of("integrations"), name)

    def snapshot(self, side: str, snapshot_id: str) -> Key:
        return Key(self._of("snapshots", side), f"header#{text(snapshot_id)}")

    def latest_snapshot(self, side: str) -> Key:
        return Key(self._of("snapshots", side), "latest")

    def content_part(self, address: str, number: int) -> Key:
        return Key(self._of("content", address), f"part#{number:06d}")

    def temporary_part(self, address: str, number: int) -> Key:
        return Key(self._of("temporary", address), f"part#{number:06d}")

    def accounts(self, space: str = VENDOR_ACCOUNTS) -> Prefix:
        return Prefix(self._of(space), "")

    def account(self, vendor_id: str, space: str = VENDOR_ACCOUNTS) -> Key:
        return Key(self._of(space), text(vendor_id) or _BELOW_ANY_TEXT)

    def accounts_in_state(self, state: str, space: str = VENDOR_ACCOUNTS) -> Prefix:
        return Prefix(self._of(space, state), "")

    def account_in_state(self, state: str, name: str, vendor_id: str, space: str = VENDOR_ACCOUNTS) -> IndexKey:
        """Ordered by name without regard to case; accounts of one name by id."""
        shown = text(name.casefold(), longest_bytes=_LONGEST_TEXT_BYTES // 2)
        mine = text(vendor_id, longest_bytes=_LONGEST_TEXT_BYTES // 2)
        return IndexKey(self._of(space, state), f"{shown}{_BELOW_ANY_TEXT}{mine}")

    def services(self) -> Prefix:
        return Prefix(self._of("services"), "")

    def service(self, service_id: str) -> Key:
        return Key(self._of("services"), text(service_id) or _BELOW_ANY_TEXT)

    def allocations(self) -> Prefix:
        return Prefix(self._of("allocations"), "")

    def allocation(self, psa_system: str, psa_account_id: str, product_id: str) -> Key:
        """The lengths say where each part ends, because any of them may hold any character."""
        system = text(psa_system, longest_bytes=_LONGEST_TEXT_BYTES // 3)
        client = text(psa_account_id, longest_bytes=_LONGEST_TEXT_BYTES // 3)
        product = text(product_id, longest_bytes=_LONGEST_TEXT_BYTES // 3)
        return Key(self._of("allocations"), f"{len(system)}#{len(client)}#{system}#{client}#{product}")

    def counting_policies(self) -> Prefix:
        return Prefix(self._of("counting-policies"), "current#")

    def counting_policy(self, psa_system: str, client: str) -> Key:
        return Key(self._of("counting-policies"), f"current#{_named(psa_system, client)}")

    def counting_policy_versions(self, psa_system: str, client: str) -> Prefix:
        return Prefix(self._of("counting-policies"), f"past#{_named(psa_system, client)}#")

    def counting_policy_version(self, psa_system: str, client: str, version: int) -> Key:
        return Key(self._of("counting-policies"), f"past#{_named(psa_system, client)}#{version:08d}")

    def run(self, run_id: str) -> Key:
        return Key(self._of("runs"), f"run#{text(run_id)}")

    def runs_by_time(self) -> Prefix:
        return Prefix(self._of("runs"), "started#")

    def run_by_time(self, started_at: datetime, run_id: str) -> Key:
        return Key(self._of("runs"), f"started#{moment(started_at)}#{text(run_id)}")

    def unfinished_run(self) -> Key:
        return Key(self._of("runs"), "unfinished")

    def comparison(self, period: str) -> Key:
        return Key(self._of("comparison", text(period)), "header")

    def comparison_findings(self, period: str) -> Prefix:
        return Prefix(self._of("comparison", text(period)), "found#")

    def comparison_finding(self, period: str, found_at: datetime, run_id: str) -> Key:
        return Key(self._of("comparison", text(period)), f"found#{moment(found_at)}#{text(run_id)}")

    def rows(self, generation: str) -> Prefix:
        return Prefix(self._of("rows", generation), "row#")

    def row(self, generation: str, number: int) -> Key:
        return Key(self._of("rows", generation), f"row#{number:08d}")

    def plan(self, plan_id: str) -> Key:
        return Key(self._of("plan", text(plan_id)), "header")

    def plan_results(self, plan_id: str, round_number: int) -> Prefix:
        return Prefix(self._of("plan", text(plan_id)), f"result#{round_number:06d}#")

    def plan_result(self, plan_id: str, round_number: int, change_id: str) -> Key:
        return Key(self._of("plan", text(plan_id)), f"result#{round_number:06d}#{text(change_id)}")

    def plan_intents(self, plan_id: str) -> Prefix:
        return Prefix(self._of("plan", text(plan_id)), "intent#")

    def plan_intent(self, plan_id: str, change_id: str) -> Key:
        return Key(self._of("plan", text(plan_id)), f"intent#{text(change_id)}")

    def plans_by_time(self) -> Prefix:
        return Prefix(self._of("plans"), "created#")

    def plan_by_time(self, created_at: datetime, plan_id: str) -> Key:
        return Key(self._of("plans"), f"created#{moment(created_at)}#{text(plan_id)}")

    def current_plan(self, period: str) -> Key:
        return Key(self._of("plans"), f"current#{text(period)}")

    def change_orders(self, period: str | None) -> Prefix:
        """Of one month, whose name the ids begin with, or all."""
        return Prefix(self._of("change-orders"), "" if period is None else f"order-{text(period)}-")

    def change_order(self, order_id: str) -> Key:
        return Key(self._of("change-orders"), text(order_id) or _BELOW_ANY_TEXT)

    def open_orders(self) -> Prefix:
        return Prefix(self._of("open-orders"), "")

    def open_order(self, vendor_id: str, service_id: str) -> Key:
        """The length says where the account ends, because both may hold any character."""
        account = text(vendor_id, longest_bytes=_LONGEST_TEXT_BYTES // 2)
        service = text(service_id, longest_bytes=_LONGEST_TEXT_BYTES // 2)
        return Key(self._of("open-orders"), f"{len(account)}#{account}#{service}")

    def history(self) -> Prefix:
        return Prefix(self._of("history"), "")

    def event(self, number: int) -> Key:
        return Key(self._of("history"), f"{number:012d}")

    def history_head(self) -> Key:
        return Key(self._of("history-head"), "head")

    def sealed_links(self) -> Prefix:
        return Prefix(self._of("sealed"), "link#")

    def sealed_link(self, number: int) -> Key:
        return Key(self._of("sealed"), f"link#{number:06d}")

    def sealed_period(self, period: str) -> Key:
        return Key(self._of("sealed"), f"period#{text(period)}")

    def lease(self, name: str) -> Key:
        return Key(self._of("lease", text(name)), "lease")

    def upload(self, name: str) -> Key:
        return Key(self._of("upload", text(name)), "header")

    def upload_parts(self, name: str) -> Prefix:
        return Prefix(self._of("upload", text(name)), "part#")

    def upload_part(self, name: str, generation: str, number: int) -> Key:
        return Key(self._of("upload", text(name)), f"part#{generation}#{number:06d}")

    def checkpoint(self, side: str, run_id: str) -> Key:
        return Key(self._of("checkpoint", side, text(run_id)), "checkpoint")

    def claim(self, key: str) -> Key:
        return Key(self._of("idempotency", text(key)), "claim")

    def api_keys(self) -> Prefix:
        return Prefix(self._of("api-keys"), "")

    def api_key(self, key_id: str) -> Key:
        return Key(self._of("api-keys"), text(key_id) or _BELOW_ANY_TEXT)

    def counter(self, name: str) -> Key:
        return Key(self._of("counter", text(name)), "counter")

    def notices(self, period: str) -> Prefix:
        return Prefix(self._of("notices", text(period)), "")

    def notice(self, period: str, channel: str, notice_key: str) -> Key:
        return Key(self._of("notices", text(period)), f"{channel}#{text(notice_key)}")

    def notice_channel(self, channel: str) -> Key:
        return Key(self._of("notice-channels"), channel)

    def portal_users(self) -> Key:
        return Key(self._of("portal-users"), "book")

    def _of(self, *parts: str) -> str:
        return "#".join((self._tenant, *parts))


def _named(psa_system: str, client: str) -> str:
    """A client of a PSA as one text; the lengths say where each part ends, because both may hold any character."""
    system = text(psa_system, longest_bytes=_LONGEST_TEXT_BYTES // 3)
    one = text(client, longest_bytes=_LONGEST_TEXT_BYTES // 3)
    return f"{len(system)}#{len(one)}#{system}#{one}"


def moment(at: datetime) -> str:
    """A time that sorts as text: always UTC, always six digits of microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def text(value: str, *, longest_bytes: int = _LONGEST_TEXT_BYTES) -> str:
    """Outside text as a key can hold it: one form for each value, in the value's own order.

    Control characters and lone surrogates, which UTF-8 cannot carry or tools misread, become a mark and four hex
    digits. What is longer than a key may be is cut and ends in the SHA-256 of the whole.
    """
    safe = _UNSAFE.sub(lambda found: f"\ufffd{ord(found.group()):04x}", value)
    encoded = safe.encode()
    if len(encoded) <= longest_bytes:
        return safe
    digest = hashlib.sha256(encoded).hexdigest()
    head = encoded[: longest_bytes - len(digest)].decode("utf-8", errors="ignore")
    return f"{head}{digest}"
