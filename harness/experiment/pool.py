"""The workers of a sweep: processes of this computer.

Processes are forked from a server that has imported everything and has no threads, so a worker is
there at once and inherits no lock. But its environment would be that of the server, as old as the
first pool, so it is told the present one.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from harness.experiment.sweep import Workers
from harness.experiment.worker import start_worker


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(count: int) -> Workers:
    """Return what makes a pool of ``count`` processes."""

    @contextmanager
    def pool() -> Iterator[Executor]:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        others = set(multiprocessing.active_children())
        executor = ProcessPoolExecutor(
            count, mp_context=context, initializer=start_worker, initargs=(dict(os.environ),)
        )
        try:
            yield executor
        except BaseException:
            # Nobody will take what they are running (Ctrl-C, a full disk): do not wait for it.
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)

    return pool
