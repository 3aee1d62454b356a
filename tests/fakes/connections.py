"""Opening systems that are in memory, behind the Connections port.

An address is a host name, optionally written as an https address; only the hosts that were given may be called. Each
open is remembered without the credential's values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from trueup.domain.errors import CredentialRejected, InputInvalid, UnsafeAddress
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.uploads import Upload
from trueup.ports.psa import PsaBilling
from trueup.ports.vendor import VendorBilling

VENDOR_HOST = "https://api.vendor.example"
PSA_HOST = "https://api.psa.example"


@dataclass(slots=True)
class FakeConnections:
    """Implements Connections.

    ``accepted_secret`` is the one secret that both systems accept; None accepts any. ``opened`` lists what was opened
    where, ``customer_files`` what files came with it. A customer file of the fakes holds one customer a line; a line
    "bad" is one.
    """

    vendor_system: VendorBilling
    psa_system: PsaBilling
    hosts: Collection[str] = (VENDOR_HOST, PSA_HOST)
    accepted_secret: str | None = None
    opened: list[tuple[str, str]] = field(default_factory=list)
    customer_files: list[Upload | None] = field(default_factory=list)

    def address(self, name: IntegrationName, text: str) -> str:
        host = text.strip().rstrip("/")
        if host not in self.hosts:
            raise UnsafeAddress(f"{name} may not be called at this address")
        return host

    def vendor(
        self, name: IntegrationName, address: str, fields: Mapping[str, str], *, customer_file: Upload | None = None
    ) -> VendorBilling:
        self.customer_files.append(customer_file)
        self._enter(name, address, fields.get("client_secret", ""))
        return self.vendor_system

    def customer_file_rows(self, name: IntegrationName, content: bytes) -> int:
        if name.side is not Side.VENDOR:
            raise InputInvalid(f"{name} takes no customer file", field="name")
        lines = content.splitlines()
        if not lines or b"bad" in lines:
            raise InputInvalid("the customer file has bad rows", field="customer_file")
        return len(lines)

    def psa(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaBilling:
        self._enter(name, address, fields.get("private_key", ""))
        return self.psa_system

    def _enter(self, name: IntegrationName, address: str, secret: str) -> None:
        self.opened.append((name.value, address))
        if self.accepted_secret is not None and secret != self.accepted_secret:
            raise CredentialRejected("the credential is not accepted", integration=name.value, status=401)
