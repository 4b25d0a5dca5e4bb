"""``bench boards``: which boards there are, and how each can be emulated."""

from __future__ import annotations

import json
import sys

from harness.cli.options import JsonOption


def boards(as_json: JsonOption = False) -> None:
    """List the boards with their memories and emulated machines."""
    from harness.board.load import board_names, load_board

    known = [load_board(name) for name in board_names()]
    if as_json:
        body = [board.model_dump(mode="json") for board in known]
        json.dump({"boards": body}, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    from harness.report.console import stdout_console
    from harness.report.tables import boards_table

    stdout_console().print(boards_table(known))
