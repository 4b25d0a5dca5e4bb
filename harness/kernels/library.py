"""What the firmware offers: for each op its calls, its scratch, and what it may overwrite.

The kernels of an instruction set are asked first; what they leave alone the portable ones do. The
scheduler and the code generator ask nobody else, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol, TypeVar

from harness.ir import Graph, Op
from harness.ir import ops as ir
from harness.kernels import armv6m, armv7em, armv7m, inplace, mve, pooling, portable
from harness.kernels.call import Call, RowCall, SumsCall
from harness.kernels.inplace import is_alias
from harness.kernels.kernel_set import Isa, KernelSet
from harness.kernels.variant import RowVariant, Variant

__all__ = [
    "calls",
    "inplace_operands",
    "is_alias",
    "row_calls",
    "row_scratch_bytes",
    "row_scratch_over_operand",
    "row_scratch_wanted",
    "row_variant",
    "row_variants",
    "scratch_bytes",
    "sums_call",
    "variant",
    "variants",
]


_ASKED = 1024
"""How many answers are kept: planning asks the same of an op again and again."""

_V = TypeVar("_V", Variant, RowVariant)


class Family(Protocol):
    """The kernels of one instruction set: a package that has these functions.

    It yields variants of an op with the best first, and none where the portable kernel is to do it.
    What it says may be overwritten comes on top of what the portable kernels allow.
    """

    def variants(
        self, kernels: KernelSet, graph: Graph, op: Op, operand: int | None
    ) -> Iterator[Variant]:
        """Yield ways to execute an op on whole tensors."""

    def row_variants(self, kernels: KernelSet, graph: Graph, op: Op) -> Iterator[RowVariant]:
        """Yield ways to make a row of an op."""

    def inplace_operands(self, graph: Graph, op: Op) -> tuple[int, ...]:
        """Return the positions in ``op.inputs`` whose bytes the output may take."""


_FAMILIES: Mapping[Isa, Family] = {
    Isa.ARMV6M: armv6m,
    Isa.ARMV7M: armv7m,
    Isa.ARMV7EM: armv7em,
    Isa.MVE: mve,
}


def variants(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> Iterator[Variant]:
    """Yield all ways to execute an op on whole tensors, the best first, the portable one last.

    ``operand`` is the input whose bytes the output takes, None if it has bytes of its own.
    """
    if kernels.isa in _FAMILIES:
        yield from _FAMILIES[kernels.isa].variants(kernels, graph, op, operand)
    yield portable.variant(graph, op, operand)


def row_variants(kernels: KernelSet, graph: Graph, op: Op) -> Iterator[RowVariant]:
    """Yield all ways to make a row of an op, the best first, the portable one last."""
    if kernels.isa in _FAMILIES:
        yield from _FAMILIES[kernels.isa].row_variants(kernels, graph, op)
    yield portable.row_variant(graph, op)


def variant(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> Variant:
    """Return how an op is executed on whole tensors."""
    return _chosen(kernels, variants(kernels, graph, op, operand))


def row_variant(kernels: KernelSet, graph: Graph, op: Op, room: int = 0) -> RowVariant:
    """Return how a row of an op is made with ``room`` bytes of scratch, or with as few as can be.

    The op goes by rows, which the schedule has seen to.
    """
    offered = _row_variants(kernels, graph, op)
    return next((found for found in offered if found.scratch_bytes <= room), offered[-1])


def _row_variants(kernels: KernelSet, graph: Graph, op: Op) -> tuple[RowVariant, ...]:
    """Return the variant that is chosen, and after it those that are the same with less scratch."""
    best = _chosen(kernels, row_variants(kernels, graph, op))
    same = [found for found in row_variants(kernels, graph, op) if found.name == best.name]
    return tuple(sorted(same, key=lambda found: -found.scratch_bytes))


def _chosen(kernels: KernelSet, offered: Iterator[_V]) -> _V:
    best = next(offered)
    if kernels.only and best.name != kernels.only:
        return next((found for found in offered if found.name == kernels.only), best)
    return best


def inplace_operands(kernels: KernelSet, graph: Graph, op: Op) -> tuple[int, ...]:
    """Return the positions in ``op.inputs`` whose bytes the output may take.

    The caller must still see to it that the operand is not needed afterwards.
    """
    found = inplace.inplace_operands(graph, op)
    if kernels.isa in _FAMILIES:
        found += _FAMILIES[kernels.isa].inplace_operands(graph, op)
    return tuple(dict.fromkeys(found))


def calls(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> tuple[Call, ...]:
    """Return the kernel calls that execute an op, one after the other.

    Raises UnsupportedModelError for what no kernel does.
    """
    return variant(kernels, graph, op, operand).calls()


def row_calls(
    kernels: KernelSet, graph: Graph, op: Op, room: int = 0, *, in_batches: bool = False
) -> tuple[RowCall, ...]:
    """Return the calls that together make columns of one row, with ``room`` bytes of scratch.

    With ``in_batches`` they make several whole rows, if the op's kernels do.
    """
    found = row_variant(kernels, graph, op, room)
    return (found.batch_calls or found.calls)() if in_batches else found.calls()


@lru_cache(maxsize=_ASKED)
def goes_in_batches(kernels: KernelSet, graph: Graph, op: Op) -> bool:
    """Return whether kernels of an op make several rows at once in less than one by one.

    They may need more scratch for that than for a row.
    """
    return any(found.batch_calls is not None for found in _row_variants(kernels, graph, op))


@lru_cache(maxsize=_ASKED)
def scratch_bytes(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> int:
    """Return the bytes of working memory of the op when it takes ``operand``, or nothing."""
    return variant(kernels, graph, op, operand).scratch_bytes


@lru_cache(maxsize=_ASKED)
def row_scratch_bytes(kernels: KernelSet, graph: Graph, op: Op) -> int:
    """Return the fewest bytes of working memory with which the op makes a row."""
    return row_variant(kernels, graph, op).scratch_bytes


@lru_cache(maxsize=_ASKED)
def row_scratch_over_operand(kernels: KernelSet, graph: Graph, op: Op) -> int | None:
    """Return the fewest bytes of working memory with which rows may be written over an operand's.

    None if they must not be (``RowVariant.over_operand``).
    """
    offered = _row_variants(kernels, graph, op)
    return min((found.scratch_bytes for found in offered if found.over_operand), default=None)


@lru_cache(maxsize=_ASKED)
def row_scratch_wanted(kernels: KernelSet, graph: Graph, op: Op) -> tuple[int, ...]:
    """Return the bytes of working memory with which an op makes rows, the fastest way first."""
    return tuple(found.scratch_bytes for found in _row_variants(kernels, graph, op))


def sums_call(graph: Graph, op: Op) -> SumsCall:
    """Return the call that finishes an op that sums over all rows."""
    match op:
        case ir.AveragePool2D():
            return pooling.average_sums(graph, op)
        case ir.Mean():
            return pooling.mean_sums(graph, op)
        case _:
            raise AssertionError(f"op {op.index} ({op.kind}) does not sum over all rows")
