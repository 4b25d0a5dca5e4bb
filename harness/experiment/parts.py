"""Parts of a record from the values of the line: plan, firmware, what the device measured."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, TypedDict

from harness.codegen.sources import Sources
from harness.devices.clock import Clock, Unit
from harness.experiment.case import Planned
from harness.experiment.measure import Measured
from harness.ir.macs import graph_macs, graph_parameters, op_macs
from harness.models.catalog import ModelFile
from harness.results.plan_point import plan_point
from harness.results.record import (
    FirmwarePart,
    FlashPart,
    LatencyPart,
    ModelPart,
    OpPart,
    SchedulePart,
    SegmentPart,
    StatePart,
    ToolchainPart,
)
from harness.results.work import pass_parts, work_part
from harness.schedule.plan import Plan
from harness.telemetry.board_state import BoardState, Flag, Reset
from harness.telemetry.messages import Samples
from harness.toolchain.firmware import Firmware
from harness.toolchain.footprint import Symbol

_STEP = re.compile(r"(segment|op)_\d+_")


class _Figure(TypedDict, total=False):
    """The field of a latency or of an op that the clock's unit sets; seconds beside cycles."""

    instructions: int
    cycles: int
    latency_s: float


def model_part(model: ModelFile, planned: Planned) -> ModelPart:
    """Return which network runs, and what the passes left of it."""
    graph = planned.plan.graph
    return ModelPart(
        name=model.name,
        sha256=model.sha256,
        weights=model.weights.value,
        macs=graph_macs(graph),
        parameters=graph_parameters(graph),
        imported=work_part(planned.imported),
        passes=pass_parts(planned.stages),
    )


def state_part(state: BoardState) -> StatePart | None:
    """Return what the board said of itself, None if it said nothing."""
    part = StatePart(
        core=state.core,
        chip_id=state.chip_id,
        core_hz=state.core_hz or None,
        measured_hz=state.measured_hz or None,
        wait_states=state.wait_states if state.core_hz else None,
        enabled=tuple(str(flag.name).lower() for flag in state.flags),
        reset="" if state.reset is Reset.UNKNOWN else state.reset.name.lower(),
    )
    return None if part == StatePart() else part


def schedule_part(requested: str, plan: Plan) -> SchedulePart:
    """Return what was asked of the scheduler and what it chose."""
    point = plan_point(plan)
    return SchedulePart(
        requested=requested,
        chosen=point.schedule,
        input_by_rows=plan.fetches_input,
        recompute_ratio=point.recompute_ratio,
        segments=point.segments,
    )


def segments_with_code(
    segments: Sequence[SegmentPart], symbols: Iterable[Symbol]
) -> tuple[SegmentPart, ...]:
    """Return segments with the bytes of their functions, which are named after them.

    The functions of fused ops begin with ``segment_N_``, that of an op alone with ``op_N_``.
    """
    sizes: Counter[str] = Counter()
    for symbol in symbols:
        if name := _STEP.match(symbol.name):
            sizes[name[0]] += symbol.size_bytes
    return tuple(
        part.model_copy(
            update={"code_bytes": sizes[f"segment_{number}_"] or sizes[f"op_{part.first_op}_"]}
        )
        for number, part in enumerate(segments)
    )


def toolchain_part(firmware: Firmware) -> ToolchainPart:
    """Return what compiled the image."""
    return ToolchainPart(
        compiler=firmware.compiler,
        version=firmware.version,
        flags=firmware.flags,
        kernels=firmware.kernels,
        builder=firmware.builder,
    )


def firmware_part(firmware: Firmware) -> FirmwarePart:
    """Return which image it is."""
    return FirmwarePart(
        elf=str(firmware.elf), elf_sha256=firmware.elf_sha256, build_id=firmware.build_id
    )


def flash_part(firmware: Firmware) -> FlashPart:
    """Return what the image takes in flash."""
    footprint = firmware.footprint
    return FlashPart(
        code_bytes=footprint.code_bytes,
        weights_bytes=footprint.weights_bytes,
        total_bytes=footprint.flash_bytes,
    )


def latency_part(measured: Measured, warmup: int) -> LatencyPart:
    """Return the median inference with all samples."""
    figures = _figures(measured.clock, measured.latency)
    median = statistics.median_low(figures)
    figure = _figure(measured.clock, median)
    if measured.clock.hz:
        figure["latency_s"] = median / measured.clock.hz
    return LatencyPart(
        clock=measured.clock.name,
        caches=_caches(measured),
        overhead_ticks=measured.latency.overhead_ticks,
        warmup=warmup,
        samples=figures,
        **figure,
    )


def _caches(measured: Measured) -> Literal["on", "off", "not modelled", "unknown"]:
    """Return whether the core's caches were on, as far as the board told."""
    if measured.clock.unit is Unit.INSTRUCTIONS:
        return "not modelled"
    if not measured.state.core_hz:
        return "unknown"
    return "on" if measured.state.flags & (Flag.ICACHE | Flag.DCACHE) else "off"


def op_parts(plan: Plan, sources: Sources, measured: Measured) -> tuple[OpPart, ...]:
    """Return all ops in order; a step's figure stands at the last op that it executes."""
    graph = plan.graph
    segments = {op: segment.kind for segment in plan.segments for op in segment.ops}
    figures = dict(zip(sources.steps, _figures(measured.clock, measured.steps), strict=True))
    return tuple(
        OpPart(
            index=position,
            kind=op.kind,
            name=graph.tensor(op.outputs[0]).name,
            macs=op_macs(graph, op),
            segment=segments[position],
            **(_figure(measured.clock, figures[position]) if position in figures else _Figure()),
        )
        for position, op in enumerate(graph.ops)
    )


def _figures(clock: Clock, samples: Samples) -> tuple[float, ...]:
    return tuple(clock.measure(ticks, samples.overhead_ticks) for ticks in samples.ticks)


def _figure(clock: Clock, figure: float) -> _Figure:
    match clock.unit:
        case Unit.INSTRUCTIONS:
            return {"instructions": int(figure)}
        case Unit.CYCLES:
            return {"cycles": int(figure)}
        case Unit.SECONDS:
            return {"latency_s": figure}
