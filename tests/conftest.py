"""Rules for every test: no way out of this machine, no real AWS account, no leftovers of the caller's environment.

Method: the process environment is cleaned before anything is imported; sockets may reach loopback only.
Must not: hold fixtures of one room. Those live in that room's own conftest.
"""

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

for _name in [name for name in os.environ if name.startswith(("TRUEUP_", "AWS_", "POWERTOOLS_"))]:
    # The one setting a caller may give: a DynamoDB endpoint that takes the place of the embedded store.
    if _name != "AWS_ENDPOINT_URL_DYNAMODB":
        del os.environ[_name]
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="eu-west-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
)

# The same examples on every run, so that a red build is a change's fault. HYPOTHESIS_PROFILE=explore looks further.
hypothesis.settings.register_profile("trueup", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2_000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "trueup"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: of two processes, neither is left alone at the end with a test that takes minutes."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


class ReachedTheNetwork(AssertionError):
    """A test tried to leave this machine."""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Refuse connections and name look-ups that would leave 127.0.0.1; `.invalid` names fail as they do in DNS."""
    real_connect, real_connect_ex, real_getaddrinfo = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def check(connection: socket.socket, address: Any) -> None:
        if connection.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise ReachedTheNetwork(f"a test tried to connect to {address[0]!r}; start a server on 127.0.0.1 instead")

    def connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        real_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return real_connect_ex(self, address)

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name == "" or _is_loopback(name):
            return real_getaddrinfo(host, *arguments, **named)
        if name.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise ReachedTheNetwork(f"a test tried to look up {name!r}; use 127.0.0.1 or a .invalid name") from None
        return real_getaddrinfo(host, *arguments, **named)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", connect)
    patch.setattr(socket.socket, "connect_ex", connect_ex)
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()
