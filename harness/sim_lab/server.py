"""The desk's process: boards behind a Unix socket, each for one probe at a time.

It says in a line of JSON on stdout where the boards' serial ports are, once it listens, and ends
when its stdin ends, which it does however its parent ends. Nothing that arrives at the socket can
end it: who sends what is no message is let go.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from harness.board.load import load_board
from harness.errors import DeviceError
from harness.sim_lab import wire
from harness.sim_lab.adi import DebugPort, FaultResponseError
from harness.sim_lab.chip import SimulatedBoard
from harness.sim_lab.core_debug import CoreDebug
from harness.sim_lab.faults import Fault, parse_fault

_SLOW_S = 0.25
_UNPLUGGED_AFTER_WORDS = 8 * 1024
_LONGEST_NAME = 80


class Desk:
    """Boards by name, and the one fault of all of them."""

    def __init__(self, boards: Mapping[str, SimulatedBoard], fault: Fault | None) -> None:
        self._boards = boards
        self._fault = fault
        self._is_unplugged = fault is Fault.NO_PROBE

    def listen(self, listener: socket.socket) -> None:
        """Serve each connection in a thread of its own, until the listener is closed."""
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(line,), daemon=True).start()

    def serve(self, line: socket.socket) -> None:
        """Answer one connection until it ends."""
        with line, contextlib.ExitStack() as held, contextlib.suppress(OSError, wire.WireError):
            board: SimulatedBoard | None = None
            while True:
                message = wire.receive(line)
                kind, body = message[:1], message[1:]
                if kind == wire.LIST:
                    names = [] if self._is_unplugged else sorted(self._boards)
                    wire.send(line, wire.DONE + "\n".join(names).encode())
                elif kind == wire.OPEN and board is None:
                    try:
                        board = self._take(body, held)
                    except DeviceError as error:
                        wire.send(line, wire.REFUSED + error.message.encode())
                    else:
                        wire.send(line, wire.DONE)
                elif kind == wire.TRANSFER and board is not None:
                    wire.send(line, self._transfer(board, wire.decode_batch(body)))
                else:
                    raise wire.WireError(f"no request begins with {kind!r} now")

    def _take(self, body: bytes, held: contextlib.ExitStack) -> SimulatedBoard:
        name = body[:_LONGEST_NAME].decode(errors="replace")
        board = None if self._is_unplugged else self._boards.get(name)
        if board is None:
            raise DeviceError(f"no board {name} is on the desk")
        if not board.taken.acquire(blocking=False):
            raise DeviceError(f"the probe of {name} is in use")
        held.callback(board.taken.release)
        with board.busy:
            board.debug()
        return board

    def _transfer(self, board: SimulatedBoard, batch: Sequence[wire.Operation]) -> bytes:
        if self._fault is Fault.STUCK_PROBE:
            threading.Event().wait()
        if self._fault is Fault.SLOW:
            time.sleep(_SLOW_S)
        if self._fault is Fault.DISCONNECT and _is_large(batch):
            self._is_unplugged = True
        if self._is_unplugged:
            raise wire.WireError("the probe was unplugged")
        status, done, words = wire.Status.OK, 0, []
        try:
            with board.busy:
                port, core = board.debug()
                for operation in batch:
                    words += perform(operation, port, core)
                    done += 1
        except FaultResponseError:
            status = wire.Status.FAULT
        except DeviceError:
            return wire.REFUSED + board.obituary().encode()
        return wire.DONE + wire.encode_result(status, done, words)


def perform(operation: wire.Operation, port: DebugPort, core: CoreDebug) -> list[int]:
    """Do one operation, and return the words that it read.

    Raises:
        FaultResponseError: the chip answers FAULT.
    """
    register = operation.register & 0xC
    match operation.kind:
        case wire.Kind.READ_DP:
            return [port.read(register)]
        case wire.Kind.WRITE_DP:
            for word in operation.words:
                port.write(register, word)
        case wire.Kind.READ_AP:
            return port.read_access_port(register, operation.count)
        case wire.Kind.WRITE_AP:
            port.write_access_port(register, operation.words)
        case wire.Kind.RESET_LINE:
            core.hold_reset(asserted=bool(operation.register))
    return []


def _is_large(batch: Sequence[wire.Operation]) -> bool:
    """Return whether a batch carries what looks like a page of flash."""
    return any(len(operation.words) >= 256 for operation in batch)


def main() -> None:
    """Run a desk: ``python -m harness.sim_lab.server SOCKET FAULT BOARD...``."""
    address, fault_name, *names = sys.argv[1:]
    fault = parse_fault(fault_name)
    with contextlib.ExitStack() as stack:
        boards = {name: SimulatedBoard(load_board(name), fault) for name in names}
        for board in boards.values():
            stack.enter_context(board.powered())
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(address)
        listener.listen()
        desk = Desk(boards, fault)
        threading.Thread(target=desk.listen, args=(listener,), daemon=True).start()
        ports = {name: board.serial.name for name, board in boards.items()}
        sys.stdout.write(json.dumps(ports) + "\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
