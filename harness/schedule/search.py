"""From a graph and the name of a schedule to a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

from harness.errors import InputError, UsageError, near_names
from harness.ir import Graph
from harness.schedule.assemble import assemble
from harness.schedule.choices import Choice, Choices
from harness.schedule.inplace import inplace_segments, layer_segments
from harness.schedule.offer import Offer
from harness.schedule.plan import Plan, Segment
from harness.schedule.verify import verify_plan

_SEGMENTS: MappingProxyType[str, Callable[[Graph], tuple[Segment, ...]]] = MappingProxyType(
    {"layer": layer_segments, "inplace": inplace_segments}
)

SCHEDULES: tuple[str, ...] = (*_SEGMENTS, "stream")
"""Names of the schedules, in the order in which they get better."""


def plan(graph: Graph, schedule: str = "inplace", *, input_by_rows: bool = False) -> Plan:
    """Return the plan of a graph, replayed and found sound.

    Raises UsageError when there is no such schedule, InputError when the graph does not allow it.
    """
    if schedule not in SCHEDULES:
        raise UsageError(
            f"no schedule is called '{schedule}'", hint=near_names(schedule, SCHEDULES)
        )
    if schedule == "stream":
        made = _stream(graph, input_by_rows)
    else:
        made = assemble(graph, schedule, _SEGMENTS[schedule](graph))
    verify_plan(made)
    return made


def _stream(graph: Graph, input_by_rows: bool) -> Plan:
    """Return the plan of least peak in which nothing is computed twice, the cheapest of those."""
    choices = Choices(graph, input_by_rows=input_by_rows)
    if input_by_rows and choices.fusion.input_by_rows is None:
        raise InputError(f"{graph.name}: the input cannot be delivered by rows")
    return Offer(choices, _offered(choices)).least("stream")


def _offered(choices: Choices) -> Iterator[Choice]:
    for end in range(1, len(choices.graph.ops) + 1):
        yield from choices.singles(end - 1)
        if choices.fusion.starts[end] < end:
            yield from choices.streams_to(end)
