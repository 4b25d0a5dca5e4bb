"""A simulated board: an emulated machine with flash, its debug port and its serial port.

The emulator starts when a probe is first opened, and then stays: flash keeps what was written
through any number of resets, until the desk is closed. Flash is memory of the machine at the
address that the board's emulation names; that only erasing sets bits is the flash algorithm's
doing.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from harness.board.schema import Board, Emulation
from harness.devices.gdb import GdbPort
from harness.devices.pipe import Child, running
from harness.devices.qemu import ICOUNT_SHIFT, find_qemu
from harness.errors import DeviceError
from harness.sim_lab.adi import AccessPort, Bus, BusError, DebugPort
from harness.sim_lab.core_debug import PPB_BEGIN, PPB_END, CoreDebug
from harness.sim_lab.faults import Fault
from harness.sim_lab.qemu_core import QemuCore
from harness.sim_lab.uart import SerialPort

IDLE_STACK_BYTES = 1024
_IDLE_CODE = bytes.fromhex("30bf fde7")
"""WFI, and a branch back to it: what a chip with empty flash must not lack here, since a core that
finds no code locks up, on which QEMU aborts."""

_WRONG_ID = 0x0BAD
STUCK_OFFSET = 0x140
_STUCK_VALUE = bytes.fromhex("5aa50ff0")
_BROWN_OUT_S = 0.02


class SimulatedBoard:
    """A board whose emulator may run or not; use :meth:`powered` around it all."""

    def __init__(self, board: Board, fault: Fault | None) -> None:
        assert board.emulation is not None, "only boards with an emulation are on the desk"
        self.board = board
        self.emulation: Emulation = board.emulation
        self.serial = SerialPort()
        self.taken = threading.Lock()
        """Held by who has taken the probe."""
        self.busy = threading.Lock()
        """Held while a batch of transfers is done."""
        self._fault = fault
        # The emulator dies with the thread that starts it, so that thread must stay.
        self._keeper = ThreadPoolExecutor(max_workers=1)
        self._power = contextlib.ExitStack()
        self._ports: tuple[DebugPort, CoreDebug] | None = None
        self._child: Child | None = None

    @contextlib.contextmanager
    def powered(self) -> Iterator[None]:
        """Keep what is started until the context ends; then all of it is gone."""
        try:
            yield
        finally:
            self._power.close()
            self._keeper.shutdown()
            self.serial.close()

    def debug(self) -> tuple[DebugPort, CoreDebug]:
        """Return the debug port, and the core's debug registers for nRESET; starts the emulator.

        Raises:
            DeviceError: the emulator does not start.
        """
        if self._ports is None:
            self._ports = self._keeper.submit(self._start).result()
        return self._ports

    def obituary(self) -> str:
        """Return how the emulator ended."""
        return self._child.obituary() if self._child else "the emulator was never started"

    def _start(self) -> tuple[DebugPort, CoreDebug]:
        with contextlib.ExitStack() as stack:
            uart, its_uart = map(stack.enter_context, socket.socketpair())
            stub, its_stub = map(stack.enter_context, socket.socketpair())
            child = stack.enter_context(
                running(
                    f"QEMU ({self.emulation.machine})",
                    _command(self.emulation.machine, its_uart.fileno(), its_stub.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[its_uart.fileno(), its_stub.fileno()],
                )
            )
            its_uart.close()
            its_stub.close()
            try:
                ports = self._assemble(GdbPort(stub))
            except DeviceError:
                raise DeviceError(child.obituary()) from None
            stack.enter_context(self.serial.joined(uart))
            if self._fault is Fault.RESET_LOOP:
                stack.enter_context(self._browning_out(ports[1]))
            self._child = child
            self._power = stack.pop_all()
        return ports

    def _assemble(self, port: GdbPort) -> tuple[DebugPort, CoreDebug]:
        origin = self.emulation.flash_origin
        core = QemuCore(port, boots_from=origin or None)
        core.write(origin, _idle_image(self.emulation))
        debug = CoreDebug(core, self.board.core, on_stop=lambda: self._wear(core))
        debug.reset()
        is_hidden = self._fault is Fault.READ_PROTECTED
        flash = range(origin, origin + self.board.memory("flash").size_bytes)
        bus = _ChipBus(core, debug, self._identity(), flash if is_hidden else range(0))
        is_open = self._fault is not Fault.LOCKED
        return DebugPort({0: AccessPort(bus, is_enabled=is_open)}), debug

    def _identity(self) -> tuple[int, int] | None:
        """Return the address and the content of the register that tells which chip it is."""
        known = self.board.mcu_id
        if known is None:
            return None
        return known.address, _WRONG_ID if self._fault is Fault.WRONG_ID else known.value

    def _wear(self, core: QemuCore) -> None:
        """Undo what the flash algorithm wrote to the stuck word."""
        if self._fault is Fault.STUCK_WORD:
            core.write(self.emulation.flash_origin + STUCK_OFFSET, _STUCK_VALUE)

    @contextlib.contextmanager
    def _browning_out(self, debug: CoreDebug) -> Iterator[None]:
        is_over = threading.Event()

        def reset_again() -> None:
            while not is_over.wait(_BROWN_OUT_S):
                with self.busy, contextlib.suppress(DeviceError):
                    if debug.is_left_alone:
                        debug.reset()

        loop = threading.Thread(target=reset_again, daemon=True)
        loop.start()
        try:
            yield
        finally:
            is_over.set()
            loop.join()


class _ChipBus:
    """The memory of a chip: its private peripherals, the register with its identity, the rest.

    What is in ``hidden`` nobody may read.
    """

    def __init__(
        self, core: Bus, debug: CoreDebug, identity: tuple[int, int] | None, hidden: range
    ) -> None:
        self._core = core
        self._debug = debug
        self._identity = identity
        self._hidden = hidden

    def read(self, address: int, size: int) -> bytes:
        """Return memory; raises BusError."""
        if self._identity is not None and address == self._identity[0] and size == 4:
            return self._identity[1].to_bytes(4, "little")
        if PPB_BEGIN <= address < PPB_END:
            return self._debug.read(address, size)
        if address in self._hidden:
            raise BusError(f"0x{address:08x}: read-out protection")
        return self._core.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Write memory; raises BusError."""
        if PPB_BEGIN <= address < PPB_END:
            self._debug.write(address, data)
        else:
            self._core.write(address, data)


def _command(machine: str, uart: int, stub: int) -> list[str]:
    return [
        find_qemu(),
        *("-machine", machine, "-nodefaults", "-display", "none", "-monitor", "none"),
        *("-icount", f"shift={ICOUNT_SHIFT},sleep=off"),
        *("-chardev", f"socket,id=uart,fd={uart}", "-serial", "chardev:uart"),
        *("-chardev", f"socket,id=stub,fd={stub}", "-S", "-gdb", "chardev:stub"),
    ]


def _idle_image(emulation: Emulation) -> bytes:
    """Return a vector table, all of whose entries lead to code that sleeps."""
    vectors = 16
    entry = emulation.flash_origin + 4 * vectors | 1
    stack = emulation.ram_origin + IDLE_STACK_BYTES
    words = [stack, *[entry] * (vectors - 1)]
    return b"".join(word.to_bytes(4, "little") for word in words) + _IDLE_CODE
