"""Machine code to instructions, by Capstone."""

from __future__ import annotations

from typing import Any

from harness.errors import BenchError
from harness.timing.instruction import Instruction

INSTALL = "pip install 'bench-tinyml[estimate]'"
_MULTIPLE = ("ldm", "ldmdb", "stm", "stmdb")
_STACK = ("push", "pop")
_DOUBLE = ("ldrd", "strd")
_FLOAT_MULTIPLE = ("vldmia", "vldmdb", "vstmia", "vstmdb")
_FLOAT_STACK = ("vpush", "vpop")
_NEW_NAMES = {"fconsts": "vmov", "fmstat": "vmrs"}
"""Of what Capstone calls by its name before the unified syntax."""


def disassemble(code: bytes, address: int) -> tuple[Instruction, ...]:
    """Return the Thumb instructions of a stretch of code without data.

    Raises:
        BenchError: Capstone is not installed, or does not know an instruction.
    """
    found, end = [], 0
    for each in _engine().disasm(code, address):
        found.append(_instruction(each))
        end += each.size
    if end != len(code):
        raise BenchError(f"code at {address + end:#x} is unknown to Capstone")
    return tuple(found)


def _engine() -> Any:
    try:
        import capstone
    except ImportError:
        raise BenchError("Capstone is not installed", hint=INSTALL) from None
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.detail = True
    return engine


def _instruction(each: Any) -> Instruction:
    from capstone.arm import ARM_CC_AL, ARM_CC_INVALID, ARM_OP_MEM, ARM_OP_REG

    name = _NEW_NAMES.get(each.insn_name(), each.insn_name())
    if name == "hint":
        name = each.mnemonic.removesuffix(".w")
    operands = each.operands
    registers = [each.reg_name(o.reg) for o in operands if o.type == ARM_OP_REG]
    memory = [o.mem for o in operands if o.type == ARM_OP_MEM]
    bases = {each.reg_name(m.base) for m in memory}
    indices = {each.reg_name(m.index) for m in memory if m.index}
    written = {each.reg_name(r) for r in each.regs_access()[1]}
    count = 0
    if name in _STACK:
        bases, count = {"sp"}, len(registers)
    elif name in _MULTIPLE:
        bases, count = {registers[0]}, len(registers) - 1
    elif name in _DOUBLE:
        count = 2
    elif name in _FLOAT_MULTIPLE:
        bases, count = {registers[0]}, _words(registers[1:])
    elif name in _FLOAT_STACK:
        bases, count = {"sp"}, _words(registers)
    elif name in ("vldr", "vstr"):
        count = _words(registers)
    elif name == "vmov":
        count = sum(not register.startswith(("s", "d")) for register in registers)
    if name.startswith(("ldr", "str")) or name in _MULTIPLE or name in _STACK:
        # What they load, without the base that they may move on.
        written -= bases - set(_loaded(name, registers))
    return Instruction(
        name,
        written=frozenset(written),
        address=frozenset(bases | indices),
        is_indexed=bool(indices),
        is_conditional=each.cc not in (ARM_CC_AL, ARM_CC_INVALID),
        count=count,
    )


def _words(registers: list[str]) -> int:
    """Of floating point: D registers have two."""
    return sum(2 if register.startswith("d") else 1 for register in registers)


def _loaded(name: str, registers: list[str]) -> list[str]:
    if name.startswith(("str", "stm", "push")):
        return []
    if name in _MULTIPLE:
        return registers[1:]
    return registers[: 2 if name == "ldrd" else len(registers) if name == "pop" else 1]
