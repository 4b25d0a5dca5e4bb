"""Comparing: like with like, refusals by name, ratios with what is not sure of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.comparison.compare import Comparison, compare
from harness.comparison.subject import subject_of
from harness.results.record import DevicePart, Record
from harness.results.store import append
from tests.command import Bench
from tests.records import make_failed, make_record, make_timed

TABLE = """\
title: Peaks
kib: true
sources:
  readme: {what: a README, url: https://example.org}
lines:
  - {model: kws, system: TinyEngine, source: readme, sram_kb: 10, flash_kb: 50.5, latency_ms: 5}
  - {model: kws, system: Other, source: readme, sram_kb: 20}
"""


def of(before: list[Record], after: list[Record], *across: str) -> Comparison:
    return compare([*map(subject_of, before)], [*map(subject_of, after)], across=across)


def with_toolchain(record: Record, **changes: str) -> Record:
    assert record.toolchain is not None
    return record.model_copy(update={"toolchain": record.toolchain.model_copy(update=changes)})


def test_exact_figures_have_exact_ratios() -> None:
    (pair,) = of([make_record(ops=(1000,))], [make_record(ops=(1010,), flash=60_600)]).pairs
    rows = {row.figure: row for row in pair.rows}
    assert (rows["instructions"].before, rows["instructions"].after) == (1000, 1010)
    assert rows["instructions"].low == rows["instructions"].high == pytest.approx(1.01)
    assert rows["flash_bytes"].ratio == pytest.approx(1.01)
    assert rows["planned_peak_bytes"].ratio == 1
    assert all(row.p_value is None for row in pair.rows)


def test_noisy_figures_have_an_interval_and_a_test() -> None:
    before = make_timed(0, [1000.0 + n for n in range(20)])
    after = make_timed(1, [1100.0 + n for n in range(20)])
    row = next(r for r in of([before], [after]).pairs[0].rows if r.figure == "cycles")
    assert row.low < row.ratio < row.high
    assert row.ratio == pytest.approx(1.099, abs=0.001)
    assert row.p_value is not None
    assert row.p_value < 1e-6


def test_cases_are_matched_by_what_was_asked_for() -> None:
    before = [make_record(0), make_record(1, schedule="stream"), make_record(2, model="ad")]
    after = [make_record(3, schedule="stream"), make_record(4), make_record(5, model="vww")]
    found = of(before, after)
    names = [(str(p.before.identity), str(p.after.identity)) for p in found.pairs]
    assert all(old == new for old, new in names)
    assert len(names) == 2
    assert [s.identity.model for s in found.only_before] == ["ad"]
    assert [s.identity.model for s in found.only_after] == ["vww"]


def test_the_newest_of_a_case_counts_and_noisy_samples_are_pooled() -> None:
    exact = of([make_record(0, ops=(5,)), make_record(1, ops=(7,))], [make_record(2, ops=(7,))])
    assert exact.pairs[0].rows[0].before == 7
    timed = of([make_timed(0, [5.0] * 4), make_timed(1, [5.0] * 4)], [make_timed(2, [5.0] * 4)])
    assert len(timed.pairs[0].before.figures["cycles"].samples) == 8


@pytest.mark.parametrize(
    ("after", "condition"),
    [
        (make_timed(1, [1000.0]), "kind"),
        (with_toolchain(make_record(), version="13.1"), "compiler"),
        (with_toolchain(make_record(), kernels="k2"), "kernels"),
    ],
)
def test_unlike_conditions_are_refused_or_labelled(after: Record, condition: str) -> None:
    refused = of([make_record()], [after])
    assert refused.pairs == ()
    assert condition in refused.refused[0].because
    labelled = of([make_record()], [after], *refused.refused[0].because)
    assert labelled.refused == ()
    assert condition in labelled.pairs[0].across


def test_a_simulated_desk_is_never_compared_with_a_real_one() -> None:
    """Also where both say that their device is hardware."""
    real = make_timed(1, [1000.0])
    desk = real.model_copy(update={"device": DevicePart(kind="hardware", stand_in=True)})
    found = of([desk], [real])
    assert found.pairs == ()
    assert found.refused[0].because["kind"] == ("simulated desk", "hardware")


def test_seconds_have_the_samples_of_the_cycles() -> None:
    timed = make_timed(1, [1000.0, 1000.0, 1100.0])
    assert timed.latency is not None
    lasting = timed.latency.model_copy(update={"latency_s": 1000 / 200e6})
    record = timed.model_copy(update={"latency": lasting})
    figures = subject_of(record).figures
    assert figures["cycles"].samples == (1000.0, 1000.0, 1100.0)
    assert figures["latency_s"].samples == pytest.approx((5e-6, 5e-6, 5.5e-6))


def test_what_is_not_known_does_not_refuse() -> None:
    assert of([with_toolchain(make_record(), kernels="")], [make_record()]).refused == ()


def test_figures_of_different_kinds_never_share_a_row() -> None:
    """Even when asked to look across kinds, instructions are not divided by cycles."""
    conditions = ("kind", "clock", "caches")
    (pair,) = of([make_record()], [make_timed(1, [1000.0])], *conditions).pairs
    assert not {"instructions", "cycles"} & {row.figure for row in pair.rows}
    assert "planned_peak_bytes" in {row.figure for row in pair.rows}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(monkeypatch, capsys)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The same case of two schedules."""
    one = append(tmp_path / "s", make_record(0))[1]
    two = append(tmp_path / "s", make_record(1, schedule="stream", ops=(600, 300), peak=5000))[1]
    return one, two


def test_two_records_are_compared_whatever_they_are_of(
    bench: Bench, files: tuple[Path, Path]
) -> None:
    result = bench("compare", *files)
    said = " ".join(result.out.split())
    assert result.code == 0
    assert "across schedule: layer -> stream" in said
    assert "instructions 1,000 900 x 0.9000 (-10.0 %)" in said
    assert "flash 60,000 B 60,000 B =" in said


def test_json_has_every_ratio(bench: Bench, files: tuple[Path, Path]) -> None:
    found: dict[str, Any] = bench("compare", *files, "--json").json
    assert found.keys() == {
        "before", "after", "pairs", "refused", "only_before", "only_after",
    }  # fmt: skip
    rows = {row["figure"]: row for row in found["pairs"][0]["figures"]}
    assert rows["planned_peak_bytes"]["ratio"] == 5000 / 16000


def test_a_refusal_names_the_option(bench: Bench, files: tuple[Path, Path], tmp_path: Path) -> None:
    timed = append(tmp_path / "s", make_timed(2, [1000.0]))[1]
    result = bench("compare", files[0], timed)
    assert result.code == 1
    assert (
        "nothing was compared: kws on nucleo-f746zg, layer: kind: qemu and hardware" in result.err
    )
    assert "hint: --across caches --across clock --across kind" in result.err


def test_many_cases_share_a_table_of_what_differs(bench: Bench, tmp_path: Path) -> None:
    for number, model in enumerate(("kws", "ad", "ic", "vww")):
        append(tmp_path / "a", make_record(number, model=model))
        ops = (707, 200, 100) if model == "ic" else (700, 200, 100)
        append(tmp_path / "b", make_record(number, model=model, ops=ops))
    result = bench("compare", tmp_path / "a", tmp_path / "b")
    assert "3 of 4 cases are equal" in result.out
    assert re.search(r"instructions +1,000 +1,007 +x 1.0070 \(\+0.70 %\)", result.out)
    assert "kws on" not in result.out


def test_a_published_table_is_compared_across_kinds_with_its_source(
    bench: Bench, files: tuple[Path, Path], tmp_path: Path
) -> None:
    table = tmp_path / "t.yaml"
    table.write_text(TABLE)
    refused = bench("compare", f"published:{table}", files[0])
    assert refused.code == 1
    assert "--across kind" in refused.err
    result = bench("compare", f"published:{table}", files[0], "--across", "kind")
    said = " ".join(result.out.split())
    assert "TinyEngine: a README" in said
    assert "SRAM measured 10,240 B 18,300 B x 1.787 (1.702 to 1.881)" in said
    assert "SRAM measured 20,480 B 18,300 B" in said
    assert "latency" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: x\nsources: {}\nlines: [{model: a, system: b, source: c}]\n", "not given: c"),
        ("title: x\nlines: []\n", "sources: is missing"),
    ],
)
def test_a_published_line_without_a_source_is_refused(
    bench: Bench, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "t.yaml").write_text(text)
    result = bench("compare", f"published:{tmp_path}/t.yaml", tmp_path)
    assert (result.code, said in result.err) == (1, True)


def test_what_names_nothing_is_told_with_what_could_be_named(bench: Bench, tmp_path: Path) -> None:
    for side, words in (
        ("nothing-like-it", "there is no 'nothing-like-it' to compare"),
        ("published:mcunot", "there is no published table 'mcunot'"),
        (str(tmp_path), "holds no records"),
        ("HEAD", "has no records of HEAD"),
    ):
        result = bench("compare", side, side, "--store", tmp_path)
        assert words in result.err
        assert result.code in (1, 2)


def test_revisions_are_compared_across_kernels(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path, make_record(0, commit="a" * 40, kernels="k1"))
    append(tmp_path, make_record(1, commit="b" * 40, kernels="k2", ops=(690, 200, 100)))
    monkeypatch.setattr("harness.comparison.operand.revision", lambda text: text[0] * 40)
    result = bench("compare", "aaa", "bbb", "--store", tmp_path)
    assert result.code == 0, result.err
    assert "across kernels: k1 -> k2" in result.out


def test_a_failed_case_says_why_it_has_no_figures(bench: Bench, tmp_path: Path) -> None:
    one = append(tmp_path, make_record(0))[1]
    two = append(tmp_path, make_failed(1, message="no answer in 5 s"))[1]
    assert "no answer in 5 s" in bench("compare", one, two).out
