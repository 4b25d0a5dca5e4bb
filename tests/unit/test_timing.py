"""Estimated cycles: the manual's own examples, and traces made by hand."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.errors import BenchError, UnsupportedModelError
from harness.timing import cortex_m4
from harness.timing.cortex_m4 import Cycles, sequence_cycles
from harness.timing.disassembly import disassemble
from harness.timing.estimate import count
from harness.timing.instruction import Instruction
from harness.timing.trace import START, Trace, trace

pytest.importorskip("capstone")


def read(text: str) -> Iterator[Instruction]:
    """Read instructions written as ``ldr r0,[r1,r2]``; a number is how many registers are moved."""
    for line in text.split(";"):
        name, operands = line.split(maxsplit=1)
        first, *_ = operands.split(",")
        address = re.search(r"\[(.*)\]", operands)
        registers = frozenset(re.findall(r"r\d+", address[1])) if address else frozenset()
        yield Instruction(
            name,
            written=frozenset() if name.startswith("str") else frozenset({first}),
            address=registers,
            is_indexed=len(registers) > 1,
            count=int(first) if first.isdigit() else 0,
        )


@pytest.mark.parametrize(
    ("text", "cycles"),
    [
        # Arm DDI 0439B, 3.3.2.
        ("ldr r0,[r1]; ldr r1,[r2]", 3),
        ("ldr r0,[r1,r2]; str r0,[r3]", 3),
        ("ldr r0,[r1,r2]; str r1,[r3,r2]", 3),
        ("ldr r0,[r1,r5]; ldr r1,[r2]; ldr r2,[r3]", 4),
        ("str r0,[r1]", 1),
        ("ldrd 2,[r1]", 3),
        ("stm 8,[r1]", 9),
        # An address that the load before fetches, and one that was just computed.
        ("ldr r0,[r1]; ldr r2,[r0]", 4),
        ("add r0,r1; ldr r2,[r0]", 4),
        ("add r0,r1; smlad r2,r3; ldr r2,[r0]", 4),
        # Nothing is pipelined with a store before it, or with several registers at once.
        ("str r0,[r1]; ldr r2,[r3]", 3),
        ("str r0,[r1,r2]; ldr r2,[r3]", 4),
        ("ldr r0,[r1]; ldm 3,[r2]; ldr r0,[r1]", 8),
    ],
)
def test_loads_and_stores_take_what_the_manual_says(text: str, cycles: int) -> None:
    assert sequence_cycles(tuple(read(text))) == Cycles(cycles, cycles)


HALF = "ldm 3,[r0]" + "; smlad r7,r4" * 3 + "; sxtb16 r2,r2" + "; smlad r7,r4" * 3
SHAPES = {
    "3 pixels x 2 channels": ("ldrd 2,[r1]; " + HALF + "; " + HALF, 17, 25),
    "2 x 4, in pairs": (
        "ldrd 2,[r1]; ldrd 2,[r0]" + "; smlad r7,r4" * 8 + "; sxtb16 r2,r2" * 2, 12, 16
    ),
    "2 x 4, one by one": (
        "ldr r2,[r1]; ldr r3,[r1]; ldr r4,[r0]; ldr r5,[r0]"
        + "; smlad r7,r4" * 8 + "; sxtb16 r2,r2" * 2, 14, 15
    ),
}  # fmt: skip
"""Ways to make 24 products, and 16: instructions, how many they are, and cycles."""


@pytest.mark.parametrize("shape", SHAPES)
def test_the_inner_loops_that_the_notes_compare(shape: str) -> None:
    text, instructions, cycles = SHAPES[shape]
    loop = tuple(read(text))
    assert len(loop) == instructions
    assert sequence_cycles(loop) == Cycles(cycles, cycles)


LOOP = bytes.fromhex("0138fdd1")
"""``subs r0, #1; bne .-2``."""

WFI = bytes.fromhex("30bf")

FLOAT = {
    "vldr s0,[r1]": ("91ed000a", 2),
    "vldr d1,[r1,#4]": ("91ed011b", 3),
    "vldmia r1!,{s0-s3}": ("bcec040a", 5),
    "vpush {d8-d9}": ("2ded048b", 5),
    "vmov s0,r1": ("00ee101a", 2),
    "vmov d0,r1,r4": ("44ec101b", 2),
    "vmov.f32 s0,#1.0": ("b7ee000a", 1),
    "vcvt.s32.f32 s0,s0": ("bdeec00a", 1),
    "vmrs APSR_nzcv,fpscr": ("f1ee10fa", 1),
    "vfma.f32 s0,s1,s2": ("a0ee810a", 3),
    "vdiv.f32 s0,s1,s2": ("80ee810a", 14),
}


@pytest.mark.parametrize("text", FLOAT)
def test_floating_point_takes_what_the_manual_says(text: str) -> None:
    code, cycles = FLOAT[text]
    assert sequence_cycles(disassemble(bytes.fromhex(code), 0)) == Cycles(cycles, cycles)


def test_a_branch_is_refilled_after_only_where_it_is_taken() -> None:
    block, after = (0x100, 4), (0x104, 2)
    steps = {(START, block): 1, (block, block): 9, (block, after): 1}
    nop = bytes.fromhex("00bf")
    instructions, cycles = count(Trace(steps, {block: LOOP, after: nop}, ()))
    assert instructions == 21
    assert cycles == Cycles(21 + 9 * cortex_m4.REFILL[0], 21 + 9 * cortex_m4.REFILL[-1])


def test_a_jump_is_refilled_after_even_if_it_goes_to_the_next_address() -> None:
    jump, after = (0x100, 2), (0x102, 2)
    code = {jump: bytes.fromhex("1847"), after: bytes.fromhex("00bf")}
    _, cycles = count(Trace({(START, jump): 1, (jump, after): 1}, code, ()))
    assert cycles == Cycles(2 + cortex_m4.REFILL[0], 2 + cortex_m4.REFILL[-1])


@pytest.mark.parametrize(
    ("code", "cycles"), [("dff800f0", 5), ("dfe801f0", 6)], ids=["ldr pc,[pc]", "tbb [pc,r1]"]
)
def test_an_address_that_is_loaded_blocks(code: str, cycles: int) -> None:
    """Arm DDI 0439B, 3.3.2: at least five cycles, and six."""
    jump, after = (0x100, 4), (0x200, 2)
    found = {jump: bytes.fromhex(code), after: bytes.fromhex("00bf")}
    _, took = count(Trace({(START, jump): 1, (jump, after): 1}, found, ()))
    assert took == Cycles(cycles + 1, cycles + 1)


def test_loads_are_pipelined_across_blocks_that_follow_one_another() -> None:
    first, second = (0x100, 2), (0x102, 2)
    code = {first: bytes.fromhex("0868"), second: bytes.fromhex("1a68")}
    behind = Trace({(START, first): 1, (first, second): 1}, code, ())
    assert count(behind) == (2, Cycles(3, 3))
    apart = Trace({(START, first): 1, (START, second): 1}, code, ())
    assert count(apart) == (2, Cycles(4, 4))


def test_a_division_takes_from_2_to_12() -> None:
    assert sequence_cycles(disassemble(bytes.fromhex("90fbf1f0"), 0)) == Cycles(2, 12)


def test_machine_code_says_what_is_moved_and_by_which_address() -> None:
    ldm, pop, strh = disassemble(bytes.fromhex("70c8f0bd5152"), 0)
    assert (ldm.name, ldm.count, set(ldm.address)) == ("ldm", 3, {"r0"})
    assert ldm.written == {"r4", "r5", "r6"}
    assert (pop.name, pop.count, set(pop.address)) == ("pop", 5, {"sp"})
    assert (strh.name, strh.is_indexed, strh.written) == ("strh", True, frozenset())


def test_an_instruction_that_the_table_does_not_have_is_named() -> None:
    block = (0x100, 2)
    with pytest.raises(UnsupportedModelError, match="does not time: wfi"):
        count(Trace({(START, block): 1}, {block: WFI}, ()))


def test_code_that_is_none_is_refused() -> None:
    with pytest.raises(BenchError, match="code at 0x102 is unknown"):
        disassemble(bytes.fromhex("00bfffff"), 0x100)


@pytest.mark.parametrize(
    ("package", "use"),
    [("capstone", lambda: disassemble(b"", 0)), ("unicorn", lambda: trace(Path("none.elf"), []))],
)
def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, use: Callable[[], object]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BenchError, match=f"{package.title()} is not installed") as refused:
        use()
    assert "bench-tinyml[estimate]" in refused.value.hint
