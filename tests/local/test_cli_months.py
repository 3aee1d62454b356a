"""A month closed, proven, made again, reported and opened again by the real command on the real store."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from tests.local.command_line import machine, month_until_mapped


def test_a_month_is_closed_proven_reported_and_reopened(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=4) as there:
        month_until_mapped(there)
        found = there("run", "--json").document
        period = found["period"]
        waiting = there("seal", period, "--json")
        assert (waiting.code, waiting.document["code"]) == (1, "month_not_ready")
        assert "waits for approval" in waiting.document["detail"]

        plan = found["plan"]
        assert there("plan", "approve", plan["id"], "--checksum", plan["checksum"]).code == 0
        assert there("plan", "apply", plan["id"], "--checksum", plan["checksum"]).code == 0
        before = there("report", period, "--json").document
        sealed = there("seal", period)
        assert sealed.code == 0, sealed.err
        assert "is closed (version 1" in sealed.out
        again = there("seal", period, "--json").document
        (month,) = there("months", "--json").document["items"]
        assert (month["state"], month["links"]) == ("closed", [again])

        proof = there("verify", "--json").document
        assert (proof["holds"], proof["months"]["links"], proof["months"]["last_hash"]) == (True, 1, again["hash"])
        assert there("verify", period, "--kept-hash", again["hash"].upper()).code == 0
        assert there("verify", "--kept-hash", "0" * 64).code == 1
        replay = there("replay", period, "--json")
        assert (replay.code, replay.document["is_same"], replay.document["rows"]) == (0, True, len(found["rows"]))

        refused = there("run", "--json")
        assert (refused.code, refused.document["problem"]["code"]) == (1, "month_sealed")

        page, sheet = tmp_path / "report.html", tmp_path / "report.csv"
        report = there("report", "--json", "--html", str(page), "--csv", str(sheet)).document
        assert (report["state"], report["totals"], report["rows"]) == ("closed", before["totals"], before["rows"])
        assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
        rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8"), newline="")))
        assert len(rows) == report["rows_total"]
        assert there("report").code == 0

        points = there("trend", "--months", "2", "--json").document["items"]
        assert [point["state"] for point in points] == ["missing", "closed"]
        assert points[0]["agreement"] is None
        assert "closed" in there("trend", "--months", "1").out

        folder = tmp_path / "evidence"
        written = there("evidence", period, "--out", str(folder), "--json").document["files"]
        index = list(csv.DictReader(io.StringIO((folder / f"{period}-index.csv").read_text("utf-8"), newline="")))
        assert sorted(row["file"] for row in index) == sorted(file["file"] for file in written)
        assert {path.name for path in folder.iterdir()} == {row["file"] for row in index} | {f"{period}-index.csv"}
        one = there("evidence", period, "--client", index[0]["client_id"], "--out", str(tmp_path / "one"), "--json")
        assert [file["sha256"] for file in one.document["files"]] == [
            row["sha256"] for row in index if row["client_id"] == index[0]["client_id"]
        ]

        assert there("reopen", period, "--reason", "the vendor corrected its count").code == 0
        assert there("run").code in (0, 2)
        (month,) = there("months", "--json").document["items"]
        assert (month["state"], len(month["links"])) == ("reopened", 2)
        assert there("verify").code == 0


def test_a_link_that_was_changed_is_named_and_the_exit_code_tells(tmp_path: Path) -> None:
    from local.cli.home import Home
    from local.cli.output import Output
    from local.cli.workplace import opened

    with machine(tmp_path / "home", clients=2) as there:
        month_until_mapped(there)
        period = there("run", "--json").document["period"]
        sealed = there("seal", period, "--reason", "the client left", "--json").document
        rows = next(part for part in sealed["parts"] if part["name"] == "rows 1")
        with opened(Home(there.home), Output(as_json=True, out=io.StringIO())) as workplace:
            table = workplace.state.sealed_months._table  # type: ignore[attr-defined]  # the damage is done below ports
            key = table.keys.content_part(rows["sha256"], 0)
            item = dict(table.get(key))
            content = bytearray(item["content"])
            content[len(content) // 2] ^= 1
            table.put_many([{**item, "content": bytes(content)}])
        proof = there("verify", "--json")
        assert proof.code == 1
        broken = json.loads(proof.out)["months"]["broken"]
        assert (broken["number"], broken["period"], broken["part"]) == (1, period, "rows 1")
        assert f"the first broken link is link 1, {period}, rows 1" in there("verify").err
        assert there("replay", period).code == 1
        with opened(Home(there.home), Output(as_json=True, out=io.StringIO())) as workplace:
            workplace.state.sealed_months._table.put_many([item])  # type: ignore[attr-defined]
        assert there("verify", period).code == 0
