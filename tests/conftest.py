"""What a test may need beyond Python, and what happens when it is not there.

A test says what it needs by a marker (``qemu``, ``host_c``, ``renode``, ``tflm``) or by asking for
a fixture below (``models``). When that is missing the test is skipped and says what is missing.
Where it must be there, ``BENCH_REQUIRE=qemu,models`` turns such skips into failures.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("bench", deadline=None)
settings.load_profile("bench")

_TOOLS = {
    "qemu": ("qemu-system-arm", "arm-none-eabi-gcc"),
    "host_c": ("gcc",),
    "renode": ("renode",),
    "platformio": ("arm-none-eabi-gcc",),
    "labgrid": ("ser2net", "qemu-system-arm", "arm-none-eabi-gcc"),
}
_PACKAGES = {
    "tflm": ("tflite_micro",),
    "platformio": ("platformio", "SCons"),
    "labgrid": ("labgrid",),
}
_GROUPS = (*_TOOLS, "models", "tflm", "hil")
_MODEL_FIXTURES = {"models_dir", "golden_dir", "model_path"}


def _required() -> list[str]:
    return [group for group in os.environ.get("BENCH_REQUIRE", "").split(",") if group]


def _directory(variable: str) -> Path | None:
    path = os.environ.get(variable)
    return Path(path) if path and Path(path).is_dir() else None


def _missing(group: str) -> str:
    """Return what this machine lacks for a group of tests, or nothing."""
    if group == "models":
        return "" if _directory("BENCH_MODELS") else "BENCH_MODELS names no directory of models"
    if group == "hil":
        return "" if os.environ.get("BENCH_LAB") else "BENCH_LAB names no lab"
    packages = [package for package in _PACKAGES.get(group, ()) if not find_spec(package)]
    if packages:
        return f"not installed: {', '.join(packages)}"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"  # where labgrid looks for ser2net too
    tools = [tool for tool in _TOOLS.get(group, ()) if not shutil.which(tool, path=path)]
    return f"not on PATH: {', '.join(tools)}" if tools else ""


def pytest_configure() -> None:
    unknown = set(_required()) - set(_GROUPS)
    if unknown:
        raise pytest.UsageError(f"BENCH_REQUIRE: unknown {sorted(unknown)}, known: {_GROUPS}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``model_path`` for each model but ``mark.models(without={...})``."""
    if "model_path" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("models")
        without = marker.kwargs.get("without", ()) if marker else ()
        directory = _directory("BENCH_MODELS")
        paths = sorted(directory.glob("*.tflite")) if directory else []
        paths = [path for path in paths if path.stem not in without]
        metafunc.parametrize("model_path", paths or [Path("none")], ids=lambda path: path.stem)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _MODEL_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("models")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for group in _GROUPS:
        if item.get_closest_marker(group) and (missing := _missing(group)):
            pytest.skip(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test that must run into a failure."""
    report = yield
    required = [group for group in _required() if item.get_closest_marker(group)]
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"{reason} (BENCH_REQUIRE asks for {', '.join(required)})"
    return report


@pytest.fixture(autouse=True)
def _boards_are_left_alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep ``--device auto`` off the boards of whoever runs the tests."""
    if not request.node.get_closest_marker("hil"):
        monkeypatch.delenv("BENCH_LAB", raising=False)


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The directory of real .tflite files."""
    return _existing("BENCH_MODELS")


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """The directory of recorded inputs and outputs, ``NAME.npz`` for ``NAME.tflite``."""
    return _existing("BENCH_GOLDEN")


def _existing(variable: str) -> Path:
    directory = _directory(variable)
    if directory is None:
        pytest.skip(f"{variable} names no directory")
    return directory
