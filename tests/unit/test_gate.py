"""The gate: every verdict, the op that is to blame, and how often noise is mistaken for news."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.comparison.gate import Judged, Outcome, confirmed, judge
from harness.comparison.history import changes
from harness.comparison.rules import GateRules
from harness.comparison.subject import Subject, by_device, subject_of
from harness.errors import FactsError
from harness.experiment.case import Case
from harness.experiment.draft import Draft
from harness.experiment.gating import case_of
from harness.facts import read_facts
from harness.report.gate_text import (
    github_annotations,
    github_summary,
    headline,
    junit_xml,
    verdict_text,
)
from harness.results.record import Record
from harness.results.store import append
from tests.command import Bench
from tests.records import make_failed, make_record, make_timed

RULES = GateRules()
SLOWER = (700, 203, 100)
"""Op 1 takes 1.5 % more."""
SERIES = 1000
NOISE = 0.03
SAMPLES = 20


def one(before: Record | None, after: Record | None, rules: GateRules = RULES) -> Judged:
    """Return the verdict on a single case."""
    old, new = ([subject_of(record)] if record else [] for record in (before, after))
    (judged,) = judge(old, new, rules)
    return judged


def with_part(record: Record, part: str, **changed: object) -> Record:
    return record.model_copy(update={part: getattr(record, part).model_copy(update=changed)})


def test_the_second_look_is_at_the_very_case() -> None:
    other: dict[str, Any] = {
        "str": "other", "str | None": "other", "int": 7, "int | None": 7, "bool": True,
        "float": 7.0, "Path | None": Path("x.npz"), "Builder": "platformio",
        "tuple[int, tuple[int, int]] | None": (2, (3, 3)),
    }  # fmt: skip
    case = Case(**{field.name: other[str(field.type)] for field in fields(Case)})
    assert case_of(Draft(case).finish(None)[0].case, case.timeout_s) == case


def test_a_case_on_two_devices_is_two_and_one_that_moved_is_one() -> None:
    emulated = make_record(0)
    real = with_part(make_record(1), "case", device="hardware:left")
    both = [subject_of(emulated), subject_of(real)]
    told = by_device(both)
    judged = judge(map(told, both), map(told, both), RULES)
    assert [case.outcome for case in judged] == [Outcome.SAME, Outcome.SAME]
    assert {str(case.identity).rpartition(", ")[2] for case in judged} == {
        f"device {emulated.case.device}",
        "device hardware:left",
    }
    alone = by_device(both[1:])
    (moved,) = judge(map(alone, both[:1]), map(alone, both[1:]), RULES)
    assert moved.identity == both[0].identity


def test_what_is_equal_is_the_same() -> None:
    assert one(make_record(0), make_record(1)).outcome is Outcome.SAME
    other_kernels = make_record(1, kernels="k2")
    assert one(make_record(0), other_kernels).outcome is Outcome.SAME


def test_one_instruction_more_is_a_regression_and_its_op_is_named() -> None:
    case = one(make_record(0), make_record(1, ops=(700, 201, 100)))
    assert case.outcome is Outcome.REGRESSED
    assert [(op.index, op.delta) for op in case.ops] == [(1, 1)]


def test_the_op_that_grew_most_comes_first() -> None:
    case = one(make_record(0), make_record(1, ops=(690, 230, 105)))
    assert [(op.name, op.delta) for op in case.ops] == [("op1", 30), ("op0", -10), ("op2", 5)]
    said = verdict_text([case], [])
    assert "REGRESSED kws on nucleo-f746zg, layer" in said
    assert "instructions 1,000 instructions -> 1,025 instructions (+2.5 %)" in said
    assert "op 1 conv2d 'op1': +30 instructions (+15.0 %)" in said
    assert "op0" not in said, "an op that got faster is not to blame"


@pytest.mark.parametrize(
    ("grown", "outcome"),
    [
        ({"peak": 16_004}, Outcome.REGRESSED),
        ({"peak": 15_996}, Outcome.IMPROVED),
        ({"flash": 60_001}, Outcome.REGRESSED),
        ({"ops": (600, 200, 100)}, Outcome.IMPROVED),
        ({"ops": (600, 200, 100), "flash": 60_001}, Outcome.REGRESSED),
    ],
)
def test_every_figure_counts(grown: dict[str, int], outcome: Outcome) -> None:
    after = make_record(1, **grown)  # type: ignore[arg-type]
    assert one(make_record(0), after).outcome is outcome


def test_a_band_allows_as_much_as_it_says() -> None:
    rules = GateRules(bands={"instructions": 0.003})
    assert one(make_record(0), make_record(1, ops=SLOWER), rules).outcome is Outcome.SAME
    more = make_record(1, ops=(700, 204, 100))
    assert one(make_record(0), more, rules).outcome is Outcome.REGRESSED


def test_a_band_of_an_unknown_figure_is_refused() -> None:
    with pytest.raises(FactsError, match=r"no figure 'instruction' \(did you mean instructions"):
        read_facts(b"bands: {instruction: 0.1}", GateRules, where="s.yaml")


@pytest.mark.parametrize(
    ("before", "after", "outcome", "because"),
    [
        (make_record(0), None, Outcome.MISSING, "was not measured"),
        (None, make_record(0), Outcome.NEW, ""),
        (make_record(0), make_failed(1, message="no answer"), Outcome.BROKEN, "no answer"),
        (make_failed(0), make_record(1), Outcome.IMPROVED, "failed before"),
        (make_failed(0), make_failed(1), Outcome.SAME, "fails as it did"),
        (make_record(0), with_part(make_record(1), "toolchain", version="13.1"),
         Outcome.INCOMPARABLE, "compiler: 12.2 -> 13.1"),
        (make_record(0), with_part(make_record(1), "model", sha256="f" * 64),
         Outcome.INCOMPARABLE, "model: "),
        (make_record(0), with_part(make_record(1), "sram", measured_peak_bytes=None),
         Outcome.BROKEN, "no longer measured: measured_peak_bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_weighed_is_said(
    before: Record | None, after: Record | None, outcome: Outcome, because: str
) -> None:
    case = one(before, after)
    assert case.outcome is outcome
    assert because in case.because


def test_the_newest_record_of_a_case_is_the_baseline() -> None:
    before = [subject_of(make_record(0)), subject_of(make_record(1, ops=SLOWER))]
    (case,) = judge(before, [subject_of(make_record(2, ops=SLOWER))], RULES)
    assert case.outcome is Outcome.SAME


def latencies(generator: np.random.Generator, level: float = 1.0) -> list[float]:
    return list(50_000 * level * np.exp(NOISE * generator.standard_normal(SAMPLES)))


def noisy(generator: np.random.Generator, level: float = 1.0) -> Outcome:
    before, after = make_timed(0, latencies(generator)), make_timed(1, latencies(generator, level))
    return one(before, after).outcome


def test_noise_is_hardly_ever_news() -> None:
    generator = np.random.default_rng(1)
    alarms = sum(noisy(generator) is not Outcome.SAME for _ in range(SERIES))
    assert alarms <= 0.01 * SERIES


def test_a_shift_of_five_percent_is_found() -> None:
    generator = np.random.default_rng(2)
    assert sum(noisy(generator, 1.05) is Outcome.REGRESSED for _ in range(SERIES)) >= 0.95 * SERIES
    assert sum(noisy(generator, 0.95) is Outcome.IMPROVED for _ in range(SERIES)) >= 0.95 * SERIES


def test_too_few_samples_decide_nothing() -> None:
    case = one(make_timed(0, [50_000.0] * 7), make_timed(1, [99_000.0] * 20))
    assert case.outcome is Outcome.UNDECIDED
    assert case.because == "cycles has 7 samples, 8 are needed"


def test_a_real_shift_below_the_least_effect_is_let_pass() -> None:
    before, after = [1000.0 + n / 10 for n in range(50)], [1006.0 + n / 10 for n in range(50)]
    assert one(make_timed(0, before), make_timed(1, after)).outcome is Outcome.SAME
    strict = GateRules(least_effect=0.001)
    assert one(make_timed(0, before), make_timed(1, after), strict).outcome is Outcome.REGRESSED


def test_a_change_that_repeats_is_confirmed_and_one_that_does_not_is_none() -> None:
    same, worse = (
        one(make_record(0), make_record(1)),
        one(make_record(0), make_record(1, ops=SLOWER)),
    )
    assert confirmed(worse, worse).outcome is Outcome.REGRESSED
    flaky = confirmed(worse, same)
    assert flaky.outcome is Outcome.BROKEN
    assert "instructions is exact and does not repeat: first 1,003, then 1,000" in flaky.because
    broken = one(make_record(0), make_failed(1))
    assert confirmed(broken, same).outcome is Outcome.UNDECIDED
    before, slow = [50_000.0 + n for n in range(20)], [60_000.0 + n for n in range(20)]
    noisy_worse = one(make_timed(0, before), make_timed(1, slow))
    noisy_same = one(make_timed(0, before), make_timed(1, before))
    assert confirmed(noisy_worse, noisy_same).outcome is Outcome.SAME


def test_steps_in_a_history_name_their_commits() -> None:
    levels = [("a", 700), ("b", 700), ("c", 707), ("d", 707), ("e", 690)]
    history = [
        subject_of(make_record(n, ops=(level, 200, 100), commit=commit * 40))
        for n, (commit, level) in enumerate(levels)
    ]
    found = [c for c in changes(history) if c.figure == "instructions"]
    assert [(c.before.commit[0], c.after.commit[0]) for c in found] == [("d", "e"), ("b", "c")]
    assert found[1].ratio == pytest.approx(1.007)
    assert changes([*history[:2], subject_of(make_failed(9))]) == []


def test_a_drift_that_no_single_day_shows_is_a_step() -> None:
    generator = np.random.default_rng(3)
    days: list[Subject] = []
    for day in range(60):
        level = 1 + 0.002 * max(0, day - 30)
        days.append(subject_of(make_timed(day, latencies(generator, level))))
    assert any(c.figure == "cycles" and c.ratio > 1.02 for c in changes(days))
    assert one(make_timed(0, latencies(generator, 1.0)), make_timed(1, latencies(generator, 1.002)))


def every_outcome() -> list[Judged]:
    return sorted(
        [
            one(make_record(0), make_record(1, ops=SLOWER)),
            one(
                make_record(0, model="ad"), make_failed(1, model="ad", message="50 %, \x00 | <no>")
            ),
            one(make_record(0, model="ic"), make_record(1, model="ic", ops=(1, 2, 3))),
            one(make_timed(0, [5.0], model="vww"), make_timed(1, [5.0], model="vww")),
            one(make_record(0, model="sww"), make_record(1, model="sww")),
        ],
        key=lambda case: list(Outcome).index(case.outcome),
    )


def test_the_headline_counts() -> None:
    judged = every_outcome()
    assert headline(judged) == "1 broken, 1 regressed, 1 undecided, 1 improved, 1 same"
    assert verdict_text(judged, []).splitlines()[-1] == f"gate: {headline(judged)}"


def test_junit_xml_is_xml_and_counts() -> None:
    root = ElementTree.fromstring(junit_xml(every_outcome(), "nightly").encode())
    assert {key: root.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "5", "failures": "2", "skipped": "1",
    }  # fmt: skip
    failures = {case.get("name"): case.find("failure") for case in root.iter("testcase")}
    failure = failures["kws on nucleo-f746zg, layer"]
    assert failure is not None
    assert "+0.30 %" in str(failure.get("message"))
    assert "op 1 conv2d 'op1': +3 instructions (+1.5 %)" in str(failure.text)
    assert failures["sww on nucleo-f746zg, layer"] is None


def test_github_is_told_in_its_own_way() -> None:
    judged = every_outcome()
    notes = github_annotations(judged)
    assert [note.split()[0] for note in notes] == ["::error", "::error", "::warning", "::notice"]
    assert "title=regressed kws on nucleo-f746zg%2C layer::" in notes[1]
    assert "50 %25" in notes[0]
    summary = github_summary(judged, [])
    assert "| kws on nucleo-f746zg, layer | REGRESSED |" in summary
    assert "50 %, \x00 \\| &lt;no>" in summary
    assert "sww" not in summary


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(variable, raising=False)
    return Bench(monkeypatch, capsys)


def stores(tmp_path: Path, before: list[Record], after: list[Record]) -> tuple[str, ...]:
    """Write both sides; return the options that name them."""
    for folder, records in (("base", before), ("now", after)):
        (tmp_path / folder).mkdir()
        for record in records:
            append(tmp_path / folder, record)
    return "--baseline", str(tmp_path / "base"), "--store", str(tmp_path / "now")


@pytest.mark.parametrize(
    ("before", "after", "code", "said"),
    [
        ([make_record(0)], [make_record(1)], 0, "gate: 1 same"),
        ([make_record(0)], [make_record(1, ops=(1, 2, 3))], 0, "improved kws"),
        ([make_record(0)], [make_record(1, ops=SLOWER)], 4, "REGRESSED kws"),
        ([make_record(0)], [make_failed(1)], 5, "BROKEN"),
        ([make_record(0), make_record(1, model="ad")], [make_record(2)], 4, "MISSING ad"),
        ([make_record(0)], [], 5, "MISSING kws"),
        ([], [make_record(0)], 5, "new kws"),
        ([make_timed(0, [5.0])], [make_timed(1, [5.0])], 5, "undecided kws"),
    ],
)
def test_the_exit_code_is_the_verdict(
    bench: Bench, tmp_path: Path, before: list[Record], after: list[Record], code: int, said: str
) -> None:
    result = bench("gate", *stores(tmp_path, before, after))
    assert (result.code, said in result.out) == (code, True), result.out + result.err


def test_reports_go_where_they_are_wanted(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = stores(tmp_path, [make_record(0)], [make_record(1, ops=SLOWER)])
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    result = bench("gate", *options, "--junit", tmp_path / "junit.xml", "--json")
    assert result.code == 4
    assert result.json["verdict"] == "1 regressed"
    (case,) = result.json["cases"]
    assert (case["outcome"], case["ops"][0]["delta"]) == ("regressed", 3)
    assert "::error title=regressed" in result.err
    assert "REGRESSED" in (tmp_path / "summary.md").read_text()
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "1"


def test_the_history_says_since_when(bench: Bench, tmp_path: Path) -> None:
    older = [make_record(n, commit=c * 40) for n, c in enumerate("ab")]
    newer = make_record(5, commit="c" * 40, ops=SLOWER)
    result = bench("gate", *stores(tmp_path, [make_record(0)], [*older, newer]))
    assert "instructions +0.30 % between bbbbbbbbb (2026-01-01) and ccccccccc" in result.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--baseline", "no-such-thing"), "there is no baseline 'no-such-thing'"),
        (("--baseline", "base", "--accept"), "--accept needs --spec"),
        (("--baseline", "now"), "is the store itself"),
        (("--baseline", "HEAD"), "has no records of HEAD"),
    ],
)
def test_what_cannot_be_a_baseline_is_told(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    stores(tmp_path, [make_record(0)], [make_record(1)])
    monkeypatch.chdir(tmp_path)
    result = bench("gate", *options, "--store", "now")
    assert result.code in (1, 2)
    assert said in result.err
