"""A .tflite file as plain values: the one module that reads the flatbuffer.

The `tflite` package offers accessors that follow whatever offsets the file contains. So every
vector's length is checked before the vector is read, the bytes read in total are bounded by the
size of the file, and what the accessors raise on nonsense is translated here and nowhere else.
Constant data stays a view of the file: nothing large is copied.

Schema: tensorflow/lite/schema/schema.fbs; format: https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tflite
from flatbuffers.number_types import Int32Flags

from harness.errors import MalformedModelError
from harness.importer import limits
from harness.ir.tensor import Array

MAGIC = b"TFL3"
SCHEMA_VERSION = 3

ABSENT = -1
"""The tensor index of an optional operand that is not there."""

Option = int | float | bool


@dataclass(frozen=True, slots=True)
class RawQuantization:
    """Quantization as the file has it: any lengths, any values."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    is_custom: bool


@dataclass(frozen=True, slots=True)
class RawTensor:
    """A tensor as the file has it; ``data`` is a uint8 view, None for an activation."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    quantization: RawQuantization | None
    data: Array | None
    is_variable: bool
    is_sparse: bool


@dataclass(frozen=True, slots=True)
class RawOp:
    """An op as the file has it; ``options`` are the schema's fields, defaults filled in."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]


@dataclass(frozen=True, slots=True)
class RawModel:
    """The first subgraph of a file, and how many there are."""

    tensors: tuple[RawTensor, ...]
    ops: tuple[RawOp, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraphs: int


def _names_by_code(enum: type) -> dict[int, str]:
    return {code: name for name, code in vars(enum).items() if not name.startswith("_")}


_KINDS = _names_by_code(tflite.BuiltinOperator)
_TYPES = _names_by_code(tflite.TensorType)
_OPTION_TABLES = _names_by_code(tflite.BuiltinOptions)

_WINDOW_FIELDS = ("Padding", "StrideH", "StrideW", "FusedActivationFunction")
_DILATION_FIELDS = ("DilationHFactor", "DilationWFactor")
_SLICE_FIELDS = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset")

OPTION_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", (*_WINDOW_FIELDS, *_DILATION_FIELDS)),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        (*_WINDOW_FIELDS, *_DILATION_FIELDS, "DepthMultiplier"),
    ),
    "FULLY_CONNECTED": (
        "FullyConnectedOptions",
        ("FusedActivationFunction", "WeightsFormat", "KeepNumDims"),
    ),
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", (*_WINDOW_FIELDS, "FilterHeight", "FilterWidth")),
    "MAX_POOL_2D": ("Pool2DOptions", (*_WINDOW_FIELDS, "FilterHeight", "FilterWidth")),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "PACK": ("PackOptions", ("Axis",)),
    "UNPACK": ("UnpackOptions", ("Axis",)),
    "STRIDED_SLICE": ("StridedSliceOptions", _SLICE_FIELDS),
    "RESIZE_NEAREST_NEIGHBOR": (
        "ResizeNearestNeighborOptions",
        ("AlignCorners", "HalfPixelCenters"),
    ),
}
"""For each kind of op: its options table in the schema, and the fields that are read."""

_FOREIGN = (struct.error, TypeError, ValueError, IndexError, OverflowError, AttributeError)
"""What the accessors raise when an offset or a field is nonsense."""

_EMPTY_TABLE = struct.pack("<HHi", 4, 4, 4)
"""A vtable without fields and a table that points at it: every accessor answers its default."""


def _builtin_code(code: Any) -> int:
    """Return the larger of an op code's two fields, as TensorFlow Lite does.

    Files from before 2020 have the code in a one-byte field only. The package's accessor trusts
    that field whenever the newer one is small, and so misreads files that fill only the newer.
    """
    table = code._tab
    newer = 0
    if field := table.Offset(10):
        newer = table.Get(Int32Flags, table.Pos + field)
    return max(int(newer), int(code.DeprecatedBuiltinCode()))


def read_flatbuffer(data: bytes, *, name: str) -> RawModel:
    """Return the first subgraph of a .tflite file.

    Raises:
        MalformedModelError: the bytes are not a sound flatbuffer, or ask for too much.
    """
    if len(data) > limits.MAX_FILE_BYTES:
        raise MalformedModelError(
            f"{name}: the file has {len(data):,} B; at most {limits.MAX_FILE_BYTES:,} B are read"
        )
    if data[4:8] != MAGIC:
        raise MalformedModelError(
            f"{name}: bytes 4 to 7 are {data[4:8]!r}; a .tflite file has {MAGIC!r} there",
            hint="give a file that the TensorFlow Lite converter wrote",
        )
    reader = _Reader(bytes(data), name)
    try:
        return reader.model()
    except _FOREIGN as error:
        raise MalformedModelError(
            f"{name}: {reader.where}: an offset points outside the file's {len(data):,} B, or a "
            f"field is not what the schema says ({error})",
            hint="the file is truncated or damaged: fetch it again",
        ) from error


class _Reader:
    """Reads one file; ``where`` is what is being read, for messages."""

    def __init__(self, data: bytes, name: str) -> None:
        self.where = "header"
        self._data = data
        self._name = name
        self._budget = limits.READ_FACTOR * len(data) + 4096

    def model(self) -> RawModel:
        root = tflite.Model.GetRootAs(self._data, 0)
        if root.Version() != SCHEMA_VERSION:
            raise self._fault(f"schema version {root.Version()}; only {SCHEMA_VERSION} is known")
        if not (subgraphs := root.SubgraphsLength()):
            raise self._fault("the file has no subgraph; one is needed")
        self.where = "subgraph 0"
        graph = root.Subgraphs(0)
        tensor_count = self._length("tensors", graph.TensorsLength(), limits.MAX_TENSORS)
        op_count = self._length("ops", graph.OperatorsLength(), limits.MAX_OPS)
        self._length("buffers", root.BuffersLength(), len(self._data) // 4)
        self._length("op codes", root.OperatorCodesLength(), limits.MAX_OPS)
        return RawModel(
            tensors=tuple(self._tensor(root, graph, i) for i in range(tensor_count)),
            ops=tuple(self._op(root, graph, i) for i in range(op_count)),
            inputs=self._ids(graph, "Inputs", tensor_count),
            outputs=self._ids(graph, "Outputs", tensor_count),
            subgraphs=subgraphs,
        )

    def _tensor(self, root: Any, graph: Any, index: int) -> RawTensor:
        self.where = f"tensor {index}"
        tensor = graph.Tensors(index)
        buffer = tensor.Buffer()
        if buffer >= root.BuffersLength():
            raise self._fault(f"buffer {buffer} of {root.BuffersLength()}")
        code = tensor.Type()
        return RawTensor(
            name=self._text(tensor),
            shape=tuple(int(size) for size in self._vector(tensor, "Shape", 4)),
            type_name=_TYPES.get(code, f"type {code}"),
            quantization=self._quantization(tensor.Quantization()),
            data=self._buffer(root.Buffers(buffer)),
            is_variable=tensor.IsVariable(),
            is_sparse=tensor.Sparsity() is not None,
        )

    def _text(self, tensor: Any) -> str:
        field = tensor._tab.Offset(10)
        if field:
            length = tensor._tab.VectorLen(field)
            self._spend(self._length("bytes of name", length, limits.MAX_NAME_BYTES))
        name = (tensor.Name() or b"").decode("utf-8", errors="replace")
        # Names go to terminals and reports: no escape sequence or line break may hide in them.
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)

    def _quantization(self, table: Any) -> RawQuantization | None:
        if table is None:
            return None
        return RawQuantization(
            scales=tuple(self._vector(table, "Scale", 4)),
            zero_points=tuple(self._vector(table, "ZeroPoint", 8)),
            axis=table.QuantizedDimension(),
            is_custom=table.DetailsType() != 0,
        )

    def _buffer(self, buffer: Any) -> Array | None:
        if buffer.Offset() > 1:
            raise self._fault("data outside the flatbuffer (a file above 2 GB) is not read")
        if not buffer.DataLength():
            return None
        view: Array = buffer.DataAsNumpy()
        return view

    def _op(self, root: Any, graph: Any, index: int) -> RawOp:
        self.where = f"op {index}"
        op = graph.Operators(index)
        code_index = op.OpcodeIndex()
        if code_index >= root.OperatorCodesLength():
            raise self._fault(f"op code {code_index} of {root.OperatorCodesLength()}")
        builtin = _builtin_code(root.OperatorCodes(code_index))
        kind = _KINDS.get(builtin, f"op code {builtin}")
        return RawOp(
            kind=kind,
            inputs=self._ids(op, "Inputs", graph.TensorsLength(), optional=True),
            outputs=self._ids(op, "Outputs", graph.TensorsLength()),
            options=self._options(op, kind),
        )

    def _options(self, op: Any, kind: str) -> dict[str, Option]:
        if kind not in OPTION_FIELDS:
            return {}
        table_name, fields = OPTION_FIELDS[kind]
        options = getattr(tflite, table_name)()
        code, union = op.BuiltinOptionsType(), op.BuiltinOptions()
        if code == 0 or union is None:
            options.Init(_EMPTY_TABLE, 4)
        elif (found := _OPTION_TABLES.get(code, str(code))) != table_name:
            raise self._fault(f"{kind} has {found}; {table_name} are needed")
        else:
            options.Init(union.Bytes, union.Pos)
        return {field: getattr(options, field)() for field in fields}

    def _ids(self, table: Any, field: str, count: int, optional: bool = False) -> tuple[int, ...]:
        length: Callable[[], int] = getattr(table, f"{field}Length")
        self._length(field.lower(), length(), limits.MAX_OP_TENSORS)
        ids = tuple(int(i) for i in self._vector(table, field, 4))
        lowest = ABSENT if optional else 0
        for i in ids:
            if not lowest <= i < count:
                raise self._fault(f"{field.lower()} name tensor {i}; the file has {count}")
        return ids

    def _vector(self, table: Any, field: str, itemsize: int) -> list[Any]:
        if not (length := getattr(table, f"{field}Length")()):
            return []
        self._spend(length * itemsize)
        values: list[Any] = getattr(table, f"{field}AsNumpy")().tolist()
        return values

    def _length(self, what: str, found: int, allowed: int) -> int:
        if found > allowed:
            raise self._fault(f"{found:,} {what}; at most {allowed:,} are allowed")
        return found

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise self._fault(
                f"names and vectors so far take more than {limits.READ_FACTOR} times the file"
            )

    def _fault(self, message: str) -> MalformedModelError:
        return MalformedModelError(f"{self._name}: {self.where}: {message}")
