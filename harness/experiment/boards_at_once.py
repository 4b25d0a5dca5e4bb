"""Cases on real boards: one at a time on each, all boards at once.

A board counts its own cycles, so what the computer does beside it does not matter; a board has one
user, so its cases stand in line. Its lock (:mod:`harness.lab.lock`) keeps other processes away; the
line is there so that no case spends its time limit waiting for another of the same sweep.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from harness.board.load import load_board
from harness.errors import BenchError
from harness.experiment.case import Case
from harness.experiment.labs import place_in_file

RanT = TypeVar("RanT")


def run_on_boards(
    todo: Mapping[int, Case], run: Callable[[Case], RanT]
) -> Iterator[tuple[int, RanT]]:
    """Yield each case as it comes back; those of one board are run in their order."""
    lines: dict[tuple[str, str | None], deque[int]] = {}
    for number, case in todo.items():
        lines.setdefault(_line_of(case), deque()).append(number)
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


def _line_of(case: Case) -> tuple[str, str | None]:
    """Return where a case stands in line: one board may be meant by its own name and its place's.

    A case that names no board of the lab has a line of its own kind, and fails when it is run.
    """
    try:
        board = load_board(case.board).name
        return board, place_in_file(case.lab, board, case.place)
    except BenchError:
        return case.board, case.place
