"""The requests session that the HTTP room uses: nothing of the machine's, and a deadline for reply headers.

Method: the session's own switches, and connection classes whose header phase is ended by a timer. It must not decide
about retries or read bodies.
"""

from __future__ import annotations

import logging
import socket
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

logger = logging.getLogger(__name__)


def has_cause(error: BaseException, *kinds: type[BaseException]) -> bool:
    """Whether one of ``kinds`` is among the errors that the HTTP libraries wrapped into ``error``."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        if isinstance(current, kinds):
            return True
        seen.add(id(current))
        waiting += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
    return False


class _HeaderDeadline:
    """Ends a connection whose reply headers do not arrive in time.

    The socket's own timeout counts from one byte to the next, so a server that sends one byte now and then could hold a
    call for ever; a timer shuts the socket down instead.
    """

    header_seconds: float = 60.0
    sock: Any

    def getresponse(self) -> Any:
        late = threading.Event()
        connection = self.sock

        def end() -> None:
            late.set()
            try:
                # The plain socket's method: the TLS object's own would drop its state under the reading thread.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                logger.debug("a connection was already closed when its deadline came")

        timer = threading.Timer(self.header_seconds, end)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()  # type: ignore[misc]
        finally:
            timer.cancel()
        if late.is_set():
            response.close()
            raise TimeoutError("the reply headers came too slowly")
        return response


class _BoundedAdapter(HTTPAdapter):
    """The requests transport with the header deadline on each of its connections."""

    def __init__(self, header_seconds: float, parallel: int) -> None:
        self._header_seconds = header_seconds
        super().__init__(pool_connections=1, pool_maxsize=parallel, max_retries=0)

    def close(self) -> None:
        """Close the idle connections now; the library leaves that to the garbage collector."""
        pools = self.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 - the container cannot be iterated itself
            pool = pools.get(key)
            if pool is not None:
                pool.close()
        super().close()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        facts = {"header_seconds": self._header_seconds}
        plain = type("_PlainConnection", (_HeaderDeadline, HTTPConnection), facts)
        secure = type("_SecureConnection", (_HeaderDeadline, HTTPSConnection), facts)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_PlainPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_SecurePool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


def bare_session(header_seconds: float, parallel: int) -> requests.Session:
    """A session that takes nothing from the machine: no proxies, no netrc, no cookies. Shared by threads."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _BoundedAdapter(header_seconds, parallel)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
