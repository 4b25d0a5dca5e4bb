"""The columns of a table of records: where each comes from, its type and its unit.

One row a record. A figure that a case did not reach is missing, never 0; instructions, cycles and
seconds have columns of their own, so that no mean can mix them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.results.record import LatencyPart, Record


class Kind(StrEnum):
    """What a column holds; the values are Arrow's names of types."""

    TEXT = "string"
    COUNT = "int64"
    NUMBER = "float64"
    TRUTH = "bool"
    TIME = "timestamp[us, tz=UTC]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``unit`` is empty where there is none.

    ``source`` is the record's field, as ``sram.arena_bytes``, or what works the value out.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    source: str | Callable[[Record], Any]

    def of(self, record: Record) -> Any:
        """Return a record's value, None where the record lacks the part that has it."""
        if not isinstance(self.source, str):
            return self.source(record)
        value: Any = record
        for name in self.source.split("."):
            value = getattr(value, name)
            if value is None:
                return None
        return value


def _model(record: Record) -> str:
    return record.model.name if record.model else Path(record.case.model).stem


def _board(record: Record) -> str:
    return record.board.name if record.board else Path(record.case.board).stem


def _device(record: Record) -> str:
    return record.device.kind if record.device else record.case.device.partition(":")[0]


def _created(record: Record) -> datetime:
    return datetime.fromisoformat(record.created)


def _flags(record: Record) -> str | None:
    return " ".join(record.toolchain.flags) if record.toolchain else None


def _patch(record: Record) -> str | None:
    if record.case.patch is None:
        return None
    ops, (down, across) = record.case.patch
    return f"{ops} ops, {down}x{across}"


def spread(latency: LatencyPart | None) -> float | None:
    """Return the largest sample less the smallest, None without any."""
    return max(latency.samples) - min(latency.samples) if latency and latency.samples else None


def _sample_count(record: Record) -> int | None:
    return len(record.latency.samples) if record.latency else None


T, N, F, B, AT = Kind.TEXT, Kind.COUNT, Kind.NUMBER, Kind.TRUTH, Kind.TIME
_C = Column

COLUMNS: tuple[Column, ...] = (
    _C("id", T, "", "name of the record", "id"),
    _C("created", AT, "", "when the case ended, UTC", _created),
    _C("status", T, "", "ok or failed", "status"),
    _C("error", T, "", "why it failed", "error.message"),
    _C("error_type", T, "", "class of the error", "error.type"),
    _C("tool_version", T, "", "version of bench", "tool.version"),
    _C("git_commit", T, "", "its commit, in a checkout", "tool.git_commit"),
    _C("dirty", B, "", "whether the checkout was changed", "tool.dirty"),
    _C("sweep", T, "", "the sweep it belongs to", "sweep.id"),
    _C("model", T, "", "name of the network", _model),
    _C("model_sha256", T, "", "of the .tflite", "model.sha256"),
    _C("weights", T, "", "pretrained, synthetic or user", "model.weights"),
    _C("macs", N, "MACs", "of one inference, after the passes", "model.macs"),
    _C("imported_macs", N, "MACs", "of one inference, as in the file", "model.imported.macs"),
    _C("passes", T, "", "which were asked for", "case.passes"),
    _C("parameters", N, "", "weights and biases, after the passes", "model.parameters"),
    _C("board", T, "", "name of the board", _board),
    _C("mcu", T, "", "its microcontroller", "board.mcu"),
    _C("core", T, "", "its core", "board.core"),
    _C("device", T, "", "what executed: hardware, renode, qemu, host, replay", _device),
    _C("stand_in", B, "", "whether a stand-in executed", "device.stand_in"),
    _C("caches", T, "", "on, off, not modelled, unknown", "latency.caches"),
    _C("schedule", T, "", "what was asked for", "case.schedule"),
    _C("chosen", T, "", "what the scheduler chose", "schedule.chosen"),
    _C("sram_limit_bytes", N, "B", "limit that was asked for", "case.sram_limit"),
    _C("flash_limit_bytes", N, "B", "limit that was asked for", "case.flash_limit"),
    _C("input_by_rows", B, "", "whether it came row by row", "case.input_by_rows"),
    _C("patch", T, "", "split that was asked for", _patch),
    _C("optimize", T, "", "cycles, instructions or size", "case.optimize"),
    _C("inputs", T, "", "seeded, or a file", "case.inputs"),
    _C("recompute_ratio", F, "", "MACs executed over the network's", "schedule.recompute_ratio"),
    _C("compiler", T, "", "its command", "toolchain.compiler"),
    _C("compiler_version", T, "", "what it says of itself", "toolchain.version"),
    _C("flags", T, "", "of the model's code", _flags),
    _C("kernels", T, "", "digest of all kernels' text", "toolchain.kernels"),
    _C("clock", T, "", "what counted", "latency.clock"),
    _C("instructions", N, "instructions", "one inference, emulated", "latency.instructions"),
    _C("cycles", N, "cycles", "one inference, on hardware", "latency.cycles"),
    _C("latency_s", F, "s", "one inference, hardware or host", "latency.latency_s"),
    _C("spread", F, "as the figure", "largest sample less least", lambda r: spread(r.latency)),
    _C("samples", N, "", "measured inferences", _sample_count),
    _C("arena_bytes", N, "B", "activations, as planned", "sram.arena_bytes"),
    _C("scratch_bytes", N, "B", "kernels' memory above the arena", "sram.scratch_bytes"),
    _C("static_bytes", N, "B", "variables of the runtime", "sram.static_bytes"),
    _C("stack_bytes", N, "B", "stack that was touched", "sram.stack_bytes"),
    _C("planned_peak_bytes", N, "B", "SRAM planned: arena and scratch", "sram.planned_peak_bytes"),
    _C("linked_bytes", N, "B", "SRAM that the linker reserved", "sram.linked_bytes"),
    _C("measured_peak_bytes", N, "B", "SRAM touched, by painting", "sram.measured_peak_bytes"),
    _C("code_bytes", N, "B", "code and constants in flash", "flash.code_bytes"),
    _C("weights_bytes", N, "B", "weights in flash", "flash.weights_bytes"),
    _C("flash_bytes", N, "B", "all of the image in flash", "flash.total_bytes"),
    _C("bit_exact", B, "", "whether all outputs are right", "correctness.bit_exact"),
    _C("max_abs_diff", F, "as the outputs", "largest difference", "correctness.max_abs_diff"),
)  # fmt: skip
