"""What instructions take on a Cortex-M4, by its manual, without wait states.

Source: Arm DDI 0439B (Cortex-M4 technical reference manual), 3.3.1 tables 3-1 and 3-2, 3.3.2
"Load/store timings"; of floating point 7.2.3, table 7-1. All but table 3-2, of the DSP
instructions, were checked against TI SWCU192, "The Cortex-M4F Processor", tables 3-25 and 3-27 and
"Load/Store Timings", which repeat them. Of the DSP instructions that leaves what is said of them
together: a MAC of 16 or 32 bits, with 32 or 64 bits of sum, and SIMD take a single cycle (R. Luo,
"Migrating from Cortex-M3 to Cortex-M4", element14, 2011).

Two things are left open, and are taken in the middle of their range: the refill of the pipeline
after a branch, P = 1 to 3, and a division, 2 to 12. Of VMOV, halves of a double have no row here.

What is not modelled makes an estimate too low: wait states of flash, which most chips have at full
speed and hide in part; fetches that wait for instructions of 32 bits which lie across words;
accesses that are not aligned (one or two cycles each: 0.5 % of mcunet-vww1, less in kws, ic and
vww); a literal that is loaded while the next instructions are fetched; results of floating point
that the next instruction needs. What makes it too high: an IT may be folded into the instruction
before it, and what its condition skips takes one cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.timing.instruction import Instruction

TABLE = "Arm DDI 0439B, 3.3, zero wait states"

REFILL = range(1, 3 + 1)
DIVISION = range(2, 12 + 1)

_ARITHMETIC = """
    mov movw movt mvn adr add addw adc sub subw sbc rsb neg cmp cmn tst teq and eor orr orn bic
    lsl lsr asr ror rrx clz rbit rev rev16 revsh bfc bfi sbfx ubfx ssat usat nop it
    sxtb sxth uxtb uxth mul mla mls smull umull smlal umlal
"""
_DSP = """
    pkhbt pkhtb sel sxtb16 uxtb16 sxtab sxtab16 sxtah uxtab uxtab16 uxtah ssat16 usat16 usad8 usada8
    qadd qdadd qsub qdsub
    qadd8 qadd16 qasx qsax qsub8 qsub16 uqadd8 uqadd16 uqasx uqsax uqsub8 uqsub16
    sadd8 sadd16 sasx ssax ssub8 ssub16 uadd8 uadd16 uasx usax usub8 usub16
    shadd8 shadd16 shasx shsax shsub8 shsub16 uhadd8 uhadd16 uhasx uhsax uhsub8 uhsub16
    smuad smuadx smusd smusdx smlad smladx smlsd smlsdx smlald smlaldx smlsld smlsldx
    smulbb smulbt smultb smultt smulwb smulwt smlabb smlabt smlatb smlatt smlawb smlawt
    smlalbb smlalbt smlaltb smlaltt smmul smmulr smmla smmlar smmls smmlsr umaal
"""
SINGLE = frozenset((_ARITHMETIC + _DSP).split())
"""One cycle, whatever comes before."""

LOADS = frozenset(["ldr", "ldrb", "ldrh", "ldrsb", "ldrsh"])
"""Two cycles, or one right behind another of them on whose result the address does not depend."""

STORES = frozenset(["str", "strb", "strh"])
"""One cycle; with an index register two, but right behind a load one."""

MULTIPLE = frozenset(["ldm", "ldmdb", "stm", "stmdb", "push", "pop", "ldrd", "strd"])
"""1 + N cycles for N words, whatever comes before."""

FLOAT_ACCESSES = frozenset(
    ["vldr", "vstr", "vldmia", "vldmdb", "vstmia", "vstmdb", "vpush", "vpop"]
)
"""The same."""

_FLOAT_SINGLE = """
    vabs vneg vadd vsub vmul vnmul vcmp vcmpe vcvt vcvtr vmrs vmsr
"""
_FLOAT_MULTIPLY_ADD = """
    vmla vmls vnmla vnmls vfma vfms vfnma vfnms
"""
FLOAT = {
    **dict.fromkeys(_FLOAT_SINGLE.split(), 1),
    **dict.fromkeys(_FLOAT_MULTIPLY_ADD.split(), 3),
    "vdiv": 14,
    "vsqrt": 14,
}
"""So many cycles; VMOV takes one, but two to and from registers of the core, one or two of them."""

BRANCHES = frozenset(["b", "bl", "blx", "bx", "cbz", "cbnz"])
"""One cycle, and P where it is taken."""

TABLE_BRANCHES = frozenset(["tbb", "tbh"])
"""Two for the load, one for the addition, and P, which is 3."""

DIVISIONS = frozenset(["sdiv", "udiv"])

_KNOWN = (
    *(SINGLE | LOADS | STORES | MULTIPLE | BRANCHES | TABLE_BRANCHES | DIVISIONS),
    *(*FLOAT_ACCESSES, *FLOAT, "vmov"),
)


@dataclass(frozen=True, slots=True)
class Cycles:
    """The least and the most that the manual allows."""

    least: int = 0
    most: int = 0

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(self.least + other.least, self.most + other.most)

    def __mul__(self, times: int) -> Cycles:
        return Cycles(self.least * times, self.most * times)


NOTHING = Cycles()
REFILLED = Cycles(REFILL[0], REFILL[-1])
"""What comes on top where the next instruction is not at the next address."""
BLOCKED = Cycles(REFILL[-1], REFILL[-1])
"""The same where the address was loaded by itself: nothing can be fetched before that."""


def is_known(name: str) -> bool:
    """Return whether the table has an instruction."""
    return name in _KNOWN


def refill_cycles(last: Instruction) -> Cycles:
    """Return what comes on top after an instruction that went elsewhere."""
    return BLOCKED if last.name in LOADS or last.name in TABLE_BRANCHES else REFILLED


def sequence_cycles(
    instructions: Sequence[Instruction], *, before: Instruction | None = None
) -> Cycles:
    """Return what instructions take, one behind the other, without the refill after the last.

    ``before`` is executed right before them.
    """
    cycles = NOTHING
    for instruction in instructions:
        cycles += _alone(instruction, before)
        before = instruction
    return cycles


def _alone(instruction: Instruction, before: Instruction | None) -> Cycles:
    name = instruction.name
    if name in DIVISIONS:
        return Cycles(DIVISION[0], DIVISION[-1])
    is_behind_load = (
        before is not None and before.name in LOADS and not _is_from(instruction, before)
    )
    if name in MULTIPLE or name in FLOAT_ACCESSES:
        count = 1 + instruction.count
    elif name in LOADS:
        count = 1 if is_behind_load else 2
    elif name in STORES:
        count = 2 if instruction.is_indexed and not is_behind_load else 1
    elif name in TABLE_BRANCHES:
        count = 3
    elif name == "vmov":
        count = 2 if instruction.count else 1
    elif name in FLOAT:
        count = FLOAT[name]
    else:
        assert name in SINGLE or name in BRANCHES, name
        count = 1
    if before is not None and before.name in SINGLE and _is_from(instruction, before):
        count += 1
    return Cycles(count, count)


def _is_from(access: Instruction, before: Instruction) -> bool:
    """Return whether an address comes from the result of the instruction before.

    The base that a load or store has moved on is no result: 3.3.2 does not name it.
    """
    return not access.address.isdisjoint(before.written)
