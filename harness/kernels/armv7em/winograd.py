"""Calls of 3x3 convolutions by Winograd's F(2x2, 3x3), exactly (arXiv:1509.09308, section 4.1).

For a 3x3 filter g and a tile d of 4x4 cells the four outputs are ``A' [(G g G') * (B' d B)] A``,
with 16 products instead of 36. All but G are matrices of 0, 1 and -1, and G is one of halves: with
2 G the weights are integers and the outputs four times as large, which costs nothing where they
are rounded. Nothing else is rounded, so this is the convolution itself.

It takes 32 bytes of flash for the 9 of a filter, so it is only for those who ask for the fewest
instructions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.arithmetic import prepare_conv
from harness.ir import Graph
from harness.ir.ops import Conv2D
from harness.ir.tensor import Array
from harness.kernels.armv7em.filters import LANES, UNROLLED, exact_channels, parts_of, wrapped
from harness.kernels.armv7em.rounding import Rounding, Way, choose_rounding
from harness.kernels.call import SCRATCH, Call, Constant, Fields, Name, Structs, X, Y
from harness.kernels.convolution import folded_bias, live_weights, shape
from harness.kernels.step_function import accumulator_reach
from harness.kernels.variant import Variant

_NAME = "armv7em winograd"
_HEADER = "armv7em/winograd.h"

SCALE = 2
"""By how many bits the sums are larger than accumulators."""

_MOST = 1 << (31 - SCALE)

_FILTER = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, -2]], np.int64)
"""2 G, its last row negated: the kernel then only adds."""

_ORDER = (1, 2, 0, 3)
"""Of the rows and columns of a tile, as the kernel needs them."""

_CELLS = (0, 2, 1, 3)
"""Of four channels, as SXTB16 takes them."""

_UNIT_BYTES = 30
"""Code of the inner loop for two channels."""


def winograd(graph: Graph, op: Conv2D) -> Iterator[Variant]:
    """Yield the variant of a convolution that it suits, if that takes fewer instructions."""
    if not is_supported(graph, op):
        return
    count = instructions(graph, op)
    if count >= gathered_instructions(graph, op):
        return
    depth = graph.tensor(op.inputs[0]).shape[3]

    def calls() -> tuple[Call, ...]:
        parameters = _parameters(graph, op)
        return (Call(_HEADER, "dsp_winograd", "dsp_winograd_t", parameters, (X, Y, SCRATCH)),)

    # A word of each tile for 16 values and two channels each, and a tile at the border.
    yield Variant(_NAME, calls, (16 * LANES * 2 + 16) * depth, count)


def transformed(weights: Array) -> Array:
    """Return weights [channels, 3, 3, depth] as [channels, 4, 4, depth], times four.

    Rows and columns are in the order of the kernel.
    """
    tiles = np.einsum("ik,ckld,jl->cijd", _FILTER, weights.astype(np.int64), _FILTER)
    ordered: Array = tiles[:, _ORDER][:, :, _ORDER]
    return ordered


def is_supported(graph: Graph, op: Conv2D) -> bool:
    """Return whether the kernel makes tiles of the op, and nothing overflows.

    A value of a tile is a sum of four cells, one of the weights at most of nine: both fit 16 bits.
    Of what is summed up only the outputs, four times as large, need to fit 32.
    """
    w, depth = op.window, graph.tensor(op.inputs[0]).shape[3]
    if w.kernel != (3, 3) or w.stride != (1, 1) or w.dilation != (1, 1):
        return False
    if depth % 4 or graph.tensor(op.outputs[0]).shape[3] < 2:
        return False
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    least, most = _reach(weights, folded_bias(graph, op, p, weights, axis=0))
    return bool(least.min() >= -_MOST and most.max() < _MOST)


def instructions(graph: Graph, op: Conv2D) -> float:
    """Return what the loops execute: within a few percent, since rounding takes more or less."""
    _, height, width, channels = graph.tensor(op.outputs[0]).shape
    depth, pairs = graph.tensor(op.inputs[0]).shape[3], -(-channels // 2)
    blocks = -(-(-(-height // 2) * -(-width // 2)) // LANES)
    transforms = LANES * (51 * depth + 220)
    sums = 64 * depth + 32 * _rounds(depth) + 420
    return float(blocks * (transforms + pairs * sums))


def gathered_instructions(graph: Graph, op: Conv2D) -> float:
    """Return what the loops of the other way execute at least: without windows at the border."""
    _, height, width, channels = graph.tensor(op.outputs[0]).shape
    depth, pairs = graph.tensor(op.inputs[0]).shape[3], -(-channels // 2)
    return float(-(-height * width // LANES) * (29 * depth + 52 + pairs * (39 * depth + 32)))


def _rounds(depth: int) -> int:
    """Return the rounds of the loop over the depth; the first two channels are done before it."""
    return -(-(depth // 2 - 1) // UNROLLED)


def _reach(weights: Array, bias: Array) -> tuple[Array, Array]:
    return accumulator_reach(weights.reshape(len(weights), -1), bias, -128, 127)


def _parameters(graph: Graph, op: Conv2D) -> Fields:
    """Return a ``dsp_winograd_t``; an odd last channel is made once more with the one before it."""
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    even = len(weights) - len(weights) % 2
    channels = [*range(even), *([even - 1, even] if even < len(weights) else [])]
    weights, bias = weights[channels], bias[channels]
    rounding = choose_rounding(
        p, channels, _reach(weights, bias), packed=False, group=2, scale=SCALE
    )
    values = transformed(weights)
    ways = parts_of(rounding, even // 2)
    parts = list[Fields]()
    for position, (way, pairs) in enumerate(ways):
        stream = _stream(values, bias, rounding, way)[list(pairs)]
        parts.append(
            {
                "outputs": Name("tiles_exactly" if way is Way.EXACT else _outputs(rounding, way)),
                "stream": Constant(f"weights_{position}", stream),
                "first": channels[2 * pairs[0]],
                "channels": 2 * len(pairs),
            }
        )
    depth = weights.shape[3]
    skipped = UNROLLED * _rounds(depth) - (depth // 2 - 1)
    is_exact = Way.EXACT in [way for way, _ in ways]
    return {
        "x": shape(graph.tensor(op.inputs[0]).shape[1:]),
        "y": shape(graph.tensor(op.outputs[0]).shape[1:]),
        "pad": (op.window.padding.top, op.window.padding.left),
        "padding": graph.tensor(op.inputs[0]).zero_point,
        "depth": {"skip": _UNIT_BYTES * skipped, "loops": _rounds(depth)},
        "count": len(parts),
        "parts": Structs("parts", "tiles_part_t", tuple(parts)),
        **({"exact": Structs("exact", "channels_t", (exact_channels(p),))} if is_exact else {}),
    }


def _outputs(rounding: Rounding, way: Way) -> str:
    return f"tiles_{rounding.name(way)}"


def _stream(values: Array, bias: Array, rounding: Rounding, way: Way) -> Array:
    """Return where sums begin, weights, and numbers of each pair of channels: int32 [pairs, words].

    The bias is where the sum of the first of the 16 begins, which all four outputs contain.
    """
    pairs, depth = len(values) // 2, values.shape[3]
    order = [4 * four + cell for four in range(depth // 4) for cell in _CELLS]
    halves = values[..., order].astype(np.int16)
    # [pairs, channels, row, words of a row], and the two channels' words in turn.
    words = np.ascontiguousarray(halves).view(np.int32).reshape(pairs, 2, 4, 2 * depth)
    rows = np.moveaxis(words, 1, 3).reshape(pairs, 4, 4 * depth)
    starts = np.zeros((pairs, 4, 2), np.int32)
    starts[:, 0] = wrapped((bias.astype(np.int64) << SCALE) + rounding.starts(way)).reshape(-1, 2)
    sums = np.concatenate([starts, rows], axis=2).reshape(pairs, -1)
    stream: Array = np.concatenate([sums, wrapped(_numbers(rounding, way))], axis=1)
    return stream


def _numbers(rounding: Rounding, way: Way) -> Array:
    """Return what turns the sums of each pair into outputs, and the clamp if there is one."""
    pairs = len(rounding.ways)
    match way:
        case Way.LINE:
            each: tuple[Array, ...] = tuple(rounding.lines.numbers)
        case Way.ROUND:
            multipliers, shifts = rounding.rounds
            each = (multipliers, shifts - 1, rounding.point << (shifts - 1))
        case Way.EXACT:
            return np.zeros((pairs, 0), np.int64)
    numbers = np.stack(each, axis=1).reshape(pairs, -1)
    if not any(rounding.clamp):
        return numbers
    clamp = np.array(rounding.clamp, np.int64) * 0x01010101
    clamped: Array = np.concatenate([numbers, np.tile(clamp, (pairs, 1))], axis=1)
    return clamped
