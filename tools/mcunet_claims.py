"""What the papers on MCUNet claim, checked with our own figures, whatever comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.importer.tflite import read_tflite
from harness.models.catalog import find_model
from harness.passes.pipeline import run_passes
from harness.report.formats import Sheet
from harness.results.record import Record
from harness.schedule.search import plan
from harness.schedule.timeline import peak

PATCHED = "mobilenet-v2"


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, what our figures say of it, and whether it holds here."""

    text: str
    source: str
    ours: str
    holds: bool


def claims(records: Sequence[Record]) -> list[Claim]:
    """Return the papers' claims that our figures can speak to."""
    cases = {(r.case.model, r.case.schedule): r for r in records if r.sram and r.schedule}
    found = []
    if all((PATCHED, schedule) in cases for schedule in ("layer", "patch", "stream")):
        found.append(less_memory(*(cases[PATCHED, s] for s in ("layer", "patch", "stream"))))
    watching = [r for r in cases.values() if "vww" in r.case.model]
    if watching:
        found.append(in_32_kb(watching))
    return [*found, first_third(dict.fromkeys(r.case.model for r in records))]


def less_memory(layer: Record, *others: Record) -> Claim:
    """MCUNetV2, table 1: MobileNetV2 in an eighth of the memory for a tenth more MACs."""
    told, holds = [], False
    for record in others:
        assert layer.sram is not None
        assert record.sram is not None
        assert record.schedule is not None
        ratio = layer.sram.planned_peak_bytes / record.sram.planned_peak_bytes
        work = record.schedule.recompute_ratio
        told.append(f"{record.case.schedule} {ratio:.1f} times less at {work:.3f} times the MACs")
        holds |= ratio >= 8 and work <= 1.10
    return Claim(
        "MobileNetV2 at 224 x 224: 8 times less peak memory for 10 % more MACs",
        "MCUNetV2, arXiv:2110.15352, table 1",
        "; ".join(told),
        holds,
    )


def in_32_kb(records: Sequence[Record]) -> Claim:
    """MCUNetV2, section 4: visual wake words under 32 kB."""
    peaks: dict[str, int] = {}
    for record in records:
        assert record.sram is not None
        size = record.sram.measured_peak_bytes
        if size is not None:
            peaks[record.case.model] = min(size, peaks.get(record.case.model, size))
    told = ", ".join(f"{model} {size:,} B" for model, size in sorted(peaks.items()))
    return Claim(
        "Visual wake words runs within 32 kB of SRAM (the paper's own network, over 90 % right)",
        "MCUNetV2, arXiv:2110.15352, section 4",
        f"measured, least schedule: {told} (these networks are less accurate)",
        bool(peaks) and min(peaks.values()) <= 32 * 1024,
    )


def first_third(models: Iterable[str]) -> Claim:
    """MCUNetV2, figure 1: the first blocks hold the peak."""
    places = {model: peak_place(model) for model in models}
    late = [model for model, place in places.items() if place > 1 / 3]
    told = ", ".join(f"{model} {place:.0%}" for model, place in places.items())
    return Claim(
        "Layer by layer, the first third of the ops holds the peak",
        "MCUNetV2, arXiv:2110.15352, figure 1 and section 3",
        f"the peak lies, of all ops, at {told}",
        not late,
    )


def peak_place(model: str) -> float:
    """Return where the peak of a layer-by-layer plan lies: 0 at the first op, 1 at the last."""
    file = find_model(model)
    graph = run_passes(read_tflite(file.data, name=file.name))
    made = plan(graph, "layer")
    segment = made.segments[min(max(peak(made).segment, 0), len(made.segments) - 1)]
    return segment.ops.start / max(len(graph.ops) - 1, 1)


def claims_sheet(checked: Sequence[Claim]) -> Sheet:
    """Return the claims as a table."""
    rows = tuple((c.text, c.source, c.ours, "holds" if c.holds else "does not") for c in checked)
    return Sheet("The papers' claims with our figures", ("claim", "source", "ours", "here"), rows)
