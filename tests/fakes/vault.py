"""The vault in memory, held to the same contract suite as the real ones. For use-case tests."""

from __future__ import annotations

from collections.abc import Mapping

from trueup.domain.errors import NotConnected


class FakeVault:
    """Implements the Vault port. Set ``error`` to have every call raise it; ``calls`` holds no secret."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.calls: list[str] = []
        self._kept: dict[str, tuple[str, dict[str, str]]] = {}

    def put(self, name: str, *, host: str, fields: Mapping[str, str]) -> None:
        self._meet(f"put {name}")
        self._kept[name] = host, dict(fields)

    def get(self, name: str, *, host: str) -> Mapping[str, str]:
        self._meet(f"get {name}")
        if name not in self._kept:
            raise NotConnected(f"there is no credential for {name}")
        saved_host, fields = self._kept[name]
        if saved_host != host:
            raise NotConnected(f"the credential for {name} was saved for another address")
        return dict(fields)

    def delete(self, name: str) -> None:
        self._meet(f"delete {name}")
        self._kept.pop(name, None)

    def _meet(self, call: str) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error
