"""One user of a board at a time, across processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import DeviceBusyError
from harness.lab.lock import holder, locked
from harness.lab.schema import Place, Serial

PLACE = Place(board="mps2-an386", serial=Serial(port="/dev/ttyUSB7"))
HOLD = """
from harness.lab.lock import locked
from harness.lab.schema import Place, Serial
with locked("left", Place(board="mps2-an386", serial=Serial(port="/dev/ttyUSB7"))):
    print("held", flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    """Another process that has the place."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_place_that_another_process_has_is_refused_by_its_name(
    other: subprocess.Popen[str],
) -> None:
    with (
        pytest.raises(DeviceBusyError, match=rf"left: .*\(pid {other.pid}\) since \d+-") as caught,
        locked("left", PLACE),
    ):
        pytest.fail("two have it")
    assert caught.value.exit_code == 3
    found = holder(PLACE)
    assert found is not None
    assert found.pid == other.pid


def test_who_waits_hears_who_has_it_and_gets_it_next(other: subprocess.Popen[str]) -> None:
    heard: list[str] = []

    def waiting(who: str) -> None:
        heard.append(who)
        other.kill()  # however its holder ends, the lock ends with it

    with locked("left", PLACE, wait_s=10.0, waiting=waiting):
        found = holder(PLACE)
        assert found is not None
        assert found.pid == os.getpid()
    assert f"pid {other.pid}" in heard[0]


def test_nobody_has_a_place_that_nobody_took() -> None:
    assert holder(PLACE) is None
    with locked("left", PLACE):
        assert holder(PLACE) is not None
    assert holder(PLACE) is None


def test_the_same_board_is_one_whatever_it_is_called() -> None:
    same = PLACE.model_copy(update={"board": "mps2-an385"})
    with (
        locked("left", PLACE),
        pytest.raises(DeviceBusyError, match="right: "),
        locked("right", same),
    ):
        pytest.fail("two have it")
