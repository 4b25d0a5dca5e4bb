"""PlatformIO itself: it builds our projects offline, to the byte as we do, and tells faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.board.load import load_board
from harness.board.schema import DeviceKind
from harness.board.target import target_for
from harness.errors import DoesNotFitError, ToolchainError
from harness.toolchain import gcc, platformio
from tests.command import Bench
from tests.tiny_model import INVOKE, tiny_sources

pytestmark = pytest.mark.platformio

PIO = [sys.executable, "-m", "platformio"]
OFFLINE = {
    "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    "PLATFORMIO_NO_ANSI": "true",
    # Nothing answers there, so whoever wanted the network would fail at once.
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


def pio(*arguments: str, project: Path) -> subprocess.CompletedProcess[str]:
    core = {"PLATFORMIO_CORE_DIR": str(project / "core")}
    return subprocess.run(
        [*PIO, *arguments],
        cwd=project,
        env={**os.environ, **OFFLINE, **core},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("board", "kind"),
    [
        ("nucleo-f746zg", DeviceKind.HARDWARE),
        ("nrf52840-dk", DeviceKind.HARDWARE),
        ("nucleo-f446re", DeviceKind.QEMU),
    ],
)
def test_the_image_is_the_one_that_we_link(board: str, kind: DeviceKind, tmp_path: Path) -> None:
    facts = load_board(board)
    target = target_for(facts, kind)
    ours = gcc.build(tiny_sources(), target, out_dir=tmp_path)
    theirs = platformio.build(tiny_sources(), target, facts, out_dir=tmp_path)
    assert (theirs.builder, ours.builder) == ("platformio", "direct")
    assert theirs.elf != ours.elf
    assert theirs.elf.read_bytes() == ours.elf.read_bytes()


def test_an_exported_project_builds_offline_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(monkeypatch, capsys)
    case = ("hello-world", "--board", "nucleo-f746zg", "--device", "hardware")
    project = tmp_path / "a project"
    made = bench("compile", *case, "--format", "platformio", "--out", project)
    assert made.code == 0, made.err
    assert str(project / "platformio.ini") in made.out.splitlines()
    assert bench("compile", *case, "--out", tmp_path).code == 0
    done = pio("run", "-e", "nucleo-f746zg-offline", project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "bench").write_text(f"#!/bin/sh\necho \"$@\" > '{tmp_path}/said'\n")
    (tmp_path / "bench").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    up = pio("run", "-e", "nucleo-f746zg-offline", "-t", "upload", project=project)
    assert up.returncode == 0, up.stdout + up.stderr
    image = ".pio/build/nucleo-f746zg-offline/firmware.elf"
    assert (tmp_path / "said").read_text() == f"flash --board nucleo-f746zg {image}\n"
    built = project / ".pio" / "build" / "nucleo-f746zg-offline" / "firmware.elf"
    assert built.read_bytes() == (tmp_path / "hello-world-nucleo-f746zg.elf").read_bytes()


def test_platformio_reads_the_vendors_environment(tmp_path: Path) -> None:
    board = load_board("nucleo-f746zg")
    target = target_for(board, DeviceKind.HARDWARE)
    platformio.write_project(platformio.export(tiny_sources(), target, board), tmp_path)
    sections = dict(json.loads(pio("project", "config", "--json-output", project=tmp_path).stdout))
    assert dict(sections["env:nucleo-f746zg"]) == {
        "platform": "ststm32",
        "board": "nucleo_f746zg",
        "platform_packages": ["platformio/toolchain-gccarmnoneeabi@~1.120301.0"],
        "extra_scripts": ["pre:build.py"],
        "test_framework": "custom",
        "monitor_speed": 921600,
    }
    assert dict(sections["platformio"])["default_envs"] == ["nucleo-f746zg"]


def test_another_compiler_gives_another_build_id(tmp_path: Path) -> None:
    board = load_board("nucleo-f446re")
    target = target_for(board, DeviceKind.HARDWARE)
    files = dict(platformio.export(tiny_sources(), target, board))
    recipe = json.loads(files["build.json"])
    files["build.json"] = json.dumps({**recipe, "compiler": "arm-none-eabi-gcc 1.0"})
    platformio.write_project(tuple(files.items()), tmp_path)
    done = pio("run", "-e", "nucleo-f446re-offline", project=tmp_path)
    assert "not arm-none-eabi-gcc 1.0: another image, another build id" in done.stdout
    image = (tmp_path / ".pio/build/nucleo-f446re-offline/firmware.elf").read_bytes()
    assert image.count(b"bench-1\0") == 1
    assert b"bench-1\0" + bytes.fromhex(recipe["build_id"]) not in image


def test_refused_code_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    board = load_board("nucleo-f746zg")
    target = target_for(board, DeviceKind.QEMU)
    wrong = tiny_sources("void model_invoke(void)\n{\n    return 1;\n}")
    with pytest.raises(
        ToolchainError, match=r"^PlatformIO: .*src/model\.c:\d+:\d+: error: .*return"
    ):
        platformio.build(wrong, target, board, out_dir=tmp_path)
    assert [p.name for p in (tmp_path / "platformio").iterdir()] == []


def test_an_old_scons_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("nucleo-f446re")
    target = target_for(board, DeviceKind.HARDWARE)
    about = tmp_path / "old" / "scons-1.0.0.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    about.write_text("Metadata-Version: 2.1\nName: scons\nVersion: 1.0.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "old"))
    with pytest.raises(ToolchainError, match=r"builds with SCons 4[\d.]+, Python has 1\.0\.0: pip"):
        platformio.build(tiny_sources(), target, board, out_dir=tmp_path / "out")


def test_a_model_that_does_not_fit_says_by_how_much(tmp_path: Path) -> None:
    board = load_board("nucleo-f446re")
    target = target_for(board, DeviceKind.QEMU)
    big = tiny_sources(
        "static volatile uint8_t big[200000];\n" + INVOKE.replace("add()", "big[0]++")
    )
    with pytest.raises(DoesNotFitError, match=r"tiny: needs .* more than the .* of nucleo-f446re"):
        platformio.build(big, target, board, out_dir=tmp_path)


def test_a_run_says_who_built_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    bench = Bench(monkeypatch, capsys)
    case = ("--board", "nucleo-f746zg", "--model", "hello-world", "--device", "qemu")
    run = bench("run", *case, "--builder", "platformio", "--no-store", "--json")
    assert run.code == 0, run.err
    assert run.json["toolchain"]["builder"] == "platformio"
    assert run.json["correctness"]["bit_exact"] is True
