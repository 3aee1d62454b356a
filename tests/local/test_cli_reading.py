"""What a person may say about a read on the command line: that a much shorter list is right, and which list to use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.command_line import Machine, machine

CUSTOMERS = "/partner/v1/customers"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Machine]:
    """A connected machine that has read six clients."""
    with machine(tmp_path / "home", clients=6) as ready:
        for words in (ready.connect_mimecast, ready.connect_connectwise, ["sync"]):
            assert ready(*words).code == 0
        yield ready


def test_a_much_shorter_list_is_refused_until_a_person_accepts_it(there: Machine) -> None:
    for code in sorted(there.world.accounts)[2:]:
        del there.world.accounts[code]
    refused = there("sync", "--json")
    assert (refused.code, refused.document["code"]) == (1, "read_incomplete")
    assert "--accept-drop" in refused.document["remedy"]
    accepted = there("sync", "--accept-drop", "--json")
    assert accepted.code == 0, accepted.err
    assert accepted.document["run"]["accept_drop"] is True
    assert accepted.document["run"]["sides"][0]["accounts"] == 2
    assert there("sync", "--json").document["run"]["accept_drop"] is False


def customer_file(there: Machine, folder: Path, clients: int, *more: str) -> str:
    """What the portal exports of the first clients, with further lines; its path."""
    accounts = sorted(there.world.accounts.items())[:clients]
    lines = ["Account Code,Account Name", *(f"{code},{account.name}" for code, account in accounts), *more]
    path = folder / "customers.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def list_refused(there: Machine) -> None:
    """From now on the credential may not list the partner's customers."""
    there.mimecast.faults.add("status", path=CUSTOMERS, status=403, times=0)


def history(there: Machine) -> list[str]:
    return [event["action"] for event in there("history", "--limit", "500", "--json").document["items"]]


def test_a_customer_file_is_kept_used_again_and_forgotten(there: Machine, tmp_path: Path) -> None:
    list_refused(there)
    assert there("sync", "--json").document["code"] == "permission_missing"
    given = there("sync", "--customers", customer_file(there, tmp_path, 6), "--json")
    assert given.code == 0, given.err
    assert "The customer file (6 customers) is kept" in given.err
    used = given.document["accounts_as_of"]
    assert used is not None
    (tmp_path / "customers.csv").unlink()
    again = there("sync", "--json")
    assert (again.code, again.document["accounts_as_of"]) == (0, used), "it is used without being told"
    assert "the list is from a file given 20" in " ".join(there("sync").out.split())
    assert " ".join(there("run").out.split()).count("the list is from a file given 20") == 1
    forgotten = there("sync", "--no-customers", "--json")
    assert (forgotten.code, forgotten.document["code"]) == (1, "permission_missing")
    assert "The customer file is forgotten." in forgotten.err
    acts = [act for act in history(there) if act.startswith("customer file")]
    assert acts == ["customer file forgotten", "customer file kept"]


def test_a_list_that_can_be_read_is_used_and_the_file_only_kept(there: Machine, tmp_path: Path) -> None:
    given = there("sync", "--customers", customer_file(there, tmp_path, 2), "--json")
    assert given.code == 0, given.err
    assert given.document["accounts_as_of"] is None
    assert given.document["accounts"]["all"] == 6


def test_every_bad_row_is_told_and_the_file_before_stays(there: Machine, tmp_path: Path) -> None:
    list_refused(there)
    assert there("sync", "--customers", customer_file(there, tmp_path, 6)).code == 0
    before = there.stored()
    bad = customer_file(there, tmp_path, 3, "no name here,", ",no code here")
    for command in ("sync", "run"):
        refused = there(command, "--customers", bad, "--json")
        assert refused.code == 64
        assert "line 5: " in refused.err
        assert "line 6: no account code" in refused.err
        assert there.stored() == before
    assert there("sync", "--json").document["run"]["sides"][0]["accounts"] == 6


def test_forgetting_a_file_that_was_never_given_is_no_error(there: Machine) -> None:
    done = there("sync", "--no-customers", "--json")
    assert done.code == 0
    assert "There was no customer file." in done.err
    assert "customer file forgotten" not in history(there)
