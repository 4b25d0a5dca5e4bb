"""Calls of fully connected ops, and of convolutions that are one: a single window, no padding.

A :class:`Form` says how the input gets the 16 bits that the inner loop multiplies: whole, piece by
piece, or as it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv, prepare_fully_connected
from harness.ir import Graph
from harness.ir.ops import Conv2D, FullyConnected
from harness.ir.tensor import Array
from harness.kernels.armv7em.filters import (
    UNIT,
    can_be_packed,
    dot,
    exactly,
    halfwords,
    ordered,
    parts_of,
    starts,
    wrapped,
)
from harness.kernels.armv7em.rounding import Rounding, Way, choose_rounding
from harness.kernels.call import SCRATCH, Call, Constant, Fields, Name, RowCall, Structs, X, Y
from harness.kernels.convolution import folded_bias, live_weights, shape, window
from harness.kernels.step_function import accumulator_reach
from harness.kernels.variant import RowVariant, Variant

_NAME = "armv7em"
_HEADER = "armv7em/fully_connected.h"
_TYPE = "dsp_fully_connected_t"

_GROUP = 4
"""Channels that are made together."""

_PIECE = 256
"""Values of a piece: what is done once a piece takes 1.4 % of its products then. A shorter input is
expanded whole."""

_FEW_CHANNELS = 12
"""With as few it takes no longer to expand the input for each four of them than once before."""


_UNIT_INSTRUCTIONS, _BYTES_INSTRUCTIONS, _EXPAND_INSTRUCTIONS, _FOUR_INSTRUCTIONS = 14, 16, 5, 24
"""What the loops take for a unit and four channels, the same as it is read, to expand a unit, and
for four channels besides."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a row of ``depth`` values is expanded for ``out`` channels: ``piece`` of them at a time.

    With 0 they are expanded as they are read, for each four channels again. A piece is all of them,
    or whole rounds of the inner loop.
    """

    depth: int
    out: int
    piece: int

    @property
    def before(self) -> int:
        """Pieces before the last."""
        return (self.depth - 1) // self.piece if self.piece else 0

    @property
    def last(self) -> slice:
        """The values of the last piece."""
        return slice(self.before * self.piece, None)

    @property
    def prefix(self) -> str:
        """What the names of C functions begin with that make outputs."""
        if not self.piece:
            return "quads_bytes"
        return "quads_on" if self.before else "quads"

    @property
    def scratch_bytes(self) -> int:
        """Bytes of an expanded piece, and of the sums that are kept between pieces."""
        sums = 4 * _whole(self.out, _GROUP) if self.before else 0
        return sums + 2 * _whole(self.piece, UNIT)

    @property
    def instructions(self) -> float:
        """What the loops execute for a row, roughly."""
        fours, units = -(-self.out // _GROUP), -(-self.depth // UNIT)
        products = _UNIT_INSTRUCTIONS if self.piece else _BYTES_INSTRUCTIONS
        expanded = _EXPAND_INSTRUCTIONS * units if self.piece else 0.0
        return fours * (products * units + _FOUR_INSTRUCTIONS) + expanded

    def row_loops(self, rows: int, columns: int, *, in_batches: bool) -> float:
        """Return what the loops execute for rows, in which there is one column."""
        del in_batches  # there is no other way
        return rows * columns * self.instructions


def fully_connected(
    graph: Graph, op: FullyConnected | Conv2D, operand: int | None
) -> Iterator[Variant]:
    """Yield the variant of a fully connected op; a convolution may be done over its input."""
    *expanding, reading = _forms(graph, op)
    form = reading if operand is None and _has_few_channels(reading) else expanding[-1]

    def calls() -> tuple[Call, ...]:
        parameters = _fields(graph, op, form)
        function = "dsp_fully_connected"
        if not form.piece:
            return (Call(_HEADER, f"{function}_bytes", _TYPE, parameters, (X, Y)),)
        if operand is None:
            return (Call(_HEADER, function, _TYPE, parameters, (X, Y, SCRATCH)),)
        return (Call(_HEADER, f"{function}_inplace", _TYPE, parameters, (Y, SCRATCH)),)

    pixels = graph.tensor(op.outputs[0]).elements // form.out
    yield Variant(_NAME, calls, form.scratch_bytes, loops=pixels * form.instructions)


def fully_connected_row(graph: Graph, op: FullyConnected | Conv2D) -> Iterator[RowVariant]:
    """Yield the variants of a fully connected op on a single pixel, with less and less scratch."""

    def calls(form: Form) -> tuple[RowCall, ...]:
        parameters = _fields(graph, op, form)
        is_expanded = form.piece > 0
        function = "dsp_fully_connected_row" if is_expanded else "dsp_fully_connected_bytes_row"
        return (RowCall(_HEADER, function, _TYPE, parameters, takes_scratch=is_expanded),)

    for form in _row_forms(graph, op):
        yield RowVariant(_NAME, partial(calls, form), form.scratch_bytes, loops=form.row_loops)


def window_row(graph: Graph, op: Conv2D) -> Iterator[RowVariant]:
    """Yield the variants of a convolution whose output rows are one pixel, likewise."""
    x = graph.tensor(op.inputs[0])

    def calls(form: Form) -> tuple[RowCall, ...]:
        parameters: Fields = {
            "x": shape(x.shape[1:]),
            "window": window(op.window),
            "padding": x.zero_point,
            "cells_bytes": _whole(form.depth, UNIT),
            "dense": _fields(graph, op, form),
        }
        function = "dsp_window_row" if form.piece else "dsp_window_bytes_row"
        return (RowCall(_HEADER, function, "dsp_window_t", parameters, takes_scratch=True),)

    for form in _row_forms(graph, op):
        scratch = _whole(form.depth, UNIT) + form.scratch_bytes
        yield RowVariant(_NAME, partial(calls, form), scratch, loops=form.row_loops)


def _row_forms(graph: Graph, op: FullyConnected | Conv2D) -> list[Form]:
    """Return forms of less and less scratch for rows."""
    forms = _forms(graph, op)
    return forms[-1:] if _has_few_channels(forms[-1]) else forms


def _forms(graph: Graph, op: FullyConnected | Conv2D) -> list[Form]:
    """Return forms of less and less scratch; all but the last read a row before they write.

    There are pieces where they halve it, sums included, since they need code of their own.
    """
    depth, out = _shape(graph, op)
    whole, pieces, reading = (Form(depth, out, piece) for piece in (depth, _PIECE, 0))
    halved = 2 * pieces.scratch_bytes <= whole.scratch_bytes
    return [whole, pieces, reading] if halved else [whole, reading]


def _has_few_channels(form: Form) -> bool:
    """Return whether a long input is best not expanded before."""
    return form.out <= _FEW_CHANNELS and form.depth > _PIECE


def _shape(graph: Graph, op: FullyConnected | Conv2D) -> tuple[int, int]:
    """Return the values of a row, and the channels."""
    weights = graph.tensor(op.inputs[1])
    return weights.elements // weights.shape[0], weights.shape[0]


def _whole(count: int, unit: int) -> int:
    return -(-count // unit) * unit


def is_fully_connected(graph: Graph, op: Conv2D) -> bool:
    """Return whether a convolution has one window, which is all of its input."""
    _, height, width, _ = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.tensor(op.outputs[0]).shape
    is_single = rows == columns == 1 and op.window.padding.is_zero
    return is_single and op.window.kernel == (height, width)


def _fields(graph: Graph, op: FullyConnected | Conv2D, form: Form) -> Fields:
    """Return a ``dsp_fully_connected_t``."""
    p = prepare_conv(graph, op) if isinstance(op, Conv2D) else prepare_fully_connected(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    weights = weights.reshape(len(weights), -1)
    order = [value for first in range(0, form.depth, UNIT) for value in _expanded(first, form)]
    return {
        "batch": graph.tensor(op.outputs[0]).elements // form.out,
        "in": form.depth,
        "out": form.out,
        **_parts(p, ordered(weights, order), bias, form),
    }


def _expanded(first: int, form: Form) -> Iterator[int]:
    """Yield the values of a word in the order in which they are expanded; -1 is none."""
    for value in (first, first + 2, first + 1, first + 3):
        yield value if value < form.depth else -1


def _parts(p: ConvParameters, weights: Array, bias: Array, form: Form) -> Fields:
    """Return the parts and the pieces; channels are padded to whole fours."""
    padding = -form.out % _GROUP
    weights, bias = np.pad(weights, [(0, padding), (0, 0)]), np.pad(bias, (0, padding))
    reach = accumulator_reach(weights, bias, -128, 127)
    packed = can_be_packed(weights, reach)
    channels = [*range(form.out), *[form.out - 1] * padding]
    rounding = choose_rounding(p, channels, reach, packed=packed, group=_GROUP)
    parts = parts_of(rounding.ways, form.out // _GROUP)
    begins = np.concatenate([_starts(bias, rounding, way, packed)[list(q)] for way, q in parts])
    words = _words(weights[:, form.last], packed=packed)
    kind = "packed" if packed else "plain"
    prefix = f"{form.prefix}_{kind}"
    rows = list[Fields]()
    for position, (way, quads) in enumerate(parts):
        some = list(quads)
        ends = wrapped(rounding.ends(way)).reshape(len(begins), -1)[some]
        streams = [words[some], ends] if form.before else [begins[some], words[some], ends]
        stream = Constant(f"weights_{position}", np.concatenate(streams, axis=1))
        first = _GROUP * quads[0]
        called: Fields = (
            {} if way is Way.EXACT else {"quads": Name(f"{prefix}_{rounding.name(way)}")}
        )
        rows.append(
            {
                **called,
                "first": first,
                "count": min(_GROUP * len(quads), form.out - first),
                "dot": dot(stream, words.shape[1] // UNIT, _GROUP * len(quads), rounding),
            }
        )
    return {
        "count": len(rows),
        "parts": Structs("parts", "quads_t", tuple(rows)),
        **exactly(p, Name("make_quads_exactly"), Name(f"{prefix}_sums"), [w for w, _ in parts]),
        **_pieces(weights, begins, rounding, form, kind),
    }


def _pieces(weights: Array, begins: Array, rounding: Rounding, form: Form, kind: str) -> Fields:
    """Return a table of one ``pieces_t``, or nothing if there is but one piece."""
    if not form.before:
        return {}
    pieces = [slice(i * form.piece, (i + 1) * form.piece) for i in range(form.before)]
    words = np.stack([_words(weights[:, piece], packed=kind == "packed") for piece in pieces])
    called: Fields = {
        "add": Name(f"quads_{kind}_add"),
        "count": form.before,
        "values": form.piece,
        "words": words[0].size,
        "starts": Constant("starts", begins),
        "dot": dot(Constant("weights", words), form.piece // UNIT, begins.nbytes, rounding),
    }
    return {"pieces": Structs("pieces", "pieces_t", (called,))}


def _starts(bias: Array, rounding: Rounding, way: Way, packed: bool) -> Array:
    """Return where sums begin that are rounded one way, as int32 [fours, 4]."""
    return wrapped(starts(bias, rounding.starts(way), packed=packed)).reshape(-1, _GROUP)


def _words(weights: Array, *, packed: bool) -> Array:
    """Return words of weights as int32 [fours, words]: of two values those of both pairs."""
    words = np.ascontiguousarray(halfwords(weights, packed=packed)).view(np.int32)
    fours = len(weights) // _GROUP
    mixed: Array = words.reshape(fours, 2, -1).transpose(0, 2, 1).reshape(fours, -1)
    return mixed
