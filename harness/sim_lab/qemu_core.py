"""An emulated core behind QEMU's GDB stub, told to stop, go, and start again.

Four things that QEMU 7.2 does are met here. It names registers only to who has read its target
description. It stops for any byte that arrives while the core runs, and says so in a stop reply
that nobody asked for. It takes a BKPT instruction for a fault, where a real core halts: so a core
that is let go with a BKPT at its return address, which is how a flash algorithm is called, gets a
breakpoint there. And it has no name for MSP, PSP and CONTROL: r13 is the stack pointer in use,
which is MSP from reset on, and the others are kept for the debugger as it left them.

Source: GDB manual, "Remote Protocol": packets c, s, p, P, m, M, Z1, z1, qRcmd; stop replies.
"""

from __future__ import annotations

import struct

from harness.devices.gdb import CHUNK_BYTES, GdbPort
from harness.errors import DeviceError
from harness.sim_lab.adi import BusError

_SP, _LR, _PC = 13, 14, 15
_XPSR, _MSP = 16, 17
_GDB_XPSR = 25
_THUMB = 1 << 24
_BKPT_OPCODE = 0xBE
_READ_BYTES = 2000


class QemuCore:
    """The core of a machine that was started with ``-S``.

    ``boots_from`` is the vector table that the machine itself does not take at reset, or None.
    All methods raise a DeviceError when the emulator is gone.
    """

    def __init__(self, port: GdbPort, *, boots_from: int | None = None) -> None:
        self._port = port
        self._boots_from = boots_from
        self._is_halted = True
        self._shadow: dict[int, int] = {}
        self._return_address: int | None = None
        self._ask(b"qXfer:features:read:target.xml:0,ffb")

    @property
    def is_halted(self) -> bool:
        """Whether it stands still."""
        if not self._is_halted and (said := self._port.poll()) is not None and _is_stop(said):
            self._stopped()
        return self._is_halted

    def halt(self) -> None:
        """Stop the core, if it runs."""
        if self.is_halted:
            return
        self._port.interrupt()
        while not _is_stop(self._port.receive()):
            continue
        self._stopped()

    def resume(self) -> None:
        """Let the core run; from a BKPT at its return address it will not return."""
        if self.is_halted:
            self._guard_return()
            self._port.send(b"c")
            self._is_halted = False

    def step(self) -> None:
        """Execute one instruction."""
        self._port.send(b"s")
        while not _is_stop(self._port.receive()):
            continue

    def reset(self) -> None:
        """Reset the machine, and leave the core stopped at its first instruction."""
        self.halt()
        self._ask(b"qRcmd," + b"system_reset".hex().encode())
        self._shadow.clear()
        if self._boots_from is not None:
            stack, start = struct.unpack("<II", self.read(self._boots_from, 8))
            self.write_register(_SP, stack)
            self.write_register(_PC, start & ~1)
            self.write_register(_XPSR, _THUMB)

    def read_register(self, number: int) -> int:
        """Return a register, numbered as in DCRSR; floating-point registers are not modelled."""
        index = _gdb_number(number)
        if index is None:
            return self._shadow.get(number, 0)
        return int.from_bytes(bytes.fromhex(self._ask(b"p%x" % index).decode()), "little")

    def write_register(self, number: int, value: int) -> None:
        """Set a register, numbered as in DCRSR."""
        index = _gdb_number(number)
        if index is None:
            self._shadow[number] = value
            return
        self._command(b"P%x=%s" % (index, struct.pack("<I", value).hex().encode()))

    def read(self, address: int, size: int) -> bytes:
        """Return memory, while the core stands still for a moment.

        Raises:
            BusError: there is none.
        """
        was_halted = self._pause()
        data = b""
        while len(data) < size:
            part = min(size - len(data), _READ_BYTES)
            answer = self._ask(b"m%x,%x" % (address + len(data), part))
            if answer[:1] == b"E" or len(answer) != 2 * part:
                self._go_on(was_halted)
                raise BusError(f"0x{address:08x}: nothing answers there")
            data += bytes.fromhex(answer.decode())
        self._go_on(was_halted)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write memory, while the core stands still for a moment.

        Raises:
            BusError: there is none.
        """
        was_halted = self._pause()
        for offset in range(0, len(data), CHUNK_BYTES):
            part = data[offset : offset + CHUNK_BYTES]
            answer = self._ask(b"M%x,%x:%s" % (address + offset, len(part), part.hex().encode()))
            if answer != b"OK":
                self._go_on(was_halted)
                raise BusError(f"0x{address:08x}: nothing answers there")
        self._go_on(was_halted)

    def set_breakpoint(self, address: int, *, is_set: bool) -> None:
        """Stop before the instruction at an address, or no longer."""
        was_halted = self._pause()
        self._command(b"%s1,%x,2" % (b"Z" if is_set else b"z", address))
        self._go_on(was_halted)

    def _pause(self) -> bool:
        was_halted = self.is_halted
        if not was_halted:
            self._port.interrupt()
            said = self._port.receive()
            while not _is_stop(said):
                said = self._port.receive()
        return was_halted

    def _go_on(self, was_halted: bool) -> None:
        if not was_halted:
            self._port.send(b"c")

    def _guard_return(self) -> None:
        address = self.read_register(_LR) & ~1
        try:
            opcode = self.read(address, 2)
        except BusError:
            return
        if opcode[1] == _BKPT_OPCODE:
            self.set_breakpoint(address, is_set=True)
            self._return_address = address

    def _stopped(self) -> None:
        self._is_halted = True
        if self._return_address is not None:
            self.set_breakpoint(self._return_address, is_set=False)
            self._return_address = None

    def _command(self, packet: bytes) -> None:
        if (answer := self._ask(packet)) != b"OK":
            raise DeviceError(f"QEMU's debug port: {packet!r} gives {answer!r}")

    def _ask(self, packet: bytes) -> bytes:
        """Return the answer to a packet, past stop replies that are none."""
        self._port.send(packet)
        while _is_stop(answer := self._port.receive()):
            continue
        return answer


def _is_stop(packet: bytes) -> bool:
    return packet[:1] in (b"T", b"S")


def _gdb_number(number: int) -> int | None:
    """Return QEMU's number of a register of DCRSR, None where it has none."""
    if number <= _PC:
        return number
    return {_XPSR: _GDB_XPSR, _MSP: _SP}.get(number)
