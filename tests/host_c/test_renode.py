"""The Renode backend against a program that answers as Renode does (tests/fake_renode.py)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.board.load import load_board
from harness.board.schema import DeviceKind
from harness.board.target import target_for
from harness.codegen.model_c import generate
from harness.devices import renode_process
from harness.devices.clock import Unit
from harness.devices.renode import RenodeDevice
from harness.devices.renode_process import KeptRenode
from harness.errors import DeviceError, DeviceNotFoundError, NoAnswerError
from harness.schedule.search import plan
from harness.telemetry.session import Session
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import build
from tests import fake_renode
from tests.graphs import residual_graph

pytestmark = pytest.mark.host_c


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """A native build, under the name of a board that Renode models."""
    target = target_for(load_board("nucleo-f746zg"), DeviceKind.HOST)
    folder = tmp_path_factory.mktemp("a folder")
    graph = replace(residual_graph(), sha256="5a" * 32)
    return build(generate(plan(graph), target=target), target, out_dir=folder)


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A Renode that works; tests set FAKE_RENODE to what shall go wrong."""
    program = tmp_path / "renode"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{fake_renode.__file__}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("RENODE", str(program))
    return monkeypatch


def hello(firmware: Firmware, kept: KeptRenode | None = None) -> str:
    device = RenodeDevice(kept)
    with device.open(firmware) as console:
        said = Session(console).hello(
            build_id=firmware.build_id, model_sha256=firmware.model_sha256
        )
        assert device.clock(said).unit is Unit.INSTRUCTIONS
    return device.detail


@pytest.mark.usefixtures("trouble")
def test_an_image_boots_and_talks(firmware: Firmware) -> None:
    assert hello(firmware) == "Renode 1.16.1.17518, DWT at the rate of instructions"


def test_a_slow_start_is_waited_for(firmware: Firmware, trouble: pytest.MonkeyPatch) -> None:
    trouble.setenv("FAKE_RENODE", "slow")
    assert "1.16.1" in hello(firmware)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("crashes", r"Renode ended with exit code 134: Unhandled exception"),
        ("old", r"Renode v1\.9\.0\.1 is older than 1\.15"),
        ("platform-fails", r"`include .*` failed: Error E19: could not resolve type"),
        ("dies", r"Renode went away at `start`"),
        ("dies-later", r"Renode (ended with exit code 134|went away at `pause`)"),
        ("nonsense", r"answered `version` with nonsense"),
        ("wrong-rate", r"went on by 108,000 while 216,000 instructions"),
    ],
)
def test_what_goes_wrong_is_named(
    firmware: Firmware, trouble: pytest.MonkeyPatch, what: str, message: str
) -> None:
    trouble.setenv("FAKE_RENODE", what)
    with pytest.raises(DeviceError, match=message):
        hello(firmware)


def test_a_hang_is_bounded(firmware: Firmware, trouble: pytest.MonkeyPatch) -> None:
    trouble.setenv("FAKE_RENODE", "hang")
    trouble.setattr(renode_process, "_COMMAND_S", 0.5)
    with pytest.raises(NoAnswerError, match=r"no answer to `start` in 0\.5 s"):
        hello(firmware)


def test_a_port_that_somebody_took_is_given_up(
    firmware: Firmware, trouble: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], *(renode_process.free_port() for _ in range(3))])
        trouble.setattr(renode_process, "free_port", lambda: next(ports))
        trouble.setattr("harness.devices.xmlrpc._PROBE_S", 0.2)
        assert "1.16.1" in hello(firmware)


def test_without_renode_it_says_how_to_get_it(
    firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENODE", "/nowhere/renode")
    with pytest.raises(DeviceNotFoundError, match="RENODE=/nowhere/renode is no program") as caught:
        hello(firmware)
    assert "portable package" in caught.value.hint


@pytest.fixture
def kept(trouble: pytest.MonkeyPatch) -> Iterator[KeptRenode]:
    """A Renode that stays, and ends with the test."""
    kept = KeptRenode()
    yield kept
    kept.close()


def test_one_process_runs_one_firmware_after_another(firmware: Firmware, kept: KeptRenode) -> None:
    processes = []
    for _ in range(3):
        assert "1.16.1" in hello(firmware, kept)
        with kept.serving() as (child, _):
            processes.append(child.process)
    assert len(set(processes)) == 1
    kept.close()
    assert processes[0].returncode == 0


def test_a_kept_process_that_died_is_replaced(firmware: Firmware, kept: KeptRenode) -> None:
    hello(firmware, kept)
    with kept.serving() as (child, _):
        child.process.kill()
    assert "1.16.1" in hello(firmware, kept)


def test_a_process_in_which_something_failed_is_not_kept(
    firmware: Firmware, kept: KeptRenode, trouble: pytest.MonkeyPatch
) -> None:
    trouble.setenv("FAKE_RENODE", "platform-fails")
    with pytest.raises(DeviceError, match="E19"):
        hello(firmware, kept)
    trouble.delenv("FAKE_RENODE")
    assert "1.16.1" in hello(firmware, kept)


def test_who_asks_while_it_is_in_use_is_given_another(kept: KeptRenode) -> None:
    with kept.serving() as (one, _), kept.serving() as (other, _):
        assert one.process is not other.process
    assert other.process.returncode == 0
    assert one.process.poll() is None
