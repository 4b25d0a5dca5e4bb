"""The report on kernels: ratios, spreads and verdicts from rows made by hand."""

from __future__ import annotations

from harness.comparison.published import Line, OpLine, Published, Source
from harness.report.kernel_report import CaseRow, OpRow, markdown

PEERS = Published(
    title="peers",
    sources={"s": Source(what="w", url="https://example.org")},
    lines=(
        Line(model="a", system="TFLM + CMSIS-NN", source="s", instructions_millions=4.0),
        Line(model="b", system="TFLM + CMSIS-NN", source="s", instructions_millions=1.0),
        Line(model="a", system="TinyEngine", source="s", instructions_millions=2.0, note="wrong"),
    ),
    ops=(OpLine(op="pointwise", system="TinyEngine", source="s", instructions_a_mac=(2.0, 3.0)),),
)


def case(model: str, instructions: int, **fields: object) -> CaseRow:
    figures = {
        "core": "cortex-m4",
        "imported_macs": 1_000_000,
        "imported_weights_bytes": 1000,
        "macs": 500_000,
        "code_bytes": 9_000,
        "model_code_bytes": 4_000,
        "weights_bytes": 900,
        "flash_bytes": 10_000,
        "bit_exact": True,
    }
    return CaseRow(model=model, instructions=instructions, **(figures | fields))  # type: ignore[arg-type]


def ops(model: str, instructions: int, macs: int, op: str = "pointwise") -> OpRow:
    return OpRow(
        core="cortex-m4", model=model, op=op, macs=macs, outputs=10, instructions=instructions
    )


CASES = [
    case("a", 1_000_000, estimated_cycles=1_500_000, open_cycles=20_000),
    case("a", 900_000, optimize="instructions", estimated_cycles=1_600_000, open_cycles=30_000),
    case(
        "a",
        1_200_000,
        timing="cortex-m4",
        estimated_cycles=1_350_000,
        open_cycles=20_000,
        flash_bytes=11_500,
    ),
    case("b", 4_000_000, flash_bytes=50_000),
    case("a", 3_000_000, passes="-remove-constant-channels", macs=1_000_000),
    case("a", 9_000_000, core="cortex-m3", bit_exact=False),
    CaseRow(core="cortex-m3", model="b", why_not="too large"),
]
OPS = [
    ops("a", 900_000, 450_000),
    ops("b", 3_000_000, 1_000_000),
    ops("a", 40, 0, "binary"),
    OpRow(core="cortex-m4", model="a", op="shared", code_bytes=1_500),
]
TEXT = markdown(CASES, OPS, PEERS)


def test_ratios_are_of_whole_inferences() -> None:
    row = "| a | 1,000,000 | 500,000 | 1.000 | 3.000 | 4.000 | 0.25 | 2.000 | 0.50 |"
    assert row in TEXT
    assert "geometric mean 1.00, at most 4.00, over 2 networks" in TEXT
    assert "- TinyEngine on a: wrong." in TEXT


def test_a_class_has_its_least_its_most_and_all() -> None:
    assert "| pointwise | 2.00 to 3.00; 2.69 |  | 2 to 3 |" in TEXT
    assert "| binary | 4.00 | 4.00 | 4.00 |" in TEXT


def test_flash_is_told_by_part_with_a_verdict() -> None:
    assert "| a | 1,000 | 900 | 2,500 | 1,500 | 5,000 | 10,000 | 9,000 |" in TEXT
    assert "all but b." in TEXT


def test_what_is_not_exact_or_did_not_run_is_told() -> None:
    assert "5 of 6 cases" in " ".join(TEXT.split())
    assert "- a (cortex-m3): outputs differ from the reference" in TEXT
    assert "- b (cortex-m3): too large" in TEXT


def test_the_gain_of_removing_channels_is_told_only_where_there_is_one() -> None:
    row = "| a | 1,000,000 | 500,000 | 3,000,000 | 1,000,000 | 10,000 | 10,000 |"
    assert row in TEXT


def test_both_choices_of_loops_stand_side_by_side() -> None:
    assert "| a | 1.000 | 1.200 | 1.20 | 1.500 | 1.350 | 0.90 | +1,500 |" in TEXT


def test_cycles_stand_beside_instructions_as_estimates_of_a_table() -> None:
    row = "| a | 1.000 | 1.500 ± 0.020 | 4,000 | 0.900 | 1.600 ± 0.030 | 4,000 |  |  |  |"
    assert row in TEXT
    assert "estimated by Arm DDI 0439B, 3.3, zero wait states, not measured" in TEXT
