"""Records: what was measured, on disk, and as tables.

``load()`` is all records of a store as a pandas DataFrame. pandas and DuckDB are imported when it
is called, not before: commands that write one record need neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results.frame import load, load_ops

__all__ = ["load", "load_ops"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from harness.results import frame

        return getattr(frame, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
