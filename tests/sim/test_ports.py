"""The boot of real boards: the order of register writes, and each step that may fail."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from harness.board.load import load_board
from harness.board.schema import DeviceKind
from harness.board.target import target_for
from harness.codegen.model_c import generate
from harness.schedule.search import plan
from harness.telemetry.board_state import BoardState, BringUp, Flag, Reset
from harness.telemetry.fault import Fault
from harness.telemetry.frames import Frame, encode
from harness.telemetry.messages import ANSWER, AskBoard, ClockKind, EventType, Hello
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import build
from tests.chip_bus import (
    FLASH_ACR,
    NRF52840,
    PWR_CR1,
    RCC_CFGR,
    RCC_CR,
    RCC_PLLCFGR,
    STM32F446,
    STM32F746,
    STM32H743,
    STM32L4R5,
    Bus,
    Chip,
    boot,
)
from tests.graphs import residual_graph

pytestmark = pytest.mark.qemu  # it needs the compiler that comes with that group

ENOUGH = 20_000_000
CORE_REGISTERS = 0xE0000000
CHIPS = (STM32F746, STM32F446, STM32L4R5, STM32H743, NRF52840)
OVERDRIVEN = (STM32F746, STM32F446)
CLOCK_HZ = {
    "nucleo-f746zg": 216_000_000,
    "nucleo-f446re": 180_000_000,
    "nucleo-l4r5zi": 120_000_000,
    "nucleo-h743zi": 400_000_000,
    "nrf52840-dk": 64_000_000,
}
REASONS = {
    "HSERDY": BringUp.OSCILLATOR_DEAD,
    "PLLRDY": BringUp.PLL_UNLOCKED,
    "VOSRDY": BringUp.REGULATOR_LOW,
    "ODRDY": BringUp.OVERDRIVE_DEAD,
    "ODSWRDY": BringUp.OVERDRIVE_DEAD,
    "LATENCY": BringUp.FLASH_TOO_FAST,
    "ACTVOSRDY": BringUp.REGULATOR_LOW,
    "SWS": BringUp.CLOCK_NOT_SWITCHED,
    "SWS.0": BringUp.CLOCK_NOT_SWITCHED,
    "HFCLKSTARTED": BringUp.OSCILLATOR_DEAD,
}


def named(value: object) -> str:
    return value.name if isinstance(value, Chip) else str(value)


def image(folder: Path, board: str, kind: DeviceKind) -> Firmware:
    target = target_for(load_board(board), kind)
    graph = replace(residual_graph(), sha256="5a" * 32)
    return build(generate(plan(graph), target=target), target, out_dir=folder / kind.value)


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Boot:
    return Boot(tmp_path_factory.mktemp("images"))


class Boot:
    """Boots of images, each built once."""

    def __init__(self, folder: Path) -> None:
        self.elf = cache(lambda board: image(folder / board, board, DeviceKind.HARDWARE).elf)

    def __call__(self, chip: Chip, *stuck: str, said: bytes = b"") -> Bus:
        bus = Bus(chip, frozenset(stuck), bytearray(said))
        boot(self.elf(chip.name), bus, instructions=ENOUGH)
        return bus

    def state(self, chip: Chip, *stuck: str) -> BoardState:
        bus = self(chip, *stuck, said=encode(Frame(AskBoard.TYPE, 1, b"")))
        answer = bus.frames()[-1]
        assert answer.type == AskBoard.TYPE | ANSWER
        return BoardState.parse(answer.payload)


def test_renode_and_hardware_get_the_same_file(tmp_path: Path) -> None:
    kinds = (DeviceKind.HARDWARE, DeviceKind.RENODE)
    real, modelled = (image(tmp_path, "nucleo-f746zg", kind) for kind in kinds)
    assert real.elf.read_bytes() == modelled.elf.read_bytes()
    assert real.build_id == modelled.build_id


@pytest.mark.parametrize("chip", OVERDRIVEN, ids=named)
def test_clocks_are_set_in_the_manuals_order(booted: Boot, chip: Chip) -> None:
    """RM0385, 4.1.4: over-drive once the PLL is on; wait states and prescalers, then the switch."""
    bus = booted(chip)
    least_wait_states = {"nucleo-f746zg": 7, "nucleo-f446re": 5}[chip.name]
    order = [
        bus.first_write(RCC_CR, lambda v: bool(v >> 16 & 1)),  # HSEON
        bus.first_write(PWR_CR1, lambda v: v >> 14 & 3 == 3),  # VOS: scale 1
        bus.first_write(RCC_PLLCFGR),
        bus.first_write(RCC_CR, lambda v: bool(v >> 24 & 1)),  # PLLON
        bus.first_write(PWR_CR1, lambda v: bool(v >> 16 & 1)),  # ODEN
        bus.first_write(PWR_CR1, lambda v: bool(v >> 17 & 1)),  # ODSWEN
        bus.first_write(FLASH_ACR, lambda v: v & 0xF == least_wait_states),
        bus.first_write(RCC_CFGR, lambda v: v >> 10 & 7 == 5 and v >> 13 & 7 == 4),
        bus.first_write(RCC_CFGR, lambda v: v & 3 == 2),  # SW: PLL
    ]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


@pytest.mark.parametrize("chip", OVERDRIVEN, ids=named)
def test_the_pll_makes_the_boards_clock(booted: Boot, chip: Chip) -> None:
    value = booted(chip).registers[RCC_PLLCFGR]
    m, n, p = value & 0x3F, value >> 6 & 0x1FF, 2 * ((value >> 16 & 3) + 1)
    assert value >> 22 & 1, "from HSE"
    assert 8_000_000 / m == 2_000_000
    assert 8_000_000 // m * n // p == CLOCK_HZ[chip.name] == load_board(chip.name).clock_hz
    assert 8_000_000 // m * n // (value >> 24 & 0xF) <= 48_000_000, "RM0385, 5.3.2: PLLQ"


def test_the_h7_gets_its_supply_before_its_clock(booted: Boot) -> None:
    """RM0433, 6.6.2 and 8.5.2: scale 1, PLL, wait states, prescalers, then the switch."""
    bus = booted(STM32H743)
    order = [
        bus.first_write(0x5802480C),  # PWR_CR3
        bus.first_write(0x58024818, lambda v: v >> 14 & 3 == 3),  # PWR_D3CR: scale 1
        bus.first_write(0x58024400, lambda v: bool(v >> 16 & 1)),  # HSEON
        bus.first_write(0x58024430),  # PLL1DIVR
        bus.first_write(0x58024400, lambda v: bool(v >> 24 & 1)),  # PLL1ON
        bus.first_write(0x52002000, lambda v: v & 0xF == 2),  # FLASH_ACR
        bus.first_write(0x58024418, lambda v: v & 0xF == 8),  # D1CFGR: AXI at a half
        bus.first_write(0x58024410, lambda v: v & 7 == 3),  # SW: PLL1
    ]
    assert order == sorted(order)
    divider = bus.registers[0x58024430]
    multiplied = 8_000_000 // (bus.registers[0x58024428] >> 4 & 0x3F) * ((divider & 0x1FF) + 1)
    assert multiplied // ((divider >> 9 & 0x7F) + 1) == CLOCK_HZ["nucleo-h743zi"]


def test_the_l4_goes_above_80_mhz_by_half(booted: Boot) -> None:
    """RM0432, 6.2.9: the AHB is divided by 2 while the clock is switched, and not afterwards."""
    bus = booted(STM32L4R5)
    order = [
        bus.first_write(0x40007000, lambda v: v >> 9 & 3 == 1),  # PWR_CR1: range 1
        bus.first_write(0x40007080, lambda v: not v >> 8 & 1),  # PWR_CR5: boost
        bus.first_write(0x40021000, lambda v: bool(v >> 24 & 1)),  # PLLON
        bus.first_write(0x40022000, lambda v: v & 0xF == 5),  # FLASH_ACR
        bus.first_write(0x40021008, lambda v: v >> 4 & 0xF == 8),  # CFGR: HPRE a half
        bus.first_write(0x40021008, lambda v: v & 3 == 3 and v >> 4 & 0xF == 8),  # SW: PLL
        bus.first_write(0x40021008, lambda v: v & 3 == 3 and not v >> 4 & 0xF),
    ]
    assert order == sorted(order)
    pllcfgr = bus.registers[0x4002100C]
    multiplied = 4_000_000 // ((pllcfgr >> 4 & 0xF) + 1) * (pllcfgr >> 8 & 0x7F)
    assert multiplied // 2 == CLOCK_HZ["nucleo-l4r5zi"]


@pytest.mark.parametrize("chip", CHIPS, ids=named)
def test_the_board_says_that_it_is_up(booted: Boot, chip: Chip) -> None:
    (said,) = booted(chip).frames()
    assert said.type == EventType.BOOT
    hello = Hello.parse(said.payload)
    assert (hello.clock_kind, hello.tick_hz) == (ClockKind.CORE_CYCLES, CLOCK_HZ[chip.name])
    assert hello.clock_counts


@pytest.mark.parametrize(
    ("chip", "wait_states", "flags", "reset"),
    [
        (STM32F746, 7, ~Flag(0), Reset.POWER),
        (STM32F446, 5, ~Flag.DCACHE, Reset.SOFTWARE),
        (STM32L4R5, 5, ~(Flag.DCACHE | Flag.CRYSTAL), Reset.PIN),
        (STM32H743, 2, Flag.ICACHE | Flag.DCACHE | Flag.CRYSTAL, Reset.WATCHDOG),
        (NRF52840, 0, Flag.ICACHE | Flag.CRYSTAL, Reset.SOFTWARE),
    ],
    ids=named,
)
def test_the_board_tells_its_state(
    booted: Boot, chip: Chip, wait_states: int, flags: Flag, reset: Reset
) -> None:
    state, board = booted.state(chip), load_board(chip.name)
    assert (state.core, state.core_hz) == (board.core.value, board.clock_hz)
    assert state.measured_hz == pytest.approx(board.clock_hz, rel=0.02)
    assert (state.wait_states, state.flags, state.reset) == (wait_states, flags, reset)
    assert state.chip_id.startswith("4433221144332211")


@pytest.mark.parametrize(
    ("chip", "stuck"),
    [
        (chip, name)
        for chip in CHIPS
        for name in (*chip.flags, *chip.frozen)
        if name not in ("LFCLKSTARTED", "HSIRDY")  # no condition; and no console without
    ],
    ids=named,
)
def test_a_flag_that_never_comes_is_named(booted: Boot, chip: Chip, stuck: str) -> None:
    (said,) = booted(chip, stuck).frames()
    assert said.type == EventType.FAULT
    fault = Fault.parse(said.payload)
    assert (fault.exception, fault.cfsr) == (0, REASONS[stuck])
    assert REASONS[stuck].text in fault.text()


@pytest.mark.parametrize("chip", CHIPS, ids=named)
def test_a_clock_that_stands_still_is_told(booted: Boot, chip: Chip) -> None:
    (said,) = booted(chip, "counters").frames()
    assert not Hello.parse(said.payload).clock_counts
    assert booted.state(chip, "counters").measured_hz == 0


@pytest.mark.parametrize(
    ("variant", "word", "opened"),
    [
        (0x41414630, 0x5A, [0x5A]),  # "AAF0", opened by who programmed it
        (0x41414630, 0xFFFFFF00, [0xFFFFFF00]),  # closed by its owner, and left so
        (0x41414430, 0xFFFFFFFF, []),  # "AAD0" has no such register
    ],
)
def test_the_nrf52_opens_its_debug_port_as_uicr_says(
    booted: Boot, variant: int, word: int, opened: list[int]
) -> None:
    """Product Specification v1.7, "Debug and trace": first thing after each reset."""
    registers = {**NRF52840.registers, 0x10000104: variant, 0x10001208: word}
    bus = booted(replace(NRF52840, registers=registers))
    assert [value for where, value in bus.writes if where == 0x40000558] == opened
    if opened:
        assert next(w for w in bus.writes if w[0] < CORE_REGISTERS) == (0x40000558, word)
