"""The mapping file as people edit it: what they filled in counts, what an export merely says does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trueup.api.spreadsheets import mappings_csv, read_mappings
from trueup.domain.accounts import AccountState, VendorAccountId
from trueup.domain.errors import InputInvalid
from trueup.domain.mapping import AccountEntry, Decision, MappingState
from trueup.domain.matching import MatchRule
from trueup.usecases.mapping_import import MappingRow

TAKEN_BACK = Decision("ann", datetime(2026, 9, 1, tzinfo=UTC), MatchRule.PERSON, "taken back", "P1")
OPEN_ENTRIES = [
    AccountEntry(VendorAccountId("V1"), "Acme", AccountState.ACTIVE, MappingState.UNMAPPED, decision=TAKEN_BACK),
    AccountEntry(VendorAccountId("V2"), "Birch", AccountState.ACTIVE, MappingState.AMBIGUOUS, ambiguity="two of them"),
]


def _filled_in(exported: str, vendor_id: str, *, psa_id: str = "", reason: str = "") -> bytes:
    """The export with a client or a reason typed into one row; its mapping column is left as it was."""
    lines = []
    for line in exported.splitlines():
        cells = line.split(",")
        if cells[0] == vendor_id:
            cells[2], cells[5] = psa_id, reason
        lines.append(",".join(cells))
    return "\n".join(lines).encode()


def test_an_export_in_which_nothing_was_filled_in_decides_nothing() -> None:
    with pytest.raises(InputInvalid, match="no decision"):
        read_mappings(mappings_csv(OPEN_ENTRIES).encode())


@pytest.mark.parametrize("vendor_id", ["V1", "V2"])
def test_a_client_typed_into_an_open_row_of_an_export_is_taken(vendor_id: str) -> None:
    (row,) = read_mappings(_filled_in(mappings_csv(OPEN_ENTRIES), vendor_id, psa_id="P7"))
    assert (row.vendor_id, row.psa_id, row.reason) == (vendor_id, "P7", "")


def test_a_reason_typed_into_an_open_row_of_an_export_excludes() -> None:
    (row,) = read_mappings(_filled_in(mappings_csv(OPEN_ENTRIES), "V2", reason="our own account"))
    assert (row.vendor_id, row.psa_id, row.reason) == ("V2", "", "our own account")


@pytest.mark.parametrize(
    "first_line",
    ["vendor_account_id,psa_account_id", "vendor_id,psa_id", "Vendor ID,PSA ID", "Vendor-Account-ID,psa_id"],
)
def test_the_columns_may_be_called_as_on_the_command_line(first_line: str) -> None:
    assert read_mappings(f"{first_line}\nV1,250\n".encode()) == [MappingRow(2, "V1", "250", "")]


def test_a_column_that_comes_under_both_names_is_read_under_its_own() -> None:
    content = b"vendor_id,vendor_account_id,psa_account_id\nX,V1,250\n"
    assert read_mappings(content) == [MappingRow(2, "V1", "250", "")]
