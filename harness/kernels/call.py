"""A call of a C kernel, as a value: which function, with which constants, on which tensors.

Every kernel has the signature ``function(const type *parameters, operands...)``. Parameters are
known at code generation; since kernels melt into their caller, the compiler specialises them.

A kernel that makes one row of an op is a :class:`RowCall`. An op that sums over all rows has no
such kernel: it takes the rows of its input one by one, which is a :class:`SumsCall`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from harness.ir.tensor import Array


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """An array in flash; ``role`` says what it is of the op: ``weights``, ``bias``, ..."""

    role: str
    data: Array


@dataclass(frozen=True, slots=True)
class Name:
    """A C identifier: a constant of an enumeration."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Structs:
    """An array of structs in flash, to which a field points; ``role`` is part of its name."""

    role: str
    type: str
    rows: tuple[Fields, ...]


Value = int | float | Name | Constant | Structs | tuple[int, ...] | Mapping[str, "Value"]
"""What a field of a parameter struct may be; a mapping is a struct, fields in its order."""


Fields = Mapping[str, Value]
"""A parameter struct."""


class Role(Enum):
    """Which bytes a kernel works on."""

    INPUT = "input"
    OUTPUT = "output"
    SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Operand:
    """An argument that points to bytes: input or output number ``position`` of the op, or scratch.

    ``offset`` bytes are added.
    """

    role: Role
    position: int = 0
    offset: int = 0


X = Operand(Role.INPUT)
Y = Operand(Role.OUTPUT)
SCRATCH = Operand(Role.SCRATCH)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call. ``type`` is the parameters' C type, ``element`` what the operands point to."""

    header: str
    function: str
    type: str
    parameters: Fields
    operands: tuple[Operand, ...]
    element: str = "int8_t"


@dataclass(frozen=True, slots=True, eq=False)
class RowCall:
    """One call that makes columns of one output row, or some channels of them.

    The kernel is ``function(parameters, rows_t of each operand..., row, columns, y)``, where y is
    the pixel of the first column. ``operands`` are positions in ``op.inputs``. If it takes scratch,
    that is the last argument. If it ``makes_rows``, then instead of ``row`` it takes a span of
    rows, and y is the made_rows_t where they go.
    """

    header: str
    function: str
    type: str
    parameters: Fields
    operands: tuple[int, ...] = (0,)
    takes_scratch: bool = False
    makes_rows: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SumsCall:
    """What finishes an op that sums over all rows: ``function(parameters, sums, y)``.

    ``sums_clear`` and ``sums_add_row``, which come before, take the field ``x`` of the parameters.
    """

    header: str
    function: str
    type: str
    parameters: Fields
