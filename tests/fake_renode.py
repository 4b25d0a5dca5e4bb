"""A program that answers as Renode's Robot server does, for the tests of the backend.

It knows the commands that the backend sends. Its machine is a native build, whose standard streams
it relays to the console's socket a few bytes at a time; what that says before anybody connects is
queued. ``FAKE_RENODE`` names what goes wrong. What it answers, and how it ends, was recorded from
Renode 1.16.1.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCServer

TROUBLE = os.environ.get("FAKE_RENODE", "")
PIECE_BYTES = 3
MIPS = 216


class Machine:
    """What a script of a board made."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.program: subprocess.Popen[bytes] | None = None
        self.instructions = 0

    def reset(self) -> None:
        """Put the machine and its console away; variables stay."""
        if self.program is not None:
            self.program.kill()
            self.listener.close()
        self.program, self.instructions = None, 0

    def execute(self, command: str) -> str:
        """Execute one command of the monitor and return what it prints."""
        if TROUBLE == "hang" and command == "start":
            time.sleep(3600)
        if TROUBLE == "dies" and command == "start":
            os._exit(134)
        if match := re.fullmatch(r"\$(\w+)=@?(.*)", command):
            self.variables[match[1]] = match[2].replace("\\ ", " ")
            return ""
        words = command.split()
        match words:
            case ["version"]:
                return "Renode v1.9.0.1" if TROUBLE == "old" else "Renode v1.16.1.17518 (a8f2f6e1)"
            case ["include", path]:
                return self._include(path)
            case ["start"]:
                return self._start()
            case ["emulation", "RunFor", duration]:
                self.instructions += round(float(duration.strip('"')) * MIPS * 1e6)
                return ""
            case ["sysbus.cpu", "ExecutedInstructions"]:
                return f"0x{self.instructions:X}"
            case ["sysbus", "ReadDoubleWord", "0xE0001004"]:
                counted = self.instructions // 2 if TROUBLE == "wrong-rate" else self.instructions
                return f"0x{counted & 0xFFFFFFFF:08X}"
            case ["pause"] | ["emulation", "SetGlobalAdvanceImmediately", "true"]:
                return ""
        raise ValueError(f"No such command or device: {words[0]}")

    def _include(self, path: str) -> str:
        if not Path(path.removeprefix("@").replace("\\ ", " ")).is_file():
            raise ValueError(f"Could not find file {path}")
        if TROUBLE == "platform-fails":
            raise ValueError("Error E19: could not resolve type: 'Timers.STM32_Timer'.")
        self.listener = socket.create_server(("127.0.0.1", int(self.variables["port"])))
        return ""

    def _start(self) -> str:
        elf = self.variables["elf"]
        self.program = subprocess.Popen([elf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self._relay, daemon=True).start()
        return "Starting emulation..."

    def _relay(self) -> None:
        assert self.program is not None
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        reader, writer = self.program.stdout, self.program.stdin
        line, _ = self.listener.accept()

        def hear() -> None:
            while data := line.recv(4096):
                writer.write(data)
                writer.flush()
            writer.close()

        threading.Thread(target=hear, daemon=True).start()
        while data := os.read(reader.fileno(), 65536):
            for first in range(0, len(data), PIECE_BYTES):
                line.sendall(data[first : first + PIECE_BYTES])
            if TROUBLE == "dies-later":
                os._exit(134)


def serve(port: int) -> None:
    """Answer keywords until told to stop."""
    machine = Machine()
    stopped = threading.Event()

    def run_keyword(name: Any, arguments: Any) -> Any:
        if name == "StopRemoteServer":
            stopped.set()
            return {"status": "PASS", "output": "", "return": "", "error": "", "traceback": ""}
        answer = {"status": "PASS", "output": "", "return": "", "error": "", "traceback": ""}
        if name == "ResetEmulation":
            machine.reset()
            return answer
        if TROUBLE == "nonsense":
            return {"weather": "fine"}
        try:
            answer["return"] = machine.execute(arguments[0])
        except ValueError as error:
            answer |= {"status": "FAIL", "error": f"{error}\n"}
        return answer

    server = SimpleXMLRPCServer(("127.0.0.1", port), logRequests=False)
    server.register_function(run_keyword)
    server.register_function(lambda: ["ExecuteCommand", "StopRemoteServer"], "get_keyword_names")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stopped.wait()
    time.sleep(0.05)  # the answer leaves first
    machine.reset()


def main() -> None:
    """Understand the command line as Renode does, as far as the backend uses it."""
    if TROUBLE == "slow":
        time.sleep(1.0)
    if TROUBLE == "crashes":
        sys.stderr.write("Unhandled exception. System.DllNotFoundException\n")
        sys.exit(134)
    port = int(sys.argv[sys.argv.index("--robot-server-port") + 1])
    try:
        serve(port)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
