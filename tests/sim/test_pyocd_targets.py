"""Targets that pyOCD has built in, by our flasher: an STM32F4's flash controller, a locked nRF52.

The desk here has one board, whose chip is modelled in this process; the probe, pyOCD and its child
are those of real runs.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

pytest.importorskip("unicorn")
pytest.importorskip("pyocd")

from pyocd.target.family.target_nRF52 import NRF52

from harness.board.load import load_board
from harness.board.schema import Board, Core
from harness.devices.pyocd_child import keep_open
from harness.devices.pyocd_flash import PyOcdFlasher, job_of
from harness.errors import DeviceError
from harness.lab.schema import Place, Probe, Serial
from harness.sim_lab.adi import AccessPort, DebugPort, Port
from harness.sim_lab.chip import SimulatedBoard
from harness.sim_lab.core_debug import PPB_BEGIN, CoreDebug
from harness.sim_lab.server import Desk
from harness.sim_lab.wire import PROBE_TYPE
from tests.flash_image import make_image
from tests.stm32_flash import DEV_ID, FLASH, Stm32F4

NAME = "chip"
UICR_APPROTECT = 0x1000_1208


@dataclass
class Bench:
    """A board with the chip, and the flasher's words for where it is."""

    chip: Stm32F4
    place: Place
    board: Board
    debug_registers: CoreDebug


class ControlPort:
    """CTRL-AP of an nRF52 with APPROTECT on: it can do nothing but erase everything.

    Source: Nordic nRF52840 Product Specification v1.1, 'CTRL-AP - Control access port'.
    """

    IDR, APPROTECTSTATUS = 0xFC, 0x0C

    def __init__(self) -> None:
        self.written: list[tuple[int, int]] = []

    def read(self, register: int, count: int = 1) -> list[int]:
        return [{self.IDR: 0x0288_0000, self.APPROTECTSTATUS: 0}.get(register, 0)] * count

    def write(self, register: int, values: Sequence[int]) -> None:
        self.written += [(register, value) for value in values]


@dataclass
class _Wired:
    """The chip at its probe, as a desk wants it."""

    chip: Stm32F4
    control_port: ControlPort | None = None
    registers: CoreDebug = field(init=False)
    taken: threading.Lock = field(default_factory=threading.Lock)
    busy: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.registers = CoreDebug(self.chip, Core.CORTEX_M4)
        ports: dict[int, Port] = {0: AccessPort(self, is_enabled=self.control_port is None)}
        if self.control_port is not None:
            ports[1] = self.control_port
        self._port = DebugPort(ports)

    def debug(self) -> tuple[DebugPort, CoreDebug]:
        return self._port, self.registers

    def read(self, address: int, size: int) -> bytes:
        return (self.registers if address >= PPB_BEGIN else self.chip).read(address, size)

    def write(self, address: int, data: bytes) -> None:
        (self.registers if address >= PPB_BEGIN else self.chip).write(address, data)


@contextlib.contextmanager
def _desk_with(wired: _Wired, board: str) -> Iterator[Place]:
    """Serve one board, and yield its place."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        address = Path(folder) / "s"
        listener.bind(str(address))
        listener.listen()
        desk = Desk({NAME: cast("SimulatedBoard", wired)}, None)
        listening = threading.Thread(target=desk.listen, args=(listener,), daemon=True)
        listening.start()
        probe = Probe(uid=f"{PROBE_TYPE}:{address}/{NAME}")
        yield Place(board=board, probe=probe, serial=Serial(port="unused"))
        listener.shutdown(socket.SHUT_RDWR)
        listening.join(5)


@pytest.fixture
def bench() -> Iterator[Bench]:
    wired = _Wired(Stm32F4())
    like = load_board("nucleo-f446re")
    assert like.mcu_id is not None
    identity = like.mcu_id.model_copy(update={"value": DEV_ID})
    board = like.model_copy(update={"pyocd_target": "stm32f412xe", "mcu_id": identity})
    with _desk_with(wired, like.name) as place:
        yield Bench(wired.chip, place, board, wired.registers)


def test_two_images_after_each_other(bench: Bench, tmp_path: Path) -> None:
    """The second needs bits that the first cleared, so it is only right if sectors are erased."""
    for size, seed in ((20_000, 1), (70_001, 2)):
        image, content = make_image(tmp_path / f"{seed}.elf", FLASH, size, seed=seed)
        PyOcdFlasher().program(image, bench.board, bench.place)
        assert bench.chip.flash[:size] == content
    assert bench.chip.programmed_words >= 90_000 // 4


def test_debug_is_off_and_the_core_runs_when_it_is_done(bench: Bench, tmp_path: Path) -> None:
    """Else the firmware's cycle counter would be the debugger's, or a BKPT would stop it."""
    image, _ = make_image(tmp_path / "firmware.elf", FLASH, 4096, seed=1)
    PyOcdFlasher().program(image, bench.board, bench.place)
    assert not bench.chip.is_halted
    assert bench.debug_registers.is_left_alone
    assert bench.debug_registers.read(0xE000EDFC, 4) == bytes(4)


def test_a_protected_sector_is_named(bench: Bench, tmp_path: Path) -> None:
    bench.chip.protected = {0}
    image, _ = make_image(tmp_path / "firmware.elf", FLASH, 4096, seed=1)
    with pytest.raises(DeviceError, match="STM32F446RET6 refused while programming") as caught:
        PyOcdFlasher().program(image, bench.board, bench.place)
    assert "write-protected" in caught.value.hint


def test_the_wrong_chip_is_not_written_to(bench: Bench, tmp_path: Path) -> None:
    image, _ = make_image(tmp_path / "firmware.elf", FLASH, 4096, seed=1)
    real = bench.board.model_copy(update={"mcu_id": load_board("nucleo-f446re").mcu_id})
    with pytest.raises(DeviceError, match="reads 0x441, a nucleo-f446re has 0x421"):
        PyOcdFlasher().program(image, real, bench.place)
    assert bench.chip.programmed_words == 0


def test_a_locked_chip_is_not_unlocked_by_erasing_it(tmp_path: Path) -> None:
    """Which pyOCD does of its own accord unless told otherwise."""
    control_port = ControlPort()
    image, _ = make_image(tmp_path / "firmware.elf", 0, 4096)
    with (
        _desk_with(_Wired(Stm32F4(), control_port), "nrf52840-dk") as place,
        pytest.raises(
            DeviceError, match="the nRF52840 is locked: its access port is dis"
        ) as caught,
    ):
        PyOcdFlasher().program(image, load_board("nrf52840-dk"), place)
    assert "`pyocd erase --chip --target nrf52840`" in caught.value.hint
    assert control_port.written == []


class Uicr(NRF52):  # type: ignore[misc]
    """pyOCD's nRF52, with a word of UICR and the controller that writes it in place of a chip."""

    NVMC_READY, NVMC_CONFIG = 0x4001_E400, 0x4001_E504

    def __init__(self, word: int, *, hardened: bool = True, takes: bool = True) -> None:
        self.hardened_approtect = hardened
        self.words = {UICR_APPROTECT: word, self.NVMC_READY: 1, self.NVMC_CONFIG: 0}
        self._takes = takes

    def read32(self, address: int) -> int:
        return self.words[address]

    def write32(self, address: int, value: int) -> None:
        if address == UICR_APPROTECT:
            value = self.words[address] & value if self.words[self.NVMC_CONFIG] == 1 else -1
            value = value if self._takes else self.words[address]
        self.words[address] = value


@pytest.mark.parametrize(
    ("word", "hardened", "after"),
    [
        (0xFFFF_FFFF, True, 0x5A),
        (0xFFFF_FFFF, False, 0xFFFF_FFFF),  # there it means open, and 0x5A would mean closed
        (0xFFFF_FF00, True, 0xFFFF_FF00),  # closed by its owner
        (0x5A, True, 0x5A),
    ],
)
def test_an_nrf52_that_would_lock_itself_is_kept_open(
    word: int, hardened: bool, after: int
) -> None:
    chip = Uicr(word, hardened=hardened)
    keep_open(chip)
    assert chip.words[UICR_APPROTECT] == after
    assert chip.words[Uicr.NVMC_CONFIG] == 0, "read-only again"


def test_an_nrf52_that_cannot_be_kept_open_is_named() -> None:
    with pytest.raises(DeviceError, match=r"took 0xffffffff for 0x0000005a: .* lock itself"):
        keep_open(Uicr(0xFFFF_FFFF, takes=False))


def test_a_board_says_how_its_debugger_connects() -> None:
    nrf, nucleo = load_board("nrf52840-dk"), load_board("nucleo-f746zg")
    assert job_of(nrf, Probe(), None)["connect"] == "attach"
    assert job_of(nrf, Probe(connect="under-reset"), None)["connect"] == "under-reset"
    assert job_of(nucleo, Probe(), None)["connect"] == "under-reset"
