"""What every vault must do, and what each kind must do beside it. Secrets in here are made up."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from tests.fakes.clock import FakeClock
from tests.fakes.vault import FakeVault
from trueup.adapters.file_vault import FileVault
from trueup.adapters.secretsmanager import SecretsManagerVault
from trueup.domain.errors import (
    ConfigurationInvalid,
    InputInvalid,
    NotConnected,
    StateUnavailable,
    TrueupError,
)
from trueup.ports.vault import Vault

HOST = "api.services.mimecast.com"
SECRET = 's3cr3t-\u00fc-"quoted"-\'\n-0123456789'
FIELDS = {"client_id": "abc", "client_secret": SECRET}
PREFIX = "trueup/example/"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def secrets_client() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-west-1")


@pytest.fixture(params=["fake", "file", "secrets manager", "secrets manager, made by the stack"])
def make_vault(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, secrets_client: Any
) -> Callable[[], Vault]:
    """Opens the same vault again and again, as other processes would."""
    fake = FakeVault()
    if request.param.endswith("made by the stack"):
        for name in ("mimecast", "connectwise"):
            secrets_client.create_secret(Name=PREFIX + name)
    makers: dict[str, Callable[[], Vault]] = {
        "fake": lambda: fake,
        "file": lambda: FileVault(tmp_path / "vault"),
        "secrets": lambda: SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock),
    }
    return makers[request.param.split()[0]]


def test_gives_back_exactly_what_was_stored(make_vault: Callable[[], Vault]) -> None:
    make_vault().put("mimecast", host=HOST, fields=FIELDS)
    assert make_vault().get("mimecast", host=HOST) == FIELDS


def test_storing_again_replaces_everything(make_vault: Callable[[], Vault]) -> None:
    vault = make_vault()
    vault.put("mimecast", host=HOST, fields=FIELDS)
    assert vault.get("mimecast", host=HOST) == FIELDS
    vault.put("mimecast", host="eu-api.mimecast.com", fields={"client_id": "other"})
    assert vault.get("mimecast", host="eu-api.mimecast.com") == {"client_id": "other"}
    with pytest.raises(NotConnected):
        vault.get("mimecast", host=HOST)


def test_nothing_stored_is_not_connected(make_vault: Callable[[], Vault]) -> None:
    with pytest.raises(NotConnected):
        make_vault().get("mimecast", host=HOST)


def test_a_secret_is_tied_to_its_host(make_vault: Callable[[], Vault]) -> None:
    vault = make_vault()
    vault.put("mimecast", host=HOST, fields=FIELDS)
    with pytest.raises(NotConnected):
        vault.get("mimecast", host="evil.example")
    assert vault.get("mimecast", host=HOST) == FIELDS


def test_deleting_forgets_and_may_be_repeated(make_vault: Callable[[], Vault]) -> None:
    vault = make_vault()
    vault.delete("mimecast")
    vault.put("mimecast", host=HOST, fields=FIELDS)
    assert vault.get("mimecast", host=HOST) == FIELDS
    vault.delete("mimecast")
    vault.delete("mimecast")
    for opened in (vault, make_vault()):
        with pytest.raises(NotConnected):
            opened.get("mimecast", host=HOST)
    vault.put("mimecast", host=HOST, fields=FIELDS)
    assert vault.get("mimecast", host=HOST) == FIELDS


def test_integrations_are_apart(make_vault: Callable[[], Vault]) -> None:
    vault = make_vault()
    vault.put("mimecast", host=HOST, fields=FIELDS)
    vault.put("connectwise", host="api-na.myconnectwise.net", fields={"private_key": "k"})
    vault.delete("mimecast")
    assert vault.get("connectwise", host="api-na.myconnectwise.net") == {"private_key": "k"}


def test_what_is_given_out_is_a_copy(make_vault: Callable[[], Vault]) -> None:
    vault = make_vault()
    vault.put("mimecast", host=HOST, fields=FIELDS)
    given = dict(vault.get("mimecast", host=HOST))
    given["client_secret"] = "changed"
    assert vault.get("mimecast", host=HOST) == FIELDS


def test_no_secret_is_shown(make_vault: Callable[[], Vault]) -> None:
    vault = make_vault()
    vault.put("mimecast", host=HOST, fields=FIELDS)
    vault.get("mimecast", host=HOST)
    with pytest.raises(NotConnected) as refused:
        vault.get("mimecast", host="evil.example")
    shown = f"{vault!r} {vault} {refused.value!r} {refused.value.message} {refused.value.details()}"
    assert "s3cr3t" not in shown
    assert "0123456789" not in shown


class TestFileVault:
    def test_file_and_folder_are_private(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            FileVault(tmp_path / "vault").put("mimecast", host=HOST, fields=FIELDS)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o700
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "vault").iterdir()}
        assert modes == {"mimecast.json": 0o600, ".lock": 0o600}

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    def test_a_file_that_others_can_read_is_refused_with_the_fix(self, tmp_path: Path, mode: int) -> None:
        vault = FileVault(tmp_path / "vault")
        vault.put("mimecast", host=HOST, fields=FIELDS)
        path = tmp_path / "vault" / "mimecast.json"
        path.chmod(mode)
        with pytest.raises(ConfigurationInvalid) as refused:
            vault.get("mimecast", host=HOST)
        assert f"chmod 600 '{path}'" in refused.value.remedy
        path.chmod(0o600)
        assert vault.get("mimecast", host=HOST) == FIELDS

    def test_a_folder_that_others_can_enter_is_refused_with_the_fix(self, tmp_path: Path) -> None:
        vault = FileVault(tmp_path / "vault")
        vault.put("mimecast", host=HOST, fields=FIELDS)
        (tmp_path / "vault").chmod(0o755)
        for act in (
            lambda: vault.get("mimecast", host=HOST),
            lambda: vault.put("mimecast", host=HOST, fields=FIELDS),
        ):
            with pytest.raises(ConfigurationInvalid) as refused:
                act()
            assert "chmod 700" in refused.value.remedy

    @pytest.mark.parametrize("name", ["../mimecast", "a/b", "", ".", "..", "/etc/passwd", "a\0b", "Mimecast", "a" * 64])
    def test_a_name_cannot_leave_the_folder(self, tmp_path: Path, name: str) -> None:
        vault = FileVault(tmp_path / "vault")
        for act in (
            lambda: vault.put(name, host=HOST, fields=FIELDS),
            lambda: vault.get(name, host=HOST),
            lambda: vault.delete(name),
        ):
            with pytest.raises(InputInvalid):
                act()
        assert list(tmp_path.iterdir()) == []

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        vault = FileVault(tmp_path / "vault")
        vault.put("connectwise", host=HOST, fields=FIELDS)
        elsewhere = tmp_path / "elsewhere.json"
        elsewhere.write_text(json.dumps({"host": HOST, "fields": FIELDS}))
        elsewhere.chmod(0o600)
        (tmp_path / "vault" / "mimecast.json").symlink_to(elsewhere)
        with pytest.raises(ConfigurationInvalid):
            vault.get("mimecast", host=HOST)

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b'{"host": 1, "fields": {}}', b'{"host": "h", "fields": {"a": 1}}']
    )
    def test_a_damaged_file_is_told_without_its_content(self, tmp_path: Path, content: bytes) -> None:
        vault = FileVault(tmp_path / "vault")
        vault.put("mimecast", host=HOST, fields=FIELDS)
        (tmp_path / "vault" / "mimecast.json").write_bytes(content)
        with pytest.raises(ConfigurationInvalid, match="damaged"):
            vault.get("mimecast", host=HOST)

    def test_a_crash_while_writing_leaves_the_old_credential(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vault = FileVault(tmp_path / "vault")
        vault.put("mimecast", host=HOST, fields=FIELDS)

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StateUnavailable, match="No space left"):
            vault.put("mimecast", host=HOST, fields={"client_id": "new"})
        monkeypatch.undo()
        assert vault.get("mimecast", host=HOST) == FIELDS
        vault.put("mimecast", host=HOST, fields={"client_id": "new"})
        assert sorted(path.name for path in (tmp_path / "vault").iterdir()) == [".lock", "mimecast.json"]


class TestSecretsManagerVault:
    @pytest.mark.fault("S9")
    def test_S9_nothing_of_a_secret_is_in_the_log_at_its_most_talkative(
        self, secrets_client: Any, clock: FakeClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        vault = SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock)
        canary = "canary-5f0e7b1c"
        vault.put("mimecast", host=HOST, fields={"client_secret": canary})
        assert SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock).get("mimecast", host=HOST)
        assert canary not in caplog.text

    def test_reads_once_in_five_minutes(self, secrets_client: Any, clock: FakeClock) -> None:
        vault = SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock)
        vault.put("mimecast", host=HOST, fields=FIELDS)
        vault.get("mimecast", host=HOST)
        other = SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock)
        other.put("mimecast", host=HOST, fields={"client_id": "rotated"})
        clock.advance(299)
        assert vault.get("mimecast", host=HOST) == FIELDS
        clock.advance(1)
        assert vault.get("mimecast", host=HOST) == {"client_id": "rotated"}

    def test_a_new_host_is_seen_at_once(self, secrets_client: Any, clock: FakeClock) -> None:
        vault = SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock)
        vault.put("mimecast", host=HOST, fields=FIELDS)
        vault.get("mimecast", host=HOST)
        other = SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock)
        other.put("mimecast", host="eu.example", fields={"client_id": "new"})
        assert vault.get("mimecast", host="eu.example") == {"client_id": "new"}

    def test_may_not_keep_secrets_for_longer_than_five_minutes(self, secrets_client: Any, clock: FakeClock) -> None:
        with pytest.raises(ConfigurationInvalid):
            SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock, cache_seconds=301)

    def test_deleting_leaves_no_version_that_can_be_read(self, secrets_client: Any, clock: FakeClock) -> None:
        vault = SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock)
        vault.put("mimecast", host=HOST, fields=FIELDS)
        vault.delete("mimecast")
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            kept = secrets_client.get_secret_value(SecretId=f"{PREFIX}mimecast", VersionStage=stage)["SecretString"]
            assert "s3cr3t" not in kept
        assert "DeletedDate" not in secrets_client.describe_secret(SecretId=f"{PREFIX}mimecast")

    def test_a_secret_that_the_stack_made_without_a_value_holds_nothing(self, clock: FakeClock) -> None:
        client = boto3.client("secretsmanager", region_name="eu-west-1")
        vault = SecretsManagerVault(client, prefix=PREFIX, clock=clock)
        with Stubber(client) as stub:
            stub.add_response("get_secret_value", {})
            with pytest.raises(NotConnected):
                vault.get("mimecast", host=HOST)

    def test_a_secret_somebody_else_wrote_is_told(self, secrets_client: Any, clock: FakeClock) -> None:
        vault = SecretsManagerVault(secrets_client, prefix=PREFIX, clock=clock)
        for content in ("plain words", "[1]", '{"fields": {"a": 1}}'):
            secrets_client.create_secret(Name=f"{PREFIX}mimecast", SecretString=content)
            with pytest.raises(ConfigurationInvalid):
                vault.get("mimecast", host=HOST)
            secrets_client.delete_secret(SecretId=f"{PREFIX}mimecast", ForceDeleteWithoutRecovery=True)

    @pytest.mark.fault("A21")
    @pytest.mark.parametrize(
        ("code", "message", "expected"),
        [
            ("AccessDeniedException", "User is not authorized", ConfigurationInvalid),
            ("AccessDeniedException", "Access to KMS is not allowed", StateUnavailable),
            ("DecryptionFailure", "cannot decrypt", StateUnavailable),
            ("InternalServiceError", "oops", StateUnavailable),
            ("InvalidRequestException", "scheduled for deletion", ConfigurationInvalid),
        ],
    )
    def test_A21_key_disabled_or_access_denied_is_a_clear_error(
        self, clock: FakeClock, code: str, message: str, expected: type[TrueupError]
    ) -> None:
        client = boto3.client("secretsmanager", region_name="eu-west-1")
        vault = SecretsManagerVault(client, prefix=PREFIX, clock=clock)
        with Stubber(client) as stub:
            stub.add_client_error("get_secret_value", code, message)
            stub.add_client_error("put_secret_value", code, message)
            with pytest.raises(expected) as on_read:
                vault.get("mimecast", host=HOST)
            with pytest.raises(expected) as on_write:
                vault.put("mimecast", host=HOST, fields=FIELDS)
        for refused in (on_read.value, on_write.value):
            assert type(refused) is expected
            assert refused.remedy
            assert "s3cr3t" not in repr(refused) + refused.message
            assert refused.__cause__ is None

    def test_a_request_the_library_refuses_does_not_carry_the_secret(self, clock: FakeClock) -> None:
        client = boto3.client("secretsmanager", region_name="eu-west-1")
        vault = SecretsManagerVault(client, prefix="\u00e4" * 3000, clock=clock)
        with Stubber(client), pytest.raises(TrueupError) as refused:
            vault.put("mimecast", host=HOST, fields=FIELDS)
        assert "s3cr3t" not in repr(refused.value)
