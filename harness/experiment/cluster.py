"""The workers of a sweep: processes of a Dask cluster. The only module that imports distributed.

Dask hands a case of a worker that died to another one (https://distributed.dask.org/en/stable/
resilience.html); one that kills several is given up and recorded as failed. Records are written
here, by the process that began the sweep, so nothing is lost with a worker and nothing comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from harness.board.schema import DeviceKind
from harness.errors import DeviceNotFoundError, UsageError
from harness.experiment.case import device_kind
from harness.experiment.provenance import source_digest
from harness.experiment.spec import SweepSpec
from harness.experiment.sweep import Workers
from harness.experiment.worker import lost

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 10.0
_GO_ANYWHERE = (DeviceKind.QEMU, DeviceKind.RENODE)


def cluster(url: str, spec: SweepSpec) -> tuple[Workers, int]:
    """Return what connects to a scheduler, and how many cases to give it at a time.

    Raises:
        UsageError: Dask is not installed, the sweep has cases that are bound to this computer, or
            a worker runs other sources.
        DeviceNotFoundError: no scheduler answers, or it has no workers.
    """
    if find_spec("distributed") is None:
        raise UsageError(
            "--cluster needs Dask, which is not installed",
            hint="pip install 'bench-tinyml[cluster]'",
        )
    bound = [name for name in spec.devices if device_kind(name)[0] not in _GO_ANYWHERE]
    if bound:
        raise UsageError(
            f"--cluster takes emulated cases; {', '.join(bound)} runs on this computer",
            hint="sweep it without --cluster",
        )
    with _connected(url) as client:
        threads = client.nthreads()
        if not threads:
            raise DeviceNotFoundError(
                f"the Dask scheduler at {url} has no workers", hint=f"start one: dask worker {url}"
            )
        ours = source_digest()
        others = [name for name, theirs in client.run(source_digest).items() if theirs != ours]
        if others:
            raise UsageError(
                f"{len(others)} of {len(threads)} workers run another bench ({others[0]})",
                hint="install the same sources on all",
            )

    @contextmanager
    def workers() -> Iterator[Executor]:
        with _connected(url) as client:
            yield _ClusterExecutor(client)

    # One more than are running each, so that none waits for us.
    return workers, 2 * sum(threads.values())


@contextmanager
def _connected(url: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(url, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise DeviceNotFoundError(
            f"no Dask scheduler answers at {url}: {error}", hint="as in tcp://127.0.0.1:8786"
        ) from None
    with client:
        yield client


class _ClusterExecutor(Executor):
    """A cluster behind the interface of a pool."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def submit(self, run: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        local: Future[Any] = Future()
        remote = self._client.submit(run, *arguments, pure=False, **named)
        remote.add_done_callback(lambda done: _settle(local, done, arguments[0]))
        return local


def _settle(local: Future[Any], done: Any, case: Any) -> None:
    """Give a future what its remote one has come to."""
    from distributed.scheduler import KilledWorker

    if done.status == "finished":
        local.set_result(done.result())
    elif done.status == "error" and isinstance(done.exception(), KilledWorker):
        local.set_result(lost(case, "every worker that ran this case died"))
    elif done.status == "error":
        local.set_exception(done.exception())
    else:
        local.set_exception(BrokenExecutor("the Dask scheduler has gone"))
