"""What the project says of itself in one place is so in the others."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from harness import errors
from harness.data import data_dir

ROOT = data_dir("boards").parent
MODULES = {"pyelftools": "elftools", "pyyaml": "yaml", "pillow": "PIL"}
"""What a distribution is called when it is imported, where that is not its own name."""

TREE = re.findall(r"^    ([│├└─ ]*)(\w+Error)(?: +(\d))?", errors.__doc__ or "", re.M)
"""Branches, name and exit code of each line of the tree in the docstring."""


def imported() -> set[str]:
    """Return the packages that any module of ours imports."""
    names: set[str] = set()
    for path in (ROOT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names


def test_every_dependency_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^\w-]", wanted)[0] for wanted in project["dependencies"]}
    assert {name for name in names if MODULES.get(name, name) not in imported()} == set()


def test_the_tree_of_errors_has_them_all() -> None:
    known = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name for _, name, _ in TREE} == {name for name in known if name.endswith("Error")}


@pytest.mark.parametrize(("branches", "name", "code"), TREE)
def test_an_error_stands_where_the_tree_draws_it(branches: str, name: str, code: str) -> None:
    error = getattr(errors, name)
    position = [line[1] for line in TREE].index(name)
    above = [(b, n) for b, n, _ in TREE[:position] if len(b) < len(branches)]
    assert error.__base__.__name__ == (above[-1][1] if above else "Exception")
    if code:
        assert error.exit_code == int(code)
