"""What ops take in flash: constants to the byte, code as it was measured.

An op's own code is a few calls with their parameters. The kernels that it calls are compiled once
for all ops that call them, unless they melt into their caller. ``flash_data.py`` holds the bytes of
both, which ``tools/fit_flash.py`` reads from the compiler's objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

from harness.ir import Graph, Op
from harness.ir.ops import WindowOp
from harness.ir.tensor import Array
from harness.kernels.call import Call, Constant, Fields, Name, Role, RowCall, Structs, SumsCall
from harness.kernels.flash_data import CODE, RUNTIME, Code
from harness.kernels.kernel_set import KernelSet

AnyCall = Call | RowCall | SumsCall

SHARED_FROM = 256
"""Constants of this many bytes are kept once even if several ops have the same."""


@dataclass(frozen=True, slots=True)
class Flash:
    """Bytes of flash: code and constants of its own, and pieces that others may use too, by name.

    Names of constants begin with a ``#``; all others are functions.
    """

    code_bytes: int = 0
    constant_bytes: int = 0
    shared: Mapping[str, int] = field(default_factory=dict)

    @property
    def own_bytes(self) -> int:
        """The bytes that nothing else uses."""
        return self.code_bytes + self.constant_bytes

    @property
    def total_bytes(self) -> int:
        """All bytes."""
        return self.own_bytes + sum(self.shared.values())

    @property
    def kernel_bytes(self) -> int:
        """Bytes of the functions that may be shared."""
        return sum(size for name, size in self.shared.items() if not name.startswith("#"))

    @property
    def weights_bytes(self) -> int:
        """Bytes of constants."""
        return self.total_bytes - self.code_bytes - self.kernel_bytes

    @staticmethod
    def of(parts: Iterable[Flash]) -> Flash:
        """Return what several parts take together."""
        code_bytes = constant_bytes = 0
        shared: dict[str, int] = {}
        for part in parts:
            code_bytes += part.code_bytes
            constant_bytes += part.constant_bytes
            shared.update(part.shared)
        return Flash(code_bytes, constant_bytes, shared)


def code_of(kernels: KernelSet) -> Code | None:
    """Return what was measured of a set of kernels; None where nobody has flash: on the host.

    Where kernels for the fewest instructions are those for cycles, they are not listed.
    """
    usual = CODE.get(f"{kernels.isa.value} cycles")
    return CODE.get(f"{kernels.isa.value} {kernels.optimize}", usual)


def flash_of_calls(code: Code, graph: Graph, op: Op, calls: Iterable[AnyCall]) -> Flash:
    """Return what calls that execute an op, or make a row of it, take.

    A kernel that was not measured counts as the median of those that were.
    """
    shared: dict[str, int] = {}
    code_bytes = constant_bytes = 0
    unknown = round(median(code.functions.values()))
    arrays: dict[str, Array] = {}
    for call in calls:
        name = with_window(call.function, op)
        found = code.calls.get(name, code.calls.get(call.function))
        code_bytes += found if found is not None else round(median(code.calls.values()))
        asked = [call.function]
        for value in values(call.parameters):
            match value:
                case Constant(role, data):
                    arrays[role] = data
                case Structs(_, type_, rows):
                    code_bytes += code.rows.get(type_, 0) * len(rows)
                case Name(text):
                    asked.append(text)
        arrays |= {f"input {i}": data for i, data in _constant_operands(graph, op, call)}
        for name in asked:
            for function in code.needs.get(name, (name,)):
                shared[function] = code.functions.get(function, unknown)
    for data in arrays.values():
        if data.nbytes < SHARED_FROM:
            constant_bytes += -(-data.nbytes // 4) * 4
        else:
            digest = hashlib.sha256(data.tobytes()).hexdigest()[:16]
            shared[f"#{data.dtype.name} {digest}"] = -(-data.nbytes // 4) * 4
    return Flash(code_bytes, constant_bytes, shared)


def runtime_bytes(port: str = "", core: str = "") -> int:
    """Return what of an image is not its model's: for a port not measured the most of any."""
    return RUNTIME.get(f"{port} {core}", max(RUNTIME.values()))


def values(fields: Fields) -> Iterator[object]:
    """Yield all values of a parameter struct, those of structs in it too."""
    for value in fields.values():
        yield value
        if isinstance(value, Structs):
            for row in value.rows:
                yield from values(row)
        elif isinstance(value, Mapping):
            yield from values(value)


def _constant_operands(graph: Graph, op: Op, call: AnyCall) -> Iterator[tuple[int, Array]]:
    match call:
        case Call(operands=operands):
            positions = [operand.position for operand in operands if operand.role is Role.INPUT]
        case RowCall(operands=rows):
            positions = list(rows)
        case SumsCall():
            positions = []
    for position in positions:
        data = graph.tensor(op.inputs[position]).data
        if data is not None:
            yield position, data


def with_window(function: str, op: Op) -> str:
    """Return the name of a kernel that is called with the window of an op."""
    if not isinstance(op, WindowOp):
        return function
    height, width = op.window.kernel
    return f"{function} {height}x{width}"
