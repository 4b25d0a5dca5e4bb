"""The table of a record: each figure with its kind, nothing that was not measured."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.report.tables import record_table
from harness.results.record import (
    BoardPart,
    CasePart,
    CorrectnessPart,
    DevicePart,
    GapPart,
    LatencyPart,
    ModelPart,
    OpPart,
    Record,
    SchedulePart,
    SegmentPart,
    SramPart,
    ToolPart,
    WorkPart,
)

CASE = CasePart(
    board="b", model="m", device="auto", schedule="auto", optimize="cycles", inputs="x.png",
    warmup=1, repeat=2,
)  # fmt: skip
COUNTED = LatencyPart(instructions=1200, clock="qemu-icount", warmup=1, samples=(1200, 1300))
SRAM = SramPart(
    arena_bytes=90, scratch_bytes=10, static_bytes=20, stack_bytes=30, planned_peak_bytes=100,
    linked_bytes=160, measured_peak_bytes=150,
    gaps=(GapPart(what="linked: static", bytes=60), GapPart(what="measured: stack", bytes=-10)),
)  # fmt: skip
RECORD = Record(
    status="ok",
    id="r",
    created="2026-01-01T00:00:00Z",
    tool=ToolPart(version="0"),
    case=CASE,
    model=ModelPart(name="m", sha256="0" * 64, weights="pretrained", macs=600, parameters=1),
    board=BoardPart(name="b", mcu="chip", core="cortex-m7"),
    device=DevicePart(kind="qemu", stand_in=True, detail="QEMU 7"),
    latency=COUNTED,
    sram=SRAM,
    correctness=CorrectnessPart(reference="r", bit_exact=True, max_abs_diff=0.0),
    answer="cat (90 %)",
    warnings=("[bold]as it is[/bold]",),
)


def shown(*, per_op: bool = False, **changes: object) -> str:
    """Return the table of the record with changes, its spaces squeezed."""
    console = Console(file=io.StringIO(), width=120)
    console.print(record_table(RECORD.model_copy(update=changes), per_op=per_op))
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_instructions_have_their_spread_and_no_seconds() -> None:
    said = shown()
    assert "1,200 instructions (median, n = 2, spread 100; clock: qemu-icount)" in said
    assert "600 MACs, 2.00 instructions each" in said
    assert " s (median" not in said
    assert "device: qemu (QEMU 7), a stand-in for the board" in said


def test_work_that_passes_took_away_is_told() -> None:
    imported = WorkPart(ops=1, macs=900, weights_bytes=1)
    assert RECORD.model is not None
    said = shown(model=RECORD.model.model_copy(update={"imported": imported}))
    assert "600 MACs of 900 as imported, 2.00 instructions each" in said


def test_cycles_and_seconds_are_called_so() -> None:
    cycles = LatencyPart(cycles=7000, clock="core-cycles", warmup=0, samples=(7000,))
    assert "7,000 cycles (median, n = 1, spread 0; clock: core-cycles)" in shown(latency=cycles)
    timed = LatencyPart(latency_s=0.0015, clock="host", warmup=0, samples=(0.0015, 0.0025))
    said = shown(latency=timed)
    assert "1.500 ms (median, n = 2, spread 1.000 ms; clock: host)" in said
    assert "each" not in said


def test_gaps_lead_from_planned_to_measured() -> None:
    said = shown()
    assert "planned 100 linked: static +60 measured: stack -10 measured 150" in said
    unpainted = SRAM.model_copy(update={"measured_peak_bytes": None, "gaps": SRAM.gaps[:1]})
    said = shown(sram=unpainted)
    assert "planned 100 linked: static +60 linked 160" in said
    assert "SRAM measured" not in said


def test_a_difference_says_how_large() -> None:
    wrong = CorrectnessPart(reference="r", bit_exact=False, max_abs_diff=3.0)
    assert "DIFFER, by up to 3" in shown(correctness=wrong)
    assert "bit-exact" in shown()


@pytest.mark.parametrize(
    ("inputs", "samples", "said"),
    [
        ("x.png", 2, "answer cat (90 %) latency"),
        ("seeded", 2, "answer cat (90 %), to random numbers latency"),
        ("x.npz", 6, "answer cat (90 %), to the first of 3 samples latency"),
    ],
)
def test_an_answer_says_to_what(inputs: str, samples: int, said: str) -> None:
    case = CASE.model_copy(update={"inputs": inputs})
    latency = COUNTED.model_copy(update={"samples": (1200.0,) * samples})
    assert said in shown(case=case, latency=latency)


def test_synthetic_weights_are_called_so() -> None:
    assert RECORD.model is not None
    model = RECORD.model.model_copy(update={"weights": "synthetic"})
    assert "weights: synthetic (seeded; figures hold for the architecture" in shown(model=model)


def test_ops_share_out_the_whole_and_steps_stand_at_their_last_op() -> None:
    ops = (
        OpPart(index=0, kind="PAD", name="p", macs=0, segment="stream"),
        OpPart(index=1, kind="CONV_2D", name="c", macs=100, segment="stream"),
        OpPart(index=2, kind="CONV_2D", name="d", macs=200, segment="stream", instructions=900),
        OpPart(index=3, kind="SOFTMAX", name="s", macs=0, segment="layer", instructions=300),
    )
    segments = (
        SegmentPart(kind="stream", first_op=0, last_op=2, code_bytes=1234),
        SegmentPart(kind="layer", first_op=3, last_op=3),
    )
    schedule = SchedulePart(
        requested="stream", chosen="stream", recompute_ratio=1.0, segments=segments
    )
    said = shown(per_op=True, ops=ops, schedule=schedule)
    assert (
        "0 PAD p ┌ stream 0 1,234 B 1 CONV_2D c │ 100 2 CONV_2D d └ 200 900 75.0% 3.00 "
        "3 SOFTMAX s layer 300 25.0%"
    ) in said
    assert "CONV_2D" not in shown(ops=ops, schedule=schedule)


def test_an_input_by_rows_is_told_beside_the_schedule() -> None:
    schedule = SchedulePart(
        requested="auto", chosen="stream", input_by_rows=True, recompute_ratio=1.25, segments=()
    )
    said = shown(schedule=schedule)
    assert "auto, which chose stream" in said
    assert "recompute 1.25; input by rows" in said


def test_warnings_are_printed_as_they_are() -> None:
    assert "warning: [bold]as it is[/bold]" in shown()
