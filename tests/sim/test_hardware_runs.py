"""Runs on boards, from the command line: on the simulated desk, replayed, and in a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data import data_dir
from harness.results.store import read
from harness.sim_lab.desk import open_desk
from tests.command import Bench
from tests.desk import lab_file

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


def test_a_nightly_in_a_lab_is_swept_and_gated_through_its_lab_file(
    bench: Bench, tmp_path: Path
) -> None:
    """One board under two names: its cases run one after the other, also for the second look.

    The simulated micro:bit has the real one's addresses, so it passes for a real board here.
    """
    known = (data_dir("boards") / "microbit.yaml").read_text()
    (tmp_path / "own.yaml").write_text(
        known.replace("name: microbit", "name: own").replace(
            "emulation:", "port: nrf51\nemulation:"
        )
    )
    (tmp_path / "nightly.yaml").write_text(
        "name: nightly\nmodels: [hello-world]\nboards: [own.yaml]\nrepeat: 20\n"
        "devices: [qemu, hardware, 'hardware:left']\n"
    )
    with open_desk() as desk:
        place = desk.places["microbit"].model_copy(update={"board": "own.yaml"})
        lab = lab_file(tmp_path, left=place)
        swept = bench("sweep", "nightly.yaml", "--lab", lab, "--json")
        assert swept.code == 0, swept.err
        said = swept.json
        assert (said["cases"], said["ok"]) == (3, 3)
        assert [each["case"]["lab"] for each in said["records"]] == [None, str(lab), str(lab)]
        kinds = [read(Path(each["path"])).device for each in said["records"]]
        assert [(kind.kind, kind.stand_in) for kind in kinds if kind] == [
            ("qemu", False),
            ("hardware", False),
            ("hardware", False),
        ]
        gated = ("gate", "--spec", "nightly.yaml", "--lab", lab, "--baseline", "base")
        assert bench(*gated, "--accept").code == 0
        judged = bench(*gated, "--json").json["cases"]
        assert len(judged) == 3, "each device is held against itself"
        assert [each["outcome"] for each in judged if "device qemu" in each["case"]] == ["same"]
        assert {each["outcome"] for each in judged}.isdisjoint(
            {"incomparable", "missing", "broken"}
        )
