"""Runs on boards, from the command line: on the simulated desk, replayed, and in a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import Bench

pytestmark = pytest.mark.qemu

CASE = ("--board", "nucleo-f746zg", "--model", "kws")
ON_DESK = ("--device", "hardware", "--lab", "sim")


@pytest.fixture
def bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(monkeypatch, capsys)


def test_a_run_on_a_board_is_told_live_kept_and_replayed(bench: Bench) -> None:
    told = bench("run", *CASE, *ON_DESK, "--live", "--json")
    assert told.code == 0, told.err
    record = told.json
    assert record["correctness"]["bit_exact"]
    assert record["device"]["kind"] == "hardware"
    assert record["device"]["stand_in"]
    latency = record["latency"]
    assert latency["cycles"] is latency["latency_s"] is None
    assert "the desk is simulated: nothing here was measured on hardware" in record["warnings"]
    assert f"4 of 4: {latency['instructions'] + 16:,} instructions" in told.err

    again = bench("run", *CASE, "--device", f"replay:{record['capture']}", "--json").json
    assert again["error"] is None
    for part in ("latency", "sram", "correctness", "ops"):
        assert again[part] == record[part]


def test_a_sweep_goes_to_the_lab_that_is_named(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "desk.yaml").write_text(
        "name: desk\nmodels: [kws]\nboards: [nucleo-f746zg, nucleo-f446re]\ndevices: [hardware]\n"
    )
    swept = bench("sweep", "desk.yaml", "--lab", "sim", "--json").json
    assert (swept["cases"], swept["ok"]) == (2, 2)
    assert {each["case"]["lab"] for each in swept["records"]} == {"sim"}
