"""Each op of the file becomes one dataclass of the graph.

One short function a kind. Operands that must be constant (axes, paddings, begins, sizes) become
fields; padding becomes explicit; masks and negative indices are resolved. A function raises
:class:`Refusal` with the reason when the op is sound but not offered; the caller collects them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.importer import limits
from harness.importer.flatbuffer import ABSENT
from harness.importer.site import Refusal, Site
from harness.importer.slices import strided_slice
from harness.ir import Op
from harness.ir import ops as ir
from harness.ir.ops import Padding, Window
from harness.ir.padding import same_padding

_SAME, _VALID = 0, 1
"""Padding codes of the schema."""


def _window(site: Site, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> Window:
    options = site.options
    stride = int(options["StrideH"]), int(options["StrideW"])
    for size in (*kernel, *stride, *dilation):
        if not 1 <= size <= limits.MAX_WINDOW:
            raise site.malformed(
                f"kernel {kernel}, stride {stride}, dilation {dilation}: each must be "
                f"1 to {limits.MAX_WINDOW:,}"
            )
    batch, height, width, channels = site.input(0, rank=4).shape
    if batch != 1:
        raise Refusal(f"a batch of {batch}; only 1 is offered")
    if (code := int(options["Padding"])) not in (_SAME, _VALID):
        raise site.malformed(f"padding code {code}; 0 (SAME) and 1 (VALID) exist")
    window = Window(kernel=kernel, stride=stride, dilation=dilation)
    if code == _VALID:
        return window
    top, bottom = same_padding(height, window.extent[0], stride[0])
    left, right = same_padding(width, window.extent[1], stride[1])
    padded = (height + top + bottom, width + left + right, channels)
    if fault := limits.shape_fault(padded, itemsize=1):
        raise site.malformed(f"padded input: {fault}")
    padding = Padding(top=top, bottom=bottom, left=left, right=right)
    return Window(kernel=kernel, stride=stride, dilation=dilation, padding=padding)


def _dilation(site: Site) -> tuple[int, int]:
    return int(site.options["DilationHFactor"]), int(site.options["DilationWFactor"])


def _conv(site: Site) -> Op:
    _, kh, kw, _ = site.input(1, rank=4).shape
    return ir.Conv2D(
        inputs=site.ids(),
        outputs=site.outputs(),
        index=site.index,
        window=_window(site, (kh, kw), _dilation(site)),
        activation=site.activation(),
    )


def _depthwise(site: Site) -> Op:
    _, kh, kw, channels = site.input(1, rank=4).shape
    inputs = site.input(0, rank=4).shape[3]
    stated = int(site.options["DepthMultiplier"])
    if channels != inputs * stated:
        raise site.malformed(f"multiplier {stated} from {inputs} to {channels} channels")
    return ir.DepthwiseConv2D(
        inputs=site.ids(),
        outputs=site.outputs(),
        index=site.index,
        window=_window(site, (kh, kw), _dilation(site)),
        depth_multiplier=stated,
        activation=site.activation(),
    )


def _fully_connected(site: Site) -> Op:
    if site.options["WeightsFormat"]:
        raise Refusal("shuffled weights are not offered")
    return ir.FullyConnected(
        inputs=site.ids(),
        outputs=site.outputs(),
        index=site.index,
        activation=site.activation(),
    )


def _binary(make: type[ir.Add] | type[ir.Sub] | type[ir.Mul]) -> Callable[[Site], Op]:
    def convert(site: Site) -> Op:
        return make(
            inputs=site.ids(),
            outputs=site.outputs(),
            index=site.index,
            activation=site.activation(),
        )

    return convert


def _pool(make: type[ir.AveragePool2D] | type[ir.MaxPool2D]) -> Callable[[Site], Op]:
    def convert(site: Site) -> Op:
        kernel = int(site.options["FilterHeight"]), int(site.options["FilterWidth"])
        return make(
            inputs=site.ids(),
            outputs=site.outputs(),
            index=site.index,
            window=_window(site, kernel),
            activation=site.activation(),
        )

    return convert


def _pad(site: Site) -> Op:
    x, output = site.input(0), site.output()
    amounts = site.constant(1, "paddings")
    if len(amounts) != 2 * len(x.shape):
        raise site.malformed(f"{len(amounts)} paddings for {len(x.shape)} axes; two an axis")
    pairs = tuple(zip(amounts[::2], amounts[1::2], strict=True))
    if min(amounts, default=0) < 0:
        raise site.malformed(f"negative paddings {pairs}")
    value = output.zero_point if output.quantization is not None else 0
    if len(site.ids()) > 2:
        given = site.input(2)
        if given.data is None or given.elements != 1 or given.dtype != output.dtype:
            raise Refusal(f"its value must be one constant of type {output.dtype}")
        if given.quantization != output.quantization:
            raise Refusal("its value and its output have different scales")
        value = given.data.item()
        if not isinstance(value, int) and value != 0.0:
            raise Refusal(f"padding float32 with {value}; only 0 is offered")
    return ir.Pad(
        inputs=site.ids(0, 1),
        outputs=site.outputs(),
        index=site.index,
        paddings=pairs,
        value=int(value),
    )


def _mean(site: Site) -> Op:
    rank = len(site.input(0).shape)
    axes = {site.axis(axis, rank) for axis in site.constant(1, "axes")}
    return ir.Mean(
        inputs=site.ids(0, 1),
        outputs=site.outputs(),
        index=site.index,
        axes=tuple(sorted(axes)),
        keep_dims=bool(site.options["KeepDims"]),
    )


def _reshape(site: Site) -> Op:
    """A constant shape is checked and dropped: the output has it. A computed one stays."""
    inputs = site.ids()
    if len(inputs) > 1 and site.input(1).is_constant:
        wanted, output = site.constant(1, "new sizes"), site.output()
        matches = len(wanted) == len(output.shape) and all(
            size in (-1, actual) for size, actual in zip(wanted, output.shape, strict=True)
        )
        # [0] is what old converters wrote where they meant a scalar.
        if wanted != [0] and not matches:
            raise site.malformed(f"reshapes to {wanted}, its output has {list(output.shape)}")
        inputs = inputs[:1]
    return ir.Reshape(inputs=inputs, outputs=site.outputs(), index=site.index)


def _softmax(site: Site) -> Op:
    return ir.Softmax(
        inputs=site.ids(),
        outputs=site.outputs(),
        index=site.index,
        beta=float(site.options["Beta"]),
    )


_PlainOp = type[ir.Logistic] | type[ir.Tanh] | type[ir.Quantize] | type[ir.Dequantize]


def _plain(make: _PlainOp | type[ir.Shape]) -> Callable[[Site], Op]:
    def convert(site: Site) -> Op:
        return make(inputs=site.ids(), outputs=site.outputs(), index=site.index)

    return convert


def _concatenation(site: Site) -> Op:
    return ir.Concatenation(
        inputs=site.ids(),
        outputs=site.outputs(),
        index=site.index,
        axis=site.axis(int(site.options["Axis"]), len(site.output().shape)),
        activation=site.activation(),
    )


def _split(site: Site) -> Op:
    axes = site.constant(0, "axis")
    if len(axes) != 1:
        raise site.malformed(f"{len(axes)} axes to split along; one is needed")
    return ir.Split(
        inputs=site.ids(1, 2),
        outputs=site.outputs(),
        index=site.index,
        axis=site.axis(axes[0], len(site.input(1).shape)),
    )


def _pack(site: Site) -> Op:
    return ir.Pack(
        inputs=site.ids(),
        outputs=site.outputs(),
        index=site.index,
        axis=site.axis(int(site.options["Axis"]), len(site.output().shape)),
    )


def _unpack(site: Site) -> Op:
    return ir.Unpack(
        inputs=site.ids(),
        outputs=site.outputs(),
        index=site.index,
        axis=site.axis(int(site.options["Axis"]), len(site.input(0).shape)),
    )


def _transpose(site: Site) -> Op:
    rank = len(site.input(0).shape)
    return ir.Transpose(
        inputs=site.ids(0, 1),
        outputs=site.outputs(),
        index=site.index,
        perm=tuple(site.axis(axis, rank) for axis in site.constant(1, "permutation")),
    )


def _resize_nearest(site: Site) -> Op:
    size, output = site.constant(1, "sizes"), site.output()
    if size != list(output.shape[1:3]):
        raise site.malformed(f"resizes to {size}, its output has {list(output.shape)}")
    return ir.ResizeNearestNeighbor(
        inputs=site.ids(0, 1),
        outputs=site.outputs(),
        index=site.index,
        align_corners=bool(site.options["AlignCorners"]),
        half_pixel_centers=bool(site.options["HalfPixelCenters"]),
    )


@dataclass(frozen=True, slots=True)
class Converter:
    """How many inputs and outputs a kind may have, and the function that converts it."""

    convert: Callable[[Site], Op]
    inputs: range
    outputs: range = range(1, 2)


_ANY = range(1, 1 << 16)

CONVERTERS: dict[str, Converter] = {
    "CONV_2D": Converter(_conv, range(2, 4)),
    "DEPTHWISE_CONV_2D": Converter(_depthwise, range(2, 4)),
    "FULLY_CONNECTED": Converter(_fully_connected, range(2, 4)),
    "ADD": Converter(_binary(ir.Add), range(2, 3)),
    "SUB": Converter(_binary(ir.Sub), range(2, 3)),
    "MUL": Converter(_binary(ir.Mul), range(2, 3)),
    "PAD": Converter(_pad, range(2, 3)),
    "PADV2": Converter(_pad, range(3, 4)),
    "AVERAGE_POOL_2D": Converter(_pool(ir.AveragePool2D), range(1, 2)),
    "MAX_POOL_2D": Converter(_pool(ir.MaxPool2D), range(1, 2)),
    "MEAN": Converter(_mean, range(2, 3)),
    "RESHAPE": Converter(_reshape, range(1, 3)),
    "SOFTMAX": Converter(_softmax, range(1, 2)),
    "LOGISTIC": Converter(_plain(ir.Logistic), range(1, 2)),
    "TANH": Converter(_plain(ir.Tanh), range(1, 2)),
    "QUANTIZE": Converter(_plain(ir.Quantize), range(1, 2)),
    "DEQUANTIZE": Converter(_plain(ir.Dequantize), range(1, 2)),
    "CONCATENATION": Converter(_concatenation, _ANY),
    "SPLIT": Converter(_split, range(2, 3), _ANY),
    "PACK": Converter(_pack, _ANY),
    "UNPACK": Converter(_unpack, range(1, 2), _ANY),
    "TRANSPOSE": Converter(_transpose, range(2, 3)),
    "STRIDED_SLICE": Converter(strided_slice, range(4, 5)),
    "RESIZE_NEAREST_NEIGHBOR": Converter(_resize_nearest, range(2, 3)),
    "SHAPE": Converter(_plain(ir.Shape), range(1, 2)),
}
"""Every kind of op that is offered."""


def convert_op(site: Site) -> Op:
    """Return one op of the graph.

    Raises:
        Refusal: the op is sound, but it or a tensor it touches is not offered.
        MalformedModelError: the op contradicts itself.
    """
    raw = site.raw
    if raw.kind not in CONVERTERS:
        raise Refusal("this kind of op is not offered")
    converter = CONVERTERS[raw.kind]
    # Only the bias, which comes last, may be absent.
    present = raw.inputs[:-1] if len(raw.inputs) == 3 and raw.inputs[-1] == ABSENT else raw.inputs
    if len(present) not in converter.inputs or ABSENT in present:
        raise site.malformed(f"inputs {list(raw.inputs)}: {_span(converter.inputs)} are needed")
    if len(raw.outputs) not in converter.outputs:
        raise site.malformed(f"outputs {list(raw.outputs)}: {_span(converter.outputs)} are needed")
    for tensor_id in (*present, *raw.outputs):
        site.tensor(tensor_id)
    return converter.convert(site)


def _span(allowed: range) -> str:
    first, last = allowed[0], allowed[-1]
    if first == last:
        return f"{first}"
    return f"{first} or more" if last > 1_000 else f"{first} to {last}"
