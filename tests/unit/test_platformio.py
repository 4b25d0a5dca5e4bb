"""The PlatformIO project as text, and what becomes of what PlatformIO says."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.board.load import board_names, load_board
from harness.board.schema import DeviceKind
from harness.board.target import target_for
from harness.errors import DeviceNotFoundError, ToolchainError, UsageError
from harness.toolchain import pio_registry, platformio
from harness.toolchain.compiler import Compiler
from harness.toolchain.pio_project import project_files
from harness.toolchain.pio_registry import is_registry_reachable
from harness.toolchain.platformio import Said, find_pio, run_pio
from harness.toolchain.recipe import image_recipe
from tests.tiny_model import tiny_sources

GCC = Compiler("arm-none-eabi-gcc", "/usr/bin/arm-none-eabi-gcc", "arm-none-eabi-gcc 12.2.1")
VENDORS = {
    "nucleo-f746zg": ("ststm32", "nucleo_f746zg"),
    "nucleo-f446re": ("ststm32", "nucleo_f446re"),
    "nucleo-h743zi": ("ststm32", "nucleo_h743zi"),
    "nucleo-l4r5zi": ("ststm32", "nucleo_l4r5zi"),
    "nrf52840-dk": ("nordicnrf52", "nrf52840_dk"),
}
INI = """
[platformio]
default_envs = nucleo-f446re

[env]
extra_scripts = pre:build.py
; The default framework of tests would be fetched from the network.
test_framework = custom
monitor_speed = 921600

[env:nucleo-f446re]
platform = ststm32
board = nucleo_f446re
platform_packages = platformio/toolchain-gccarmnoneeabi@~1.120301.0

[env:nucleo-f446re-offline]
platform = symlink://${PROJECT_DIR}/platform
board = nucleo-f446re
upload_protocol = custom
upload_command = bench flash --board nucleo-f446re "$SOURCE"
"""


def project(board: str, kind: DeviceKind = DeviceKind.HARDWARE) -> dict[str, str]:
    facts = load_board(board)
    target = target_for(facts, kind)
    recipe = image_recipe(tiny_sources(), target, GCC, optimize="cycles", stack_bytes=2048)
    return dict(project_files(tiny_sources(), recipe, GCC, facts))


def test_the_configuration_has_the_vendors_platform_and_ours() -> None:
    head, _, rest = project("nucleo-f446re")["platformio.ini"].partition("\n\n")
    assert head.startswith("; tiny on nucleo-f446re: written by bench ")
    assert "\n" + rest == INI


@pytest.mark.parametrize("board", VENDORS)
def test_real_boards_name_their_platform(board: str) -> None:
    platform, name = VENDORS[board]
    environment = project(board)["platformio.ini"].split(f"[env:{board}]\n")[1]
    assert environment.startswith(f"platform = {platform}\nboard = {name}\n")


def test_every_board_that_has_a_port_is_known_to_platformio() -> None:
    assert set(VENDORS) == {b for b in board_names() if load_board(b).port is not None}


def test_an_image_for_a_stand_in_is_never_given_to_the_vendors_uploader() -> None:
    text = project("nucleo-f746zg", DeviceKind.QEMU)["platformio.ini"]
    assert "default_envs = nucleo-f746zg-offline" in text
    assert "ststm32" not in text
    assert 'upload_command = bench flash --board nucleo-f746zg --lab sim "$SOURCE"' in text


def test_a_project_has_all_that_it_compiles_and_one_port() -> None:
    files = project("nucleo-f446re")
    recipe = json.loads(files["build.json"])
    assert {unit["source"] for unit in recipe["units"]} <= set(files)
    assert set(recipe["scripts"]) <= set(files)
    with_code = {name.split("/")[2] for name in files if name.startswith("firmware/ports/")}
    assert with_code == {"cmsdk", "common", "stm32", "stm32f4"}
    limits = json.loads(files["platform/boards/nucleo-f446re.json"])["upload"]
    assert (limits["maximum_size"], limits["maximum_ram_size"]) == (512 << 10, 128 << 10)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "src/model.c: In function 'f':\nsrc/model.c:12:5: error: 'x' undeclared\n"
            "*** [x.o] Error 1\n==== [FAILED] Took 0.3 seconds ====\n",
            "src/model.c:12:5: error: 'x' undeclared",
        ),
        ("/usr/bin/ld: a.o: undefined reference to `f'\ncollect2", "undefined reference to `f'"),
        ("HTTPClientError: no route\n=== 1 failed ===\n", "HTTPClientError: no route"),
        ("said this\n\n=====\n", "said this"),
        ("", "exit code 1, and it said nothing"),
    ],
)
def test_the_first_thing_that_went_wrong_is_told(text: str, complaint: str) -> None:
    assert Said(1, text).complaint().endswith(complaint)


def test_missing_platformio_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformio, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ToolchainError, match="PlatformIO is not installed") as error:
        find_pio()
    assert error.value.hint == "pip install bench-tinyml[platformio]"


def test_this_computer_is_no_board_for_it(tmp_path: Path) -> None:
    board = load_board("nucleo-f746zg")
    host = target_for(board, DeviceKind.HOST)
    with pytest.raises(UsageError, match="PlatformIO builds for boards"):
        platformio.build(tiny_sources(), host, board, out_dir=tmp_path)


def test_a_hang_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setattr(platformio, "find_pio", lambda: ["/bin/sh", "-c"])
    begin = time.monotonic()
    with pytest.raises(ToolchainError, match=r"no end after 1 s"):
        run_pio([f"sleep 60 & echo $! > {pid}; wait"], project=tmp_path, core=None, timeout_s=1)
    assert time.monotonic() - begin < 10
    assert _is_gone(int(pid.read_text()))


def test_who_watches_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformio, "find_pio", lambda: ["/bin/sh", "-c"])
    heard: list[str] = []

    def watch(text: str) -> None:
        heard.append(text)
        if "Installing" in text:
            raise DeviceNotFoundError("offline")

    begin = time.monotonic()
    with pytest.raises(DeviceNotFoundError, match="offline"):
        run_pio(["echo Installing; sleep 60"], project=tmp_path, core=None, watch=watch)
    assert time.monotonic() - begin < 10
    said = run_pio(["echo one; sleep 1.2; echo two"], project=tmp_path, core=None, watch=watch)
    assert (said.code, said.text) == (0, "one\ntwo\n"), "looking on takes nothing away"
    assert heard[-1] == "one\n"


def test_a_registry_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)

    def slow(*_: object, **__: object) -> None:
        time.sleep(2)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    begin = time.monotonic()
    assert not is_registry_reachable(0.5)
    assert time.monotonic() - begin < 1.5
    monkeypatch.setattr(pio_registry, "urlopen", lambda *_, **__: nullcontext())
    assert is_registry_reachable(3)


def test_settings_for_other_projects_are_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORMIO_BUILD_FLAGS", "-DOTHER")
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", "/other")
    show = "import os; print({n: v for n, v in os.environ.items() if n.startswith('PLATFORMIO')})"
    monkeypatch.setattr(platformio, "find_pio", lambda: [sys.executable, "-c", show])
    said = run_pio([], project=tmp_path, core=tmp_path / "core")
    assert "OTHER" not in said.text
    assert f"'PLATFORMIO_CORE_DIR': '{tmp_path / 'core'}'" in said.text
    assert "'PLATFORMIO_DISABLE_UPGRADE_CHECK': 'true'" in said.text
    assert "'PLATFORMIO_SETTING_ENABLE_TELEMETRY': 'no'" in said.text
    assert "'PLATFORMIO_CORE_DIR': '/other'" in run_pio([], project=tmp_path, core=None).text


def _is_gone(pid: int) -> bool:
    """Return whether a process ended, waiting a little for its parent to notice."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if " Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.05)
    return False
