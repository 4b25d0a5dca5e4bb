"""A trace to estimated cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UnsupportedModelError
from harness.timing import cortex_m4
from harness.timing.cortex_m4 import Cycles
from harness.timing.disassembly import disassemble
from harness.timing.instruction import Instruction
from harness.timing.trace import START, Trace, trace


@dataclass(frozen=True, slots=True)
class Estimate:
    """One inference. ``cycles`` is in the middle of what the manual allows, give or take ``open``.

    ``outputs`` are as the image left them, for who wants to see that it ran right.
    """

    table: str
    instructions: int
    cycles: int
    open_cycles: int
    outputs: tuple[bytes, ...]


def estimate(elf: Path, inputs: Sequence[bytes]) -> Estimate:
    """Run a Cortex-M4 image under Unicorn and estimate the cycles of an inference.

    Raises:
        UnsupportedModelError: it has an instruction that is not in the table.
        BenchError: what :func:`harness.timing.trace.trace` raises.
    """
    found = trace(elf, inputs)
    instructions, cycles = count(found)
    middle = (cycles.least + cycles.most) // 2
    return Estimate(cortex_m4.TABLE, instructions, middle, cycles.most - middle, found.outputs)


def count(found: Trace) -> tuple[int, Cycles]:
    """Return the instructions of a trace, and their cycles.

    A block ends where the next begins if nothing branched: then its first instruction comes right
    behind the last one of the block before.

    Raises:
        UnsupportedModelError: an instruction is not in the table.
    """
    code = {block: disassemble(data, block[0]) for block, data in found.code.items()}
    unknown = {i.name for block in code.values() for i in block if not cortex_m4.is_known(i.name)}
    if unknown:
        raise UnsupportedModelError(
            f"instructions that {cortex_m4.TABLE}, does not time: {', '.join(sorted(unknown))}",
        )
    instructions, cycles = 0, cortex_m4.NOTHING
    for (before, block), times in found.steps.items():
        instructions += times * len(code[block])
        last = None if before == START else code[before][-1]
        if last is not None and (sum(before) != block[0] or _always_leaves(last)):
            cycles += cortex_m4.refill_cycles(last) * times
            last = None
        cycles += cortex_m4.sequence_cycles(code[block], before=last) * times
    return instructions, cycles


def _always_leaves(instruction: Instruction) -> bool:
    """Return whether the pipeline is refilled even where the next address is gone to."""
    is_jump = "pc" in instruction.written and instruction.name not in ("cbz", "cbnz")
    return is_jump and not instruction.is_conditional
