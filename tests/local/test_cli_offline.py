"""A whole month with no API at all: files in, the comparison and what to enter out; and one PSA changed for another."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cli.home import environment_of
from local.embedded_store import ENDPOINT_VARIABLE, running_store
from local.simulators import ConnectWiseSimulator, World, scaled_world
from tests.adapters.files.files_given import ACCOUNTS, COUNTS, LINES
from tests.local.command_line import Machine, Said, machine, month_until_mapped, said

PRODUCT = "MIME-EMAIL"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Laptop:
    """A home with files beside it, and nothing to call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"

    def __call__(self, *words: str) -> Said:
        return said(*words, TRUEUP_HOME=str(self.home))

    def ok(self, *words: str, code: int = 0) -> Said:
        done = self(*words)
        assert done.code == code, f"{words}: {done.err}{done.out}"
        return done

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def give(self, kind: str, content: bytes) -> Said:
        return self.ok("import", kind, self.file(f"{kind}.csv", content), "--yes")


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    there = Laptop(tmp_path)
    with environment_of({ENDPOINT_VARIABLE: ""}), running_store(there.home):
        yield there


def test_a_month_with_files_only(laptop: Laptop) -> None:
    """From the exports of a portal and a PSA to the list of what to enter by hand, and to the next export in line."""
    refused = laptop("import", "accounts", laptop.file("accounts.csv", ACCOUNTS))
    assert refused.code == 1
    assert 'account code from "Account Code"' in refused.err
    for kind, content in (("accounts", ACCOUNTS), ("counts", COUNTS), ("lines", LINES)):
        laptop.give(kind, content)
    for name in ("vendor_files", "psa_files"):
        assert "given" in laptop.ok("connect", name).out
    synced = laptop.ok("sync", "--json").document
    assert synced["accounts"] == {"all": 3, "mapped": 2, "excluded": 0, "ambiguous": 0, "unmapped": 1}
    assert [item["product_code"] for item in laptop.ok("products", "mime", "--json").document["items"]] == [PRODUCT]
    laptop.ok("map", "service", "Email Security S1", PRODUCT)
    laptop.ok("map", "exclude-service", "Awareness Training", "--reason", "not billed to clients")
    laptop.ok("finish")

    found = laptop.ok("run", "--json", code=2).document
    assert found["complete"] is True
    verdicts = {row["psa_account_name"] or row["vendor_account_name"]: row["verdict"] for row in found["rows"]}
    assert verdicts == {
        "Alder Dental Group": "bill_more",
        "Birch & Rowe, LLP": "in_line",
        "Dovetail Ltd": "not_sold",
        "Cedar Freight Ltd": "unmapped",
    }
    more = next(row for row in found["rows"] if row["verdict"] == "bill_more")
    assert (more["counts"]["agreement"]["seats"], more["counts"]["billed"]["seats"]) == (46, 44)
    assert more["counts"]["agreement"]["basis"] == "manual_file"
    assert (more["monthly_money"], more["currency"]) == ("8.50", "USD")

    told = " ".join(laptop.ok("run", code=2).out.split())
    assert "enter these quantities in the PSA by hand" in told
    assert "trueup plan approve" not in told
    assert told.count("the list is from a file given 20") == 2
    by_hand = laptop.ok("plan", "approve", found["plan"]["id"], "--checksum", found["plan"]["checksum"], "--json")
    refused_all = laptop("plan", "apply", by_hand.document["id"], "--checksum", by_hand.document["checksum"], "--json")
    assert refused_all.code == 1
    (outcome,) = refused_all.document["results"]
    assert outcome["outcome"] == "rejected"
    assert "enter it in the PSA by hand (44 -> 46)" in outcome["reason"]

    result = laptop.folder / "result.csv"
    laptop.ok("export", "result", str(result))
    with result.open(encoding="utf-8", newline="") as file:
        rows = {row["client"]: row for row in csv.DictReader(file)}
    assert rows["Alder Dental Group"]["what_to_do"] == "set the quantity to 46 (it is 44)"
    assert (rows["Alder Dental Group"]["difference"], rows["Alder Dental Group"]["verdict"]) == ("2", "bill more")
    assert rows["Birch & Rowe, LLP"]["what_to_do"] == "nothing"
    assert rows["Cedar Freight Ltd"]["billed"] == ""

    corrected = LINES.replace(b"44.00", b"46.00")
    again = laptop.ok("import", "lines", laptop.file("lines.csv", corrected))
    assert "3 rows were taken" in again.out, "the columns are remembered, so nothing is asked"
    after = laptop.ok("run", "--json", code=2).document
    assert "bill_more" not in {row["verdict"] for row in after["rows"]}
    assert after["plan"]["changes"] == []
    assert laptop.ok("verify", "--json").document["holds"] is True


def test_one_bad_row_and_nothing_is_taken(laptop: Laptop) -> None:
    laptop.give("lines", LINES)
    bad = laptop("import", "lines", laptop.file("lines.csv", LINES + b"Elm Co,Managed,MIME-EMAIL,x,many,$1\n"), "--yes")
    assert bad.code == 64
    assert "line 5: column 'Quantity' is not a number" in bad.err
    listed = {item["kind"]: item for item in laptop.ok("files", "--json").document["items"]}
    assert (listed["lines"]["rows"], listed["lines"]["is_old"]) == (3, False)
    assert "are kept" not in bad.out
    laptop.ok("forget-file", "lines")
    assert laptop("connect", "psa_files").code == 1


def test_columns_are_named_once(laptop: Laptop) -> None:
    content = b"Mandant;Anzahl\nA1;5\n"
    missing = laptop("import", "counts", laptop.file("counts.csv", content), "--yes")
    assert missing.code == 64
    assert "no column for: account code, seats" in missing.err
    laptop.ok("import", "counts", laptop.file("counts.csv", content), "--column", "account_id=Mandant", "--column",
              "seats=Anzahl", "--yes")  # fmt: skip
    assert laptop.ok("import", "counts", laptop.file("counts.csv", content.replace(b"5", b"6")), "--json").document[
        "columns"
    ] == {"account_id": "Mandant", "seats": "Anzahl"}


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 1), ("", 1)])
def test_a_person_at_a_terminal_is_shown_the_columns_and_asked(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    done = laptop("import", "lines", laptop.file("lines.csv", LINES))
    assert done.code == code
    told = " ".join(done.out.split())
    assert "client_name Company Name Alder Dental Group" in told
    assert "Take these columns?" in done.err
    assert ("3 rows were taken" in done.out) == (code == 0)


@pytest.mark.parametrize("words", [["import"], ["import", "cats", "x"], ["import", "lines", "x", "--column", "x"],
                                   ["forget-file", "cats"], ["import", "lines", "/nowhere/x.csv"]])  # fmt: skip
def test_wrong_usage_is_told(laptop: Laptop, words: list[str]) -> None:
    assert laptop(*words).code == 64


@pytest.mark.slow
def test_mimecast_over_the_api_and_the_psa_as_files(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=4) as there:
        names = [company.name for company in there.world.companies.values()]
        rows = "".join(f'"{name}",{PRODUCT},1\n' for name in names)
        path = tmp_path / "lines.csv"
        path.write_text(f"Client,Product,Quantity\n{rows}", encoding="utf-8")
        assert there("import", "lines", str(path), "--yes").code == 0
        assert there(*there.connect_mimecast).code == 0
        assert there("connect", "psa_files").code == 0
        synced = there("sync", "--json")
        assert synced.code == 0, synced.err
        assert synced.document["accounts"]["mapped"] == 4
        assert there("map", "service", "9702", PRODUCT).code == 0
        run = there("run", "--json")
        assert run.code == 2, run.err
        assert "bill_more" in {row["verdict"] for row in run.document["rows"]}


@pytest.mark.slow
def test_mimecast_files_and_a_real_psa(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=4) as there:
        rows = "".join(f'{code},"{account.name}",9\n' for code, account in there.world.accounts.items())
        path = tmp_path / "accounts.csv"
        path.write_text(f"Account Code,Account Name,Users\n{rows}", encoding="utf-8")
        assert there("import", "accounts", str(path), "--yes").code == 0
        assert there("connect", "vendor_files").code == 0
        assert there(*there.connect_connectwise).code == 0
        assert there("sync", "--json").document["accounts"]["mapped"] == 4
        assert there("map", "service", "account", "MIME-EMAIL-S1").code == 0
        run = there("run", "--json")
        assert run.code == 2, run.err
        counted = {row["counts"]["agreement"]["basis"] for row in run.document["rows"] if row["vendor_account_id"]}
        assert counted == {"manual_file"}


@pytest.mark.slow
def test_from_connectwise_to_another_company_and_back(tmp_path: Path) -> None:
    """The second company has other clients under the ids of the first."""
    with machine(tmp_path / "home", clients=4) as there:
        month_until_mapped(there)
        before = pairs(there)
        other = exchanged(4)
        with ConnectWiseSimulator(other) as second:
            words = [*there.connect_connectwise]
            words[words.index("--url") + 1] = second.url
            refused = there(*words)
            assert refused.code == 1
            assert "trueup connect connectwise --switch" in refused.err
            switched = there(*words, "--switch", "--json")
            assert switched.code == 0, switched.err
            kept = switched.document["to_be_matched_again"]
            assert (kept["accounts"], kept["services"]) == (4, 2)
            assert there("sync").code == 0
            names = {company.id: company.name for company in other.companies.values()}
            for code, psa_id in pairs(there).items():
                assert names[int(psa_id or 0)] == there.world.accounts[code].name
                assert psa_id != before[code]
            file = tmp_path / "kept.csv"
            assert there("export", "kept-accounts", str(file), "--kept", kept["id"]).code == 0
            with file.open(encoding="utf-8", newline="") as opened:
                assert {row["vendor_account_id"]: row["psa_account_id"] for row in csv.DictReader(opened)} == before
            assert [item["id"] for item in there("map", "kept", "--json").document["items"]] == [kept["id"]]
        back = there(*there.connect_connectwise, "--switch")
        assert back.code == 0, back.err
        assert there("sync").code == 0
        assert pairs(there) == before
        assert {item["mapping"] for item in there("services", "--json").document["items"]} == {"mapped"}


def pairs(there: Machine) -> dict[str, str | None]:
    items = there("accounts", "--json").document["items"]
    return {item["vendor_account_id"]: item["psa_account_id"] for item in items}


def exchanged(clients: int) -> World:
    """The same clients, each under the id of another."""
    world = scaled_world(clients)
    companies = sorted(world.companies.values(), key=lambda company: company.id)
    names = [company.name for company in companies]
    for number, company in enumerate(companies):
        world.rename("psa", str(company.id), names[(number + 1) % len(names)])
    return world
