"""Cases on real boards: one at a time on each, all boards at once.

A board counts its own cycles, so what the computer does beside it does not matter; a board has one
user, so its cases stand in line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from harness.experiment.case import Case

RanT = TypeVar("RanT")


def run_on_boards(
    todo: Mapping[int, Case], run: Callable[[Case], RanT]
) -> Iterator[tuple[int, RanT]]:
    """Yield each case as it comes back; those of one board are run in their order."""
    lines: dict[tuple[str, str | None], deque[int]] = {}
    for number, case in todo.items():
        lines.setdefault((case.board, case.place), deque()).append(number)
    if not lines:
        return
    with ThreadPoolExecutor(len(lines)) as pool:
        running: dict[Future[RanT], tuple[int, deque[int]]] = {}

        def begin_next(line: deque[int]) -> None:
            if line:
                number = line.popleft()
                running[pool.submit(run, todo[number])] = number, line

        for line in lines.values():
            begin_next(line)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, line = running.pop(future)
                begin_next(line)
                yield number, future.result()
