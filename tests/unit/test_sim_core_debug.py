"""Debug registers of a simulated core: halting, registers, resets, breakpoints, the ROM table."""

from __future__ import annotations

import pytest

from harness.board.schema import Core
from harness.sim_lab.adi import BusError
from harness.sim_lab.core_debug import CoreDebug

DHCSR, DCRSR, DCRDR, DEMCR = 0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC
DFSR, AIRCR, FP_COMP0 = 0xE000ED30, 0xE000ED0C, 0xE0002008
KEY = 0xA05F_0000
ENABLE, HALT, STEP = 1, 2, 4
S_HALT, S_RESET = 1 << 17, 1 << 25
SYSRESETREQ = 0x05FA_0004


class FakeCore:
    """A core without instructions."""

    def __init__(self) -> None:
        self.is_halted = True
        self.registers = dict.fromkeys(range(20), 0)
        self.done: list[str] = []
        self.breakpoints: set[int] = set()

    def halt(self) -> None:
        self.is_halted = True
        self.done.append("halt")

    def resume(self) -> None:
        self.is_halted = False
        self.done.append("resume")

    def step(self) -> None:
        self.done.append("step")

    def reset(self) -> None:
        self.is_halted = True
        self.done.append("reset")

    def read_register(self, number: int) -> int:
        return self.registers[number]

    def write_register(self, number: int, value: int) -> None:
        self.registers[number] = value

    def read(self, address: int, size: int) -> bytes:
        self.done.append(f"read {address:x}")
        return bytes(size)

    def write(self, address: int, data: bytes) -> None:
        self.done.append(f"write {address:x} = {data.hex()}")

    def set_breakpoint(self, address: int, *, is_set: bool) -> None:
        (self.breakpoints.add if is_set else self.breakpoints.discard)(address)


def put(debug: CoreDebug, address: int, value: int) -> None:
    debug.write(address, value.to_bytes(4, "little"))


def get(debug: CoreDebug, address: int) -> int:
    return int.from_bytes(debug.read(address, 4), "little")


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
def debug(core: FakeCore) -> CoreDebug:
    """Debug registers over a core that runs."""
    found = CoreDebug(core, Core.CORTEX_M4)
    found.reset()
    core.done.clear()
    return found


def test_control_needs_its_key(debug: CoreDebug, core: FakeCore) -> None:
    put(debug, DHCSR, ENABLE | HALT)
    assert core.done == []
    put(debug, DHCSR, KEY | ENABLE | HALT)
    assert core.done == ["halt"]
    assert get(debug, DHCSR) & (S_HALT | HALT | ENABLE) == S_HALT | HALT | ENABLE


def test_without_debug_enable_nothing_halts(debug: CoreDebug, core: FakeCore) -> None:
    put(debug, DHCSR, KEY | HALT)
    assert not core.is_halted
    assert not get(debug, DHCSR) & S_HALT


def test_a_reset_is_told_once(debug: CoreDebug) -> None:
    assert get(debug, DHCSR) & S_RESET
    assert not get(debug, DHCSR) & S_RESET


def test_registers_move_while_the_core_stands_still(debug: CoreDebug, core: FakeCore) -> None:
    with pytest.raises(BusError, match="running core"):
        put(debug, DCRSR, 3)
    put(debug, DHCSR, KEY | ENABLE | HALT)
    put(debug, DCRDR, 0x1234_5678)
    put(debug, DCRSR, 1 << 16 | 3)
    assert core.registers[3] == 0x1234_5678
    core.registers[15] = 0x800
    put(debug, DCRSR, 15)
    assert get(debug, DCRDR) == 0x800


def test_a_core_that_stops_by_itself_is_noticed(core: FakeCore) -> None:
    stops: list[str] = []
    debug = CoreDebug(core, Core.CORTEX_M4, on_stop=lambda: stops.append("stop"))
    put(debug, DHCSR, KEY | ENABLE)
    put(debug, DFSR, 0x1F)
    core.is_halted = True
    assert get(debug, DHCSR) & S_HALT
    assert (get(debug, DFSR), stops) == (2, ["stop"])


def test_a_caught_reset_halts_and_another_runs(debug: CoreDebug, core: FakeCore) -> None:
    put(debug, DHCSR, KEY | ENABLE)
    put(debug, DEMCR, 1)
    put(debug, AIRCR, SYSRESETREQ)
    assert get(debug, DHCSR) & S_HALT
    assert get(debug, DFSR) & 1 << 3
    put(debug, DEMCR, 0)
    put(debug, AIRCR, SYSRESETREQ)
    assert core.done[-2:] == ["reset", "resume"]
    put(debug, AIRCR, 4)
    assert core.done.count("reset") == 2, "AIRCR needs its key"


def test_the_reset_line_holds_the_core_until_it_is_let_go(debug: CoreDebug, core: FakeCore) -> None:
    debug.hold_reset(asserted=True)
    put(debug, DHCSR, KEY | ENABLE)
    assert core.done == ["halt"]
    assert get(debug, DHCSR) & S_RESET
    debug.hold_reset(asserted=False)
    assert core.done == ["halt", "reset", "resume"]


def test_comparators_are_breakpoints(debug: CoreDebug, core: FakeCore) -> None:
    put(debug, FP_COMP0, 0x801)
    assert core.breakpoints == {0x800}
    put(debug, FP_COMP0, 0)
    assert core.breakpoints == set()


def test_a_step_is_one(debug: CoreDebug, core: FakeCore) -> None:
    put(debug, DHCSR, KEY | ENABLE | HALT)
    put(debug, DHCSR, KEY | ENABLE | STEP)
    assert core.done[-1] == "step"
    assert get(debug, DHCSR) & S_HALT


def test_other_registers_are_the_cores_own(debug: CoreDebug, core: FakeCore) -> None:
    put(debug, 0xE000ED08, 0x2000_0000)
    assert core.done == ["write e000ed08 = 00000020"]


@pytest.mark.parametrize("kind", list(Core))
def test_the_rom_table_leads_to_components_with_identities(kind: Core, core: FakeCore) -> None:
    debug = CoreDebug(core, kind)
    entries = [get(debug, 0xE00FF000 + 4 * index) for index in range(4)]
    assert entries[3] == 0
    for entry in entries[:3]:
        base = 0xE00FF000 + (entry & 0xFFFF_F000) & 0xFFFF_FFFF
        preamble = [get(debug, base + offset) for offset in (0xFF0, 0xFF8, 0xFFC)]
        assert preamble == [0x0D, 0x05, 0xB1]
