"""Weights as ``armv7em/block_2x4.h`` reads them: two pixels and four channels at a time.

Of four channels the stream has where the sums begin, the weights as packed pairs, word by word of
the first pair and the second in turn, and what turns the sums into outputs, as for pairs. What is
left over of channels is made with those before it, once more.

It takes fewer cycles and more instructions than pairs of three pixels, by timings that say what a
load costs. So it is only for weights that are packed and channels that assembly rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv
from harness.ir import Graph
from harness.ir.ops import Conv2D
from harness.ir.tensor import Array
from harness.kernels.armv7em.filters import (
    UNIT,
    can_be_packed,
    dot,
    halfwords,
    parts_of,
    starts,
    wrapped,
)
from harness.kernels.armv7em.rounding import Rounding, Way, choose_rounding, needs_no_c
from harness.kernels.call import Constant, Fields, Name, Structs
from harness.kernels.convolution import folded_bias, live_weights
from harness.kernels.step_function import accumulator_reach

LANES = 2
"""Pixels."""

GROUP = 4
"""Channels."""


@lru_cache(maxsize=256)
def is_supported(graph: Graph, op: Conv2D) -> bool:
    """Return whether weights can be packed, and no channel is left to C."""
    if graph.tensor(op.outputs[0]).shape[3] < GROUP:
        return False
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    channels = grouped(len(weights))
    rows = weights.reshape(len(weights), -1)[channels]
    reach = accumulator_reach(rows, bias[channels], -128, 127)
    return can_be_packed(rows, reach) and needs_no_c(p, channels, reach)


def grouped(count: int) -> list[int]:
    """Return channels in whole groups; the last one has some of the group before if need be."""
    whole = count - count % GROUP
    return [*range(whole), *(range(count - GROUP, count) if whole < count else ())]


def filters(p: ConvParameters, weights: Array, bias: Array) -> Fields:
    """Return a ``filters_t`` of four channels or more; ``weights`` are in the order of the stream.

    A group whose channels are not rounded alike is rounded as the reference does.
    """
    count, units = len(weights), weights.shape[1] // UNIT
    channels = grouped(count)
    weights, bias = weights[channels], bias[channels]
    reach = accumulator_reach(weights, bias, -128, 127)
    rounding = choose_rounding(p, channels, reach, packed=True, group=GROUP, brief=0)
    rows = list[Fields]()
    for position, (way, groups) in enumerate(parts_of(rounding, count // GROUP)):
        stream = Constant(f"weights_{position}", _stream(weights, bias, rounding, way, groups))
        rows.append(
            {
                "block": Name(f"block_2x4_{rounding.name(way)}"),
                "first": channels[GROUP * groups[0]],
                "dot": dot(stream, units - 1, GROUP * len(groups), rounding),
            }
        )
    return {"count": len(rows), "parts": Structs("parts", "part_t", tuple(rows))}


def _stream(
    weights: Array, bias: Array, rounding: Rounding, way: Way, groups: Sequence[int]
) -> Array:
    """Return the stream of some groups as int32 [groups, words]."""
    count = len(weights) // GROUP
    start = wrapped(starts(bias, rounding.starts(way), packed=True)).reshape(count, GROUP)
    words = np.ascontiguousarray(halfwords(weights, packed=True)).view(np.int32)
    pairs = words.reshape(count, 2, -1).swapaxes(1, 2).reshape(count, -1)
    ends = wrapped(rounding.ends(way)).reshape(count, -1)
    stream: Array = np.concatenate([start, pairs, ends], axis=1)[list(groups)]
    return stream
