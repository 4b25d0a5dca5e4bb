"""Where tables and progress are printed: results on stdout, everything else on stderr."""

from __future__ import annotations

import shutil
import sys

from rich.console import Console

_PIPED_WIDTH = 100


def stdout_console() -> Console:
    """Return a console for results; as wide as the terminal, or 100 columns in a pipe."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def stderr_console() -> Console:
    """Return a console for progress and errors."""
    return Console(file=sys.stderr, highlight=False)
