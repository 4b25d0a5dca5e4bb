"""``--flash platformio``: PlatformIO really runs; what it calls to upload is a test's script."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import pytest

from harness.board.load import load_board
from harness.board.schema import DeviceKind
from harness.board.target import target_for
from harness.devices.platformio_flash import PlatformioFlasher
from harness.devices.upload import JOB, MARK
from harness.errors import (
    BenchError,
    DeviceBusyError,
    DeviceError,
    DeviceNotFoundError,
    NoAnswerError,
)
from harness.lab.schema import Place
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import build
from tests.command import Bench
from tests.tiny_model import tiny_sources

pytestmark = pytest.mark.platformio

BOARD = load_board("nucleo-f746zg")
PLACE = Place.model_validate({"board": "nucleo-f746zg", "probe": {"uid": "066BFF3436"}})
DESK = (
    *("--board", "nucleo-f746zg", "--model", "hello-world", "--device", "hardware"),
    *("--lab", "sim", "--flash", "platformio"),
)
VENDOR_MAIN = """
import sys
from SCons.Script import AlwaysBuild, DefaultEnvironment
env = DefaultEnvironment()
env.Replace(
    PROGNAME="firmware", PROGSUFFIX=".elf",
    UPLOADER=f"{sys.executable} SCRIPT", UPLOADCMD="$UPLOADER $UPLOADERFLAGS",
    UPLOADERFLAGS=["-f", "board.cfg", "-c", "program {$SOURCE} verify"],
)
AlwaysBuild(env.Alias("nobuild", "$BUILD_DIR/firmware.bin"))
AlwaysBuild(env.Alias("upload", "$BUILD_DIR/firmware.elf", env.VerboseAction("$UPLOADCMD", "up")))
"""


def firmware(folder: Path, kind: DeviceKind) -> Firmware:
    return build(tiny_sources(), target_for(BOARD, kind), out_dir=folder)


def flasher(folder: Path, script: str, *, longest_s: float = 60) -> PlatformioFlasher:
    path = folder / "uploader.py"
    path.write_text(script)
    return PlatformioFlasher(longest_s=longest_s, uploader=(sys.executable, str(path)))


def failing(folder: Path, script: str, *, longest_s: float = 60) -> BenchError:
    with pytest.raises(DeviceError) as error:
        flasher(folder, script, longest_s=longest_s).program(
            firmware(folder, DeviceKind.QEMU), BOARD, PLACE
        )
    return error.value


def test_the_image_is_given_to_the_uploader_as_it_was_built(tmp_path: Path) -> None:
    image = firmware(tmp_path, DeviceKind.QEMU)
    keep = f"""
import shutil, sys
shutil.copy(sys.argv[1], {str(tmp_path / "job.json")!r})
shutil.copy(sys.argv[2], {str(tmp_path / "uploaded.elf")!r})
"""
    flasher(tmp_path, keep).program(image, BOARD, PLACE)
    assert (tmp_path / "uploaded.elf").read_bytes() == image.elf.read_bytes()
    job = JOB.validate_json((tmp_path / "job.json").read_bytes())
    assert (job.board, job.place, job.kind) == (BOARD, PLACE, DeviceKind.QEMU)


def test_an_error_comes_through_platformio_as_what_it_was(tmp_path: Path) -> None:
    told = {"type": "DeviceBusyError", "message": "the probe is taken", "hint": "wait"}
    error = failing(tmp_path, f"import sys; print({MARK + json.dumps(told)!r}); sys.exit(3)")
    assert type(error) is DeviceBusyError
    assert (error.message, error.hint) == ("the probe is taken", "wait")


def test_a_failure_of_the_uploader_is_a_device_error(tmp_path: Path) -> None:
    error = failing(tmp_path, "import sys; print('Error: open failed'); sys.exit(1)")
    assert error.message == "nucleo-f746zg: PlatformIO's upload failed: Error: open failed"
    assert error.hint == "--flash pyocd programs without it"


def test_an_uploader_that_hangs_is_ended(tmp_path: Path) -> None:
    begin = time.monotonic()
    error = failing(tmp_path, "import time; time.sleep(100)", longest_s=4)
    assert isinstance(error, NoAnswerError)
    assert "no end after 4 s" in error.message
    assert time.monotonic() - begin < 30


def test_a_real_board_is_programmed_by_its_vendors_uploader_through_its_own_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "openocd.py"
    script.write_text(
        f"import sys; open({str(tmp_path / 'said')!r}, 'w').write(repr(sys.argv[1:]))"
    )
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    _install_vendor(tmp_path / "core", script)
    PlatformioFlasher(longest_s=60).program(firmware(tmp_path, DeviceKind.HARDWARE), BOARD, PLACE)
    assert (tmp_path / "said").read_text() == repr(
        [
            *("-c", "adapter serial 066BFF3436", "-f", "board.cfg"),
            *("-c", "program {.pio/build/nucleo-f746zg/firmware.elf} verify"),
        ]
    )


def test_a_platform_that_cannot_be_fetched_is_named(tmp_path: Path) -> None:
    error = failing(tmp_path, "import sys; print('HTTPClientError: '); sys.exit(1)")
    assert isinstance(error, DeviceNotFoundError)
    assert "PlatformIO's platform ststm32 is not installed whole" in error.message
    assert "or use --flash pyocd" in error.hint


def test_a_platform_that_is_missing_offline_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PlatformIO itself takes a minute to give up."""
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nothing answers
    image = firmware(tmp_path, DeviceKind.HARDWARE)
    begin = time.monotonic()
    with pytest.raises(DeviceNotFoundError, match="platform ststm32 is not installed whole"):
        PlatformioFlasher().program(image, BOARD, PLACE)
    assert time.monotonic() - begin < 15


def test_no_probe_is_taken_that_is_not_named(tmp_path: Path) -> None:
    place = Place.model_validate({"board": "nucleo-f746zg", "serial": {"port": "/dev/null"}})
    with pytest.raises(DeviceNotFoundError, match="its place names no probe"):
        PlatformioFlasher().program(firmware(tmp_path, DeviceKind.HARDWARE), BOARD, place)


def _install_vendor(core: Path, script: Path) -> None:
    """Install a platform of the vendor's name that uploads with a script."""
    offline = Path(__file__).parents[2] / "firmware" / "platformio" / "platform"
    platform = core / "platforms" / "ststm32"
    (platform / "builder").mkdir(parents=True)
    (platform / "boards").mkdir()
    about = {"name": "ststm32", "version": "19.6.0"}
    spec = {"owner": "platformio", "id": 8020, "name": "ststm32", "requirements": None, "uri": None}
    (platform / ".piopm").write_text(json.dumps({"type": "platform", **about, "spec": spec}))
    (platform / "platform.json").write_text(json.dumps({**about, "packages": {}}))
    scons = (offline / "platform.py").read_text().replace("BenchPlatform", "Ststm32Platform")
    (platform / "platform.py").write_text(scons)
    (platform / "builder" / "main.py").write_text(VENDOR_MAIN.replace("SCRIPT", str(script)))
    board = {"name": "x", "vendor": "x", "url": "", "build": {}, "upload": {}}
    (platform / "boards" / "nucleo_f746zg.json").write_text(json.dumps(board))


@pytest.mark.qemu
def test_a_run_is_built_and_flashed_by_platformio_on_the_simulated_desk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(monkeypatch, capsys)
    run = bench("run", *DESK, "--builder", "platformio", "--no-store", "--json")
    assert run.code == 0, run.err
    assert run.json["correctness"]["bit_exact"] is True
    assert run.json["toolchain"]["builder"] == "platformio"
    assert run.json["device"]["detail"].endswith("flashed by platformio")


@pytest.mark.qemu
@pytest.mark.parametrize(("fault", "message"), [("stuck-word", "0x"), ("no-probe", "probe")])
def test_a_fault_of_the_probe_has_its_name_behind_platformio_too(
    fault: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(monkeypatch, capsys)
    lab = ("--lab", f"sim:{fault}", "--no-store")
    direct = bench("run", *DESK, *lab, "--flash", "pyocd")
    through = bench("run", *DESK, *lab)
    assert (direct.code, through.code) == (3, 3)
    assert _error(through.err) == _error(direct.err)
    assert message in _error(through.err)


def _error(said: str) -> str:
    """Return the error that a command told, less the name of the desk's folder."""
    line = next(line for line in said.splitlines() if line.startswith("error: "))
    return re.sub(r"bench-desk-\w+", "bench-desk", line)
