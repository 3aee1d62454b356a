"""What a person may say about a read from the command line: that a much shorter list is right, and which list to use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.command_line import Machine, machine


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
