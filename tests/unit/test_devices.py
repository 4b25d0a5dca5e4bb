"""Devices: the registry, clocks, replay, and children that do not do what they should."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from harness.board.schema import DeviceKind
from harness.devices import pipe, qemu, registry
from harness.devices.clock import Clock, Unit, icount_clock
from harness.devices.fake import TICKS, Facts, FakeBoard, Trouble
from harness.devices.gdb import GdbMemory
from harness.devices.host import HostDevice
from harness.devices.pipe import PipeConsole, running
from harness.devices.registry import open_device
from harness.devices.replay import ReplayConsole, read_capture
from harness.errors import (
    CorruptStreamError,
    DeviceError,
    DeviceNotFoundError,
    FirmwareFaultError,
    NoAnswerError,
)
from harness.telemetry.capture import Capture
from harness.telemetry.console import Console
from harness.telemetry.frames import Frame, encode
from harness.telemetry.messages import Hello, Output, Samples
from harness.telemetry.session import Session
from harness.toolchain.firmware import Firmware, Footprint
from harness.toolchain.gcc import build
from tests.tiny_model import INPUT, OUTPUT, host_target, tiny_sources

BUILD, MODEL = "00" * 8, "00" * 32


def talk(console: Console, data: bytes = bytes(3000)) -> tuple[Session, Samples]:
    session = Session(
        console, now=console.now if isinstance(console, FakeBoard) else time.monotonic
    )
    session.hello(build_id=BUILD, model_sha256=MODEL)
    session.load([data])
    return session, session.run(warmup=1, repeat=3)


def test_the_registry() -> None:
    assert open_device(DeviceKind.QEMU).kind is DeviceKind.QEMU
    assert open_device(DeviceKind.HOST).kind is DeviceKind.HOST
    assert open_device(DeviceKind.REPLAY, capture=Path("x")).detail == "capture x"
    with pytest.raises(DeviceNotFoundError, match="no device of kind 'hardware'"):
        open_device(DeviceKind.HARDWARE)
    assert open_device(DeviceKind.RENODE).kind is DeviceKind.RENODE


def test_another_package_can_add_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("hardware", "harness.devices.host:HostDevice", registry.GROUP)
    monkeypatch.setattr(
        registry, "entry_points", lambda **asked: EntryPoints([entry]).select(**asked)
    )
    assert isinstance(open_device(DeviceKind.HARDWARE), HostDevice)


@pytest.mark.parametrize("tick_hz", [25_000_000, 32_000_000])
@pytest.mark.parametrize("phase_ns", [0, 1, 17, 39])
def test_instructions_come_back_exactly_whatever_the_phase_of_the_tick(
    tick_hz: int, phase_ns: int
) -> None:
    hello = Hello.parse(
        Hello.LAYOUT.pack(1, 2, 1, tick_hz, bytes(8), bytes(32), 1, 1, 0, 0, 0, 0, 0, 0)
    )
    clock = icount_clock(hello, 8)

    def window(instructions: int) -> int:
        def read(at_ns: int) -> int:
            return at_ns * tick_hz // 1_000_000_000

        return read(phase_ns + (instructions << 8)) - read(phase_ns)

    for count in (1, 2, 3, 99, 12_345, 10**9 + 7, 10**11 + 1):
        # 9 instructions belong to the window itself, and its empty function is one more.
        assert clock.measure(window(9 + count), window(9 + 1)) == count


def test_cycles_and_seconds() -> None:
    assert Clock("c", Unit.CYCLES, Fraction(1)).measure(1010, 10) == 1000
    assert Clock("c", Unit.SECONDS, Fraction(1, 1000)).measure(1010, 10) == 1.0


def test_a_capture_replays_its_board() -> None:
    fake = FakeBoard()
    session, samples = talk(fake)
    recorded = session.outputs([3000])
    replay = ReplayConsole(session.capture)
    again, same = talk(replay)
    assert same == samples
    assert again.outputs([3000]) == recorded
    with pytest.raises(NoAnswerError, match="the capture ends here"):
        again.profile()


@pytest.mark.parametrize("chunk_bytes", [256, 4096])  # the latter is given up for shorter ones
def test_a_capture_with_damage_and_resends_replays_too(chunk_bytes: int) -> None:
    fake = FakeBoard(facts=Facts(chunk_bytes=chunk_bytes), trouble=Trouble(flip=1e-3), seed=3)
    session, samples = talk(fake)
    assert session.trouble, "the seed shall make for damage"
    assert talk(ReplayConsole(session.capture))[1] == samples


def test_a_capture_of_a_failure_fails_again() -> None:
    with pytest.raises(FirmwareFaultError) as first:
        talk(FakeBoard(trouble=Trouble(reset_after=2)))
    with pytest.raises(FirmwareFaultError) as second:
        talk(ReplayConsole(Capture.decode(first.value.capture)))
    assert second.value.message == first.value.message


def test_a_capture_of_an_upload_by_debug_port_replays_too() -> None:
    session, samples = talk(FakeBoard(has_debug_port=True), b"\7" * 3000)
    assert talk(ReplayConsole(session.capture), b"\7" * 3000)[1] == samples
    with pytest.raises(DeviceError, match="of another run"):
        talk(ReplayConsole(session.capture), b"\1" * 3000)


def test_a_capture_of_another_run_is_refused() -> None:
    session, _ = talk(FakeBoard())
    with pytest.raises(DeviceError, match="of another run: request 1 differs"):
        talk(ReplayConsole(session.capture), b"\1" * 3000)


def test_a_capture_file_that_is_missing_or_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DeviceNotFoundError, match="No such file"):
        read_capture(tmp_path / "none")
    with pytest.raises(CorruptStreamError, match="not a capture"):
        read_capture(tmp_path / "text")


@contextmanager
def python_child(program: str) -> Iterator[PipeConsole]:
    with running(
        "the child", [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.process.stdin is not None
        assert child.process.stdout is not None
        yield PipeConsole(child, child.process.stdout.fileno(), child.process.stdin.fileno())


def test_a_silent_child_costs_only_the_wait() -> None:
    with python_child("import time; time.sleep(60)") as console:
        began = time.monotonic()
        assert console.read(0.05) == b""
        assert time.monotonic() - began < 5.0


def test_a_child_that_dies_says_why() -> None:
    program = "import sys; print('warning: old', file=sys.stderr); sys.exit('no memory\\n\\nR00=1')"
    with python_child(program) as console, pytest.raises(DeviceError) as caught:
        console.read(10.0)
    assert caught.value.message == "the child ended with exit code 1: no memory"


def test_a_child_that_is_killed_is_told_by_signal() -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGABRT)"
    with python_child(program) as console, pytest.raises(DeviceError, match="signal SIGABRT"):
        console.read(10.0)


def test_a_child_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "_WRITE_TIMEOUT_S", 0.05)
    with (
        python_child("import time; time.sleep(60)") as console,
        pytest.raises(NoAnswerError, match="the child took no byte"),
    ):
        console.write(bytes(1 << 22))


def test_a_program_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with (
        pytest.raises(DeviceError, match="the child does not start: No such file"),
        running("the child", ["/nowhere"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL),
    ):
        pass


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt, ValueError])
def test_a_child_and_its_children_are_gone_after_the_context(
    failure: type[BaseException] | None,
) -> None:
    program = (
        "import subprocess; p = subprocess.Popen(['sleep', '60'])\n"
        "print(p.pid, flush=True); p.wait()"
    )
    grandchild = 0
    try:
        with python_child(program) as console:
            grandchild = int(console.read(10.0))
            if failure is not None:
                raise failure
    except (KeyboardInterrupt, ValueError):
        pass
    assert _is_gone(grandchild)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_child_dies_with_us_when_we_are_killed() -> None:
    program = (
        "from harness.devices.pipe import running\n"
        "with running('x', ['sh', '-c', 'echo; exec sleep 60'], stdin=0, stdout=-1) as child:\n"
        "    child.process.stdout.readline()\n"
        "    print(child.process.pid, flush=True)\n"
        "    child.process.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert _is_gone(pid)


def _is_gone(pid: int) -> bool:
    """Return whether a process has ended, waiting a moment for it."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (b"$T05thread:01;#07+$OK#9a", None),
        (b"$T05thread:01;#07+$E14#a6", "cannot write 4 B at 0x20000000: E14"),
        (b"$E01#a6", "asked to halt, answered b'E01'"),
        (b"", "closed by the other end"),
    ],
    ids=["good", "refused", "not halted", "gone"],
)
def test_a_debug_port(answers: bytes, message: str | None) -> None:
    ours, stub = socket.socketpair()
    with ours, stub:
        stub.sendall(answers)
        stub.shutdown(socket.SHUT_WR)
        memory = GdbMemory(ours)
        if message is not None:
            with pytest.raises(DeviceError) as caught:
                memory.write(0x20000000, b"abcd")
            assert message in caught.value.message
        else:
            memory.write(0x20000000, b"abcd")
            assert stub.recv(100) == b"\x03+$M20000000,4:61626364#0b+$c#63"


def test_a_missing_qemu_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(DeviceNotFoundError, match="qemu-system-arm is not on PATH") as caught:
        _ = qemu.QemuDevice().detail
    assert "install" in caught.value.hint


def test_a_stale_answer_is_not_taken_for_a_new_one() -> None:
    fake = FakeBoard()
    fake.read(0)
    fake.write(encode(Frame(Output.TYPE, 77, bytes(8))))  # asked by a session that is gone
    assert talk(fake)[1].ticks == (TICKS,) * 3


@pytest.mark.parametrize("pause", ["", "sleep 0.2; "], ids=["at once", "a little later"])
def test_a_qemu_that_ends_at_once_is_quoted(
    pause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "qemu-system-arm"
    program.write_text(f"#!/bin/sh\n{pause}echo 'qemu: unsupported machine type' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if "qemu" in name else None)
    firmware = Firmware(
        elf=tmp_path,
        elf_sha256="",
        build_id="",
        model_sha256="",
        target=host_target(),
        compiler="",
        version="",
        flags=(),
        kernels="",
        footprint=Footprint(0, 0, 0, 0, 0, 0),
    )
    with (
        pytest.raises(DeviceError, match="ended with exit code 1: qemu: unsupported machine type"),
        qemu.QemuDevice().open(firmware) as console,
    ):
        talk(console)


@pytest.mark.host_c
def test_the_host_device_runs_the_firmware_itself(tmp_path: Path) -> None:
    device = HostDevice()
    firmware = build(
        tiny_sources(), host_target(), out_dir=tmp_path, sanitize=True, cache=tmp_path / "cache"
    )
    with device.open(firmware) as console:
        session = Session(console)
        hello = session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
        session.load([INPUT[:32], INPUT[32:]])
        samples = session.run(warmup=1, repeat=100)
        assert len(samples.ticks) == 100
        assert session.outputs([64]) == [OUTPUT]
        assert len(session.profile().ticks) == 2
        use = session.sram()
        assert (use.arena_high_water, use.arena_touched) == (128, 128)
        assert (use.stack_high_water, use.stack_entry) == (0, 0)
    clock = device.clock(hello)
    assert clock.unit is Unit.SECONDS
    assert all(0 <= clock.measure(t, 0) < 1.0 for t in samples.ticks)
