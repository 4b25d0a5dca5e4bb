"""The boot of a nucleo-f746zg: the order of its register writes, and each step that may fail."""

from __future__ import annotations

from dataclasses import replace
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
from tests.graphs import residual_graph
from tests.stm32f7_bus import FLASH_ACR, PWR_CR1, RCC_CFGR, RCC_CR, RCC_PLLCFGR, Bus, boot

pytestmark = pytest.mark.qemu  # it needs the compiler that comes with that group

ENOUGH = 20_000_000


def image(folder: Path, kind: DeviceKind) -> Firmware:
    target = target_for(load_board("nucleo-f746zg"), kind)
    graph = replace(residual_graph(), sha256="5a" * 32)
    return build(generate(plan(graph), target=target), target, out_dir=folder / kind.value)


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image(tmp_path_factory.mktemp("f7"), DeviceKind.HARDWARE).elf


@pytest.fixture(scope="module")
def booted(elf: Path) -> Bus:
    bus = Bus()
    boot(elf, bus, instructions=ENOUGH)
    return bus


def test_renode_and_hardware_get_the_same_file(tmp_path: Path) -> None:
    real, modelled = (image(tmp_path, k) for k in (DeviceKind.HARDWARE, DeviceKind.RENODE))
    assert real.elf.read_bytes() == modelled.elf.read_bytes()
    assert real.build_id == modelled.build_id


def test_clocks_are_set_in_the_manuals_order(booted: Bus) -> None:
    """RM0385, 4.1.4: over-drive once the PLL is on; wait states and prescalers, then the switch."""

    def bit(n: int) -> int:
        return 1 << n

    order = [
        booted.first_write(RCC_CR, lambda v: bool(v & bit(16))),  # HSEON
        booted.first_write(PWR_CR1, lambda v: v >> 14 & 3 == 3),  # VOS: scale 1
        booted.first_write(RCC_PLLCFGR),
        booted.first_write(RCC_CR, lambda v: bool(v & bit(24))),  # PLLON
        booted.first_write(PWR_CR1, lambda v: bool(v & bit(16))),  # ODEN
        booted.first_write(PWR_CR1, lambda v: bool(v & bit(17))),  # ODSWEN
        booted.first_write(FLASH_ACR, lambda v: v & 0xF == 7),
        booted.first_write(RCC_CFGR, lambda v: v >> 10 & 7 == 5 and v >> 13 & 7 == 4),
        booted.first_write(RCC_CFGR, lambda v: v & 3 == 2),  # SW: PLL
    ]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_the_pll_makes_216_mhz(booted: Bus) -> None:
    value = booted.registers[RCC_PLLCFGR]
    m, n, p = value & 0x3F, value >> 6 & 0x1FF, 2 * ((value >> 16 & 3) + 1)
    assert value >> 22 & 1, "from HSE"
    assert 8_000_000 / m == 2_000_000
    assert 8_000_000 // m * n // p == 216_000_000
    assert value >> 24 & 0xF >= 2, "RM0385, 5.3.2: PLLQ of 0 and 1 is wrong"


def test_the_board_says_that_it_is_up(booted: Bus) -> None:
    (said,) = booted.frames()
    assert said.type == EventType.BOOT
    hello = Hello.parse(said.payload)
    assert (hello.clock_kind, hello.tick_hz) == (ClockKind.CORE_CYCLES, 216_000_000)
    assert hello.clock_counts


def state_of(elf: Path, bus: Bus) -> BoardState:
    bus.incoming += encode(Frame(AskBoard.TYPE, 1, b""))
    boot(elf, bus, instructions=ENOUGH)
    answer = bus.frames()[-1]
    assert answer.type == AskBoard.TYPE | ANSWER
    return BoardState.parse(answer.payload)


def test_the_board_tells_its_state(elf: Path) -> None:
    state = state_of(elf, Bus())
    assert (state.core, state.core_hz, state.wait_states) == ("cortex-m7", 216_000_000, 7)
    assert state.measured_hz == pytest.approx(216_000_000, rel=0.005)
    assert state.flags == ~Flag(0), "caches, prefetch, accelerator, over-drive, crystal"
    assert state.reset is Reset.POWER
    assert state.chip_id == "44332211" * 3


@pytest.mark.parametrize(
    ("stuck", "reason"),
    [
        ("HSERDY", BringUp.OSCILLATOR_DEAD),
        ("PLLRDY", BringUp.PLL_UNLOCKED),
        ("VOSRDY", BringUp.REGULATOR_LOW),
        ("ODRDY", BringUp.OVERDRIVE_DEAD),
        ("ODSWRDY", BringUp.OVERDRIVE_DEAD),
        ("LATENCY", BringUp.FLASH_TOO_FAST),
        ("SWS", BringUp.CLOCK_NOT_SWITCHED),
    ],
)
def test_a_flag_that_never_comes_is_named(elf: Path, stuck: str, reason: BringUp) -> None:
    bus = Bus(stuck=frozenset({stuck}))
    boot(elf, bus, instructions=ENOUGH)
    (said,) = bus.frames()
    assert said.type == EventType.FAULT
    fault = Fault.parse(said.payload)
    assert (fault.exception, fault.cfsr) == (0, reason)
    assert reason.text in fault.text()


def test_without_a_second_clock_the_board_comes_up_all_the_same(elf: Path) -> None:
    state = state_of(elf, Bus(has_reference=False))
    assert (state.core_hz, state.measured_hz) == (216_000_000, 0)
