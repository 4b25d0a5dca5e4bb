"""Which passes ``--passes`` selects, and what is told of what they did."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.experiment.case import Case
from harness.experiment.run import run_case
from harness.models.writer import write_tflite
from harness.passes.pipeline import PASSES
from harness.passes.selection import select_passes
from harness.report.pass_text import pass_text
from harness.results.record import PassPart, WorkPart
from tests.graphs import GraphBuilder

ALL = tuple(p.name for p in PASSES)
REQUIRED = ("fold-constants", "silence-channels")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", ALL),
        ("none", REQUIRED),
        ("-remove-dead", ALL[:-1]),
        ("-remove-dead,-fold-pads", tuple(n for n in ALL[:-1] if n != "fold-pads")),
        ("fold-pads", ("fold-constants", "fold-pads", "silence-channels")),
        ("remove-dead, all, -remove-dead", ALL[:-1]),
        ("-silence-channels", ALL),
    ],
)
def test_names_are_taken_from_left_to_right(text: str, names: tuple[str, ...]) -> None:
    assert select_passes(text) == names


@pytest.mark.parametrize(("text", "near"), [("-fold-pad", "fold-pads"), ("non", "none")])
def test_an_unknown_pass_is_named_with_near_ones(text: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"no pass is called '{text.lstrip('-')}'") as caught:
        select_passes(text)
    assert near in caught.value.hint


def test_an_empty_list_is_no_list() -> None:
    with pytest.raises(UsageError, match="no pass is called ''"):
        select_passes("")


def test_each_change_stands_beside_what_it_changed() -> None:
    imported = WorkPart(ops=4, macs=1000, weights_bytes=50)
    lines = pass_text(
        imported,
        [
            PassPart(name="first", left=imported),
            PassPart(name="second", left=WorkPart(ops=2, macs=1000, weights_bytes=50)),
            PassPart(name="third", left=WorkPart(ops=2, macs=400, weights_bytes=30)),
        ],
    ).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["as", "imported", "4", "1,000", "50"],
        ["second", "2", "(-50.0%)"],
        ["third", "400", "(-60.0%)", "30", "(-40.0%)"],
        ["these", "changed", "none", "of", "it:", "first"],
    ]


def test_a_record_says_which_passes_ran_and_what_they_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # The compiler is missing: the record ends after the plan.
    build = GraphBuilder()
    build.conv(build.pad(build.input((1, 4, 4, 2)), (0, 0), (1, 1), (1, 1), (0, 0)), 3)
    path = tmp_path / "own.tflite"
    path.write_bytes(write_tflite(build.graph()))
    case = Case(board="mps2-an386", model=str(path), passes="fold-pads")
    record = run_case(case, store=None).record
    assert record.case.passes == "fold-pads"
    assert record.model is not None
    assert record.model.imported == WorkPart(ops=2, macs=36 * 3 * 9 * 2, weights_bytes=54 + 12)
    assert [(p.name, p.left.ops) for p in record.model.passes] == [
        ("fold-constants", 2),
        ("fold-pads", 1),
        ("silence-channels", 1),
    ]
