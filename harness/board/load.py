"""Find and read boards: the ones that come with the project by name, others by path."""

from __future__ import annotations

from pathlib import Path

from harness.board.schema import Board
from harness.data import data_dir
from harness.errors import UsageError, near_names
from harness.facts import load_facts


def board_names() -> list[str]:
    """Return the names of all boards that come with the project, sorted."""
    return sorted(path.stem for path in data_dir("boards").glob("*.yaml"))


def load_board(name_or_path: str) -> Board:
    """Return a board by its name, or from a YAML file of the user's own.

    Raises:
        UsageError: no board has this name; the hint proposes near ones.
        FactsError: the YAML is not a board; the message tells every fault by line.
    """
    if Path(name_or_path).suffix in (".yaml", ".yml"):
        return load_facts(Path(name_or_path), Board)
    known = board_names()
    if name_or_path not in known:
        raise UsageError(
            f"there is no board {name_or_path!r}",
            hint=f"{near_names(name_or_path, known)} A path to a board's own .yaml works too.",
        )
    return load_facts(data_dir("boards") / f"{name_or_path}.yaml", Board)
