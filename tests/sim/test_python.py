"""The library: its examples run as they are written, and importing it costs nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.data import data_dir
from harness.errors import DoesNotFitError, InputError, UsageError
from tests.records import make_record, make_timed

DOCUMENTS = ("docs/python.md", "docs/records.md", "README.md")
ROOT = data_dir("boards").parent


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import harness, sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"numpy", "pandas", "pydantic", "duckdb"} & set(said.split())


@pytest.mark.qemu
def test_the_examples_of_the_documents_run_one_after_the_other(tmp_path: Path) -> None:
    texts = [(ROOT / document).read_text(encoding="utf-8") for document in DOCUMENTS]
    blocks = [b for text in texts for b in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)]
    assert len(blocks) == 5
    script = tmp_path / "example.py"
    imports, _, rest = "\n".join(blocks).partition("\n")
    body = "".join(f"    {line}\n" for line in rest.splitlines())
    script.write_text(f'{imports}\nif __name__ == "__main__":\n{body}')
    command = [sys.executable, "-W", "error", str(script)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "instructions: x " in done.stdout
    assert "stream" in done.stdout


def test_errors_are_those_of_the_command_line() -> None:
    with pytest.raises(UsageError, match="there is no board"):
        harness.plan("kws", board="nucleo")
    with pytest.raises(DoesNotFitError):
        harness.plan("kws", schedule="layer", sram_limit=100)
    with pytest.raises(InputError, match="nothing was compared") as caught:
        harness.compare(make_record(), make_timed(1, [5.0]))
    assert caught.value.hint == "across=['caches', 'clock', 'kind']"
    with pytest.raises(AttributeError, match="no attribute 'measure'"):
        _ = harness.measure


def test_all_that_is_promised_is_there() -> None:
    assert [getattr(harness, name) for name in harness.__all__]
