"""All passes, in the order in which they run.

Each is bit-exact on its own: the graph after it computes what the graph before it did. The
verifier runs before the first, after the last and between every two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from harness.errors import MalformedModelError, UsageError, near_names
from harness.ir import Graph
from harness.ir.verify import verify
from harness.passes.convolve_one_channel import convolve_one_channel
from harness.passes.drop_empty_pads import drop_empty_pads
from harness.passes.fold_constants import fold_constants
from harness.passes.fold_pads import fold_pads
from harness.passes.fuse_quantize import fuse_quantize
from harness.passes.merge_reshapes import merge_reshapes
from harness.passes.remove_channels import remove_channels
from harness.passes.remove_dead import remove_dead
from harness.passes.silence_channels import silence_channels


@dataclass(frozen=True, slots=True)
class Pass:
    """A named rewrite; ``description`` is one line for people.

    Without one that ``is_required`` there are models that cannot run: shapes are not computed on a
    board, and a bias at the end of int32 would overflow.
    """

    name: str
    description: str
    rewrite: Callable[[Graph], Graph]
    is_required: bool = False


PASSES: tuple[Pass, ...] = (
    Pass("fold-constants", "evaluate ops whose inputs are all known", fold_constants, True),
    Pass("merge-reshapes", "merge chains of RESHAPE, drop idle ones", merge_reshapes),
    Pass("drop-empty-pads", "drop PADs that pad nothing", drop_empty_pads),
    Pass("fold-pads", "let convolutions and max pools do their own padding", fold_pads),
    Pass("fuse-quantize", "join changes of scale where every value stays the same", fuse_quantize),
    Pass(
        "convolve-one-channel",
        "run depthwise convolutions of one channel as convolutions",
        convolve_one_channel,
    ),
    Pass("silence-channels", "zero the weights of constant channels", silence_channels, True),
    Pass("remove-constant-channels", "fold constant channels into their readers", remove_channels),
    Pass("remove-dead", "remove ops and tensors that no output needs", remove_dead),
)


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The graph after a pass."""

    name: str
    graph: Graph


def run_passes(graph: Graph, names: Collection[str] | None = None) -> Graph:
    """Return the graph after all passes, or after those named, always in the listed order.

    Raises:
        UsageError: a name that no pass has.
        MalformedModelError: the graph is not sound to begin with.
    """
    stages = trace_passes(graph, names)
    return stages[-1].graph if stages else graph


def trace_passes(graph: Graph, names: Collection[str] | None = None) -> tuple[Stage, ...]:
    """Return what each pass of :func:`run_passes` made; raises as that does."""
    known = [p.name for p in PASSES]
    for name in names or ():
        if name not in known:
            raise UsageError(f"no pass is called '{name}'", hint=near_names(name, known))
    verify(graph)
    stages: list[Stage] = []
    for p in PASSES:
        if names is None or p.name in names:
            graph = _checked(p, graph)
            stages.append(Stage(p.name, graph))
    return tuple(stages)


def _checked(p: Pass, graph: Graph) -> Graph:
    rewritten = p.rewrite(graph)
    try:
        verify(rewritten)
    except MalformedModelError as error:
        raise AssertionError(f"pass {p.name} broke the graph: {error.message}") from error
    return rewritten
