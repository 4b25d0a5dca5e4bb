"""From a graph and the name of a schedule to a plan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.errors import InputError, UsageError, near_names
from harness.ir import Graph
from harness.kernels.kernel_set import PORTABLE, KernelSet
from harness.passes.reshape_input import reshape_input
from harness.schedule.batches import Batches
from harness.schedule.choices import Choice, Choices
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import Axis, length
from harness.schedule.inplace import inplace_segments, layer_segments
from harness.schedule.layout import lay_out
from harness.schedule.limits import FlashLimit, does_not_fit
from harness.schedule.offer import Offer
from harness.schedule.patching import first_op, patch_plan, stages
from harness.schedule.plan import Plan, Segment
from harness.schedule.room import give_room
from harness.schedule.stream import Cut, Streams
from harness.schedule.streaming import stream_plan
from harness.schedule.verify import verify_plan
from harness.schedule.work import Work, estimated_instructions

SCHEDULES: tuple[str, ...] = ("layer", "inplace", "patch", "stream", "auto")
"""Names of the schedules, in the order in which they get better."""

_STRIPES = range(2, 9)
"""Into how many stripes ``auto`` may cut a stream."""

_CHUNKS = (None, 16, 8)
"""How many columns at a time ops that hand rows on pixel by pixel may make; None is all.

With fewer columns, what a kernel does once a call (constants of each channel) costs more than 5 %.
"""

_FEW = 5
"""How many clashes the search for fewer ops in place may find: networks have up to four."""

_PATCHES = (2, 3, 4, 6)
"""Into how many patches down and across ``auto`` may cut the first ops."""


def plan(
    graph: Graph,
    schedule: str = "inplace",
    *,
    kernels: KernelSet = PORTABLE,
    limit: int | None = None,
    flash: FlashLimit | None = None,
    input_by_rows: bool = False,
    patch: tuple[int, tuple[int, int]] | None = None,
) -> Plan:
    """Return the plan of a graph, replayed and found sound.

    ``kernels`` say what an op needs, may overwrite and costs. ``limit`` is in bytes: of the plans
    that fit, ``patch``, ``stream`` and ``auto`` take the one of least work, ``auto`` of those that
    fit into ``flash`` too. Without it ``auto`` takes the least work, ``patch`` the least peak at
    little recompute (``patching``), and ``stream`` few bytes at little more work than in place
    (``streaming``). ``input_by_rows`` delivers the model's input row by row, so that it is never
    whole; a RESHAPE that alone reads it is left out, and the rows are those of what it makes.
    ``patch`` sets the split by hand: the number of ops, and patches (down, across).

    Raises:
        UsageError: there is no such schedule, or it does not know such an option.
        InputError: the graph does not allow what is asked for.
        DoesNotFitError: no plan of this schedule fits into ``limit`` and ``flash``.
    """
    if schedule not in SCHEDULES:
        raise UsageError(
            f"no schedule is called '{schedule}'", hint=near_names(schedule, SCHEDULES)
        )
    if patch is not None and schedule != "patch":
        raise UsageError(
            f"schedule {schedule} has no patches to be set by hand", hint="take schedule patch"
        )
    if input_by_rows and schedule not in ("stream", "auto"):
        raise UsageError(
            f"schedule {schedule} needs the whole input", hint="take schedule stream or auto"
        )
    made = _plan(graph, kernels, schedule, limit, flash, input_by_rows, patch)
    if schedule != "auto" and flash is not None and not (flash.holds(made) or flash.excuses(made)):
        raise flash.refusal(made)
    verify_plan(made)
    return made


def assemble(
    graph: Graph, schedule: str, segments: Sequence[Segment], kernels: KernelSet = PORTABLE
) -> Plan:
    """Return the plan of segments chosen by hand, replayed and found sound."""
    made = lay_out(schedule, segments, Streams(Fusion(graph, kernels)))
    verify_plan(made)
    return made


def pareto(
    graph: Graph,
    kernels: KernelSet = PORTABLE,
    *,
    flash: FlashLimit | None = None,
    input_by_rows: bool = False,
) -> tuple[Plan, ...]:
    """Return the plans of which none has both less peak and less work, by falling peak.

    Raises:
        InputError: the input cannot come by rows.
        DoesNotFitError: no plan fits into ``flash``.
    """
    choices = _choices(graph, kernels, input_by_rows)
    offer = Offer("auto", choices, _offered(choices))
    front = tuple(offer.front())
    if flash is not None and not all(map(flash.holds, front)):
        front = tuple(offer.front(flash=flash.model_bytes))
        if not front:
            raise flash.refusal(_least_flash(offer, None))
    batches = Batches(choices)
    plans = _undominated([batches.spend(made, 0, flash) for made in front], choices.work)
    for made in plans:
        verify_plan(made)
    return plans


def _undominated(plans: Sequence[Plan], work: Work) -> tuple[Plan, ...]:
    """Return the plans, by falling peak, that do less work than all with a lower peak.

    Some have more room for batches than others, so what was a front before may be none after.
    """
    kept, least = list[Plan](), math.inf
    for made in reversed(plans):
        instructions = estimated_instructions(made, work)
        if instructions < least:
            kept, least = [*kept, made], instructions
    return tuple(reversed(kept))


def _plan(
    graph: Graph,
    kernels: KernelSet,
    schedule: str,
    limit: int | None,
    flash: FlashLimit | None,
    input_by_rows: bool,
    patch: tuple[int, tuple[int, int]] | None,
) -> Plan:
    match schedule:
        case "layer":
            streams = Streams(Fusion(graph, kernels))
            made = lay_out(schedule, layer_segments(graph), streams)
        case "inplace":
            made = _in_place(Choices(graph, kernels))
        case "patch":
            return give_room(patch_plan(Choices(graph, kernels), limit, patch), limit or 0)
        case "stream":
            choices = _choices(graph, kernels, input_by_rows)
            offer = Offer(schedule, choices, _kept(choices))
            in_place = None if input_by_rows else _in_place(choices)
            made = stream_plan(offer, Batches(choices), in_place, limit)
        case _:
            choices = _choices(graph, kernels, input_by_rows)
            offer = Offer(schedule, choices, _offered(choices))
            made = _auto(offer, limit, flash)
            if limit is None or (flash is not None and not flash.holds(made)):
                return Batches(choices).spend(made, limit or 0, flash)
            return Batches(choices).least_work(offer.front(limit), limit, flash)
    if limit is not None and made.planned_peak_bytes > limit:
        raise does_not_fit(made, limit)
    return made


def _in_place(choices: Choices) -> Plan:
    """Return all ops in place that can be, or fewer where the arena of fewer is smaller."""
    graph, kernels = choices.graph, choices.kernels
    made = lay_out("inplace", inplace_segments(graph, kernels), choices.streams)
    alone = (c for position in range(len(graph.ops)) for c in choices.singles(position))
    offer = Offer("inplace", choices, alone, most_clashes=_FEW, most_limits=1)
    least = offer.least()
    return least if least.planned_peak_bytes < made.planned_peak_bytes else made


def _auto(offer: Offer, limit: int | None, flash: FlashLimit | None) -> Plan:
    """Return the plan of least work within the limits.

    A limit of flash is looked at only where the plan without it is above it. Where none is within
    it, but for the slack, that of least flash is taken.
    """
    most = math.inf if limit is None else limit
    made = offer.within(most)
    if made is None:
        assert limit is not None, "each op is a segment by itself"
        raise does_not_fit(offer.least(), limit)
    if flash is not None and not flash.holds(made):
        found = offer.within(most, flash.model_bytes)
        made = found or _least_flash(offer, limit)
        if found is None and not flash.excuses(made):
            raise flash.refusal(made)
    return made


def _least_flash(offer: Offer, limit: int | None) -> Plan:
    least = offer.least_flash(math.inf if limit is None else limit)
    assert least is not None, "there is a plan without a limit of flash"
    return least


def _choices(graph: Graph, kernels: KernelSet, input_by_rows: bool) -> Choices:
    arriving = reshape_input(graph) if input_by_rows else graph
    choices = Choices(arriving, kernels, input_by_rows=input_by_rows)
    if input_by_rows and choices.fusion.why_not_by_rows:
        raise InputError(
            f"{graph.name}: the input cannot be delivered by rows: "
            f"{choices.fusion.why_not_by_rows}",
            hint="leave the input resident: take --input-by-rows away",
        )
    return choices


def _kept(choices: Choices) -> Iterator[Choice]:
    """Yield the choices that compute nothing twice."""
    for end in range(1, len(choices.graph.ops) + 1):
        yield from choices.singles(end - 1)
        if choices.fusion.starts[end] < end:
            yield from _streams(choices, end)


def _streams(choices: Choices, end: int) -> Iterator[Choice]:
    """Yield the streams that end before op ``end``, with the widest chunks that give the bytes."""
    least: dict[int, int] = {}
    for columns in _CHUNKS:
        for choice in choices.streams_to(end, Cut(chunk=columns)):
            known = least.get(choice.first)
            if known is None or choice.peak_bytes < known:
                least[choice.first] = choice.peak_bytes
                yield choice


def _offered(choices: Choices) -> Iterator[Choice]:
    """Yield all choices that can be part of a good plan.

    A fused choice is left out when its ops one by one need neither more bytes nor more work.
    """
    yield from _kept(choices)
    count = len(choices.graph.ops)
    singles = [min(choices.singles(i), key=_by_peak, default=None) for i in range(count)]

    def is_of_use(choice: Choice) -> bool:
        alone = singles[choice.first : choice.end]
        return any(one is None or one.peak_bytes > choice.peak_bytes for one in alone)

    for end in range(1, count + 1):
        if choices.fusion.starts[end] < end:
            width = length(choices.graph, choices.graph.ops[end - 1].outputs[0], Axis.COLUMNS)
            for stripes in _STRIPES:
                if stripes <= width:
                    yield from filter(is_of_use, choices.streams_to(end, Cut(stripes)))
    if not choices.input_by_rows:
        ends = choices.patches.ends(first_op(choices))
        yield from filter(is_of_use, stages(choices, [(p, p) for p in _PATCHES], ends))


def _by_peak(choice: Choice) -> tuple[float, float]:
    return choice.peak_bytes, choice.instructions
