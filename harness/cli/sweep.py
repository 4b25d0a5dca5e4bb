"""``bench sweep``: every combination of what a YAML file lists, each case a record."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import InsteadOption, JobsOption, JsonOption, LabOption, StoreOption
from harness.data import STORE

if TYPE_CHECKING:
    from harness.experiment.sweep import Sweep


def sweep(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="What to combine.")],
    store: StoreOption = STORE,
    jobs: JobsOption = None,
    device: InsteadOption = None,
    lab: LabOption = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="URL", help="Dask scheduler, as tcp://HOST:PORT."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, even if one was interrupted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a model, board, device, schedule, limit and optimization in every combination.

    An interrupted sweep is taken up again. Cases that cannot be done are recorded with the reason.
    """
    from harness.cli.sweeping import read_spec, run_on

    done = run_on(read_spec(spec, device, lab), store, jobs=jobs, fresh=fresh, cluster_url=cluster)
    if as_json:
        sys.stdout.write(json.dumps(_summary(done), indent=1) + "\n")
    else:
        _print(done)
    _judge(done)


def _summary(done: Sweep) -> dict[str, object]:
    records = [case.record for case in done.done]
    return {
        "sweep": done.id,
        "cases": len(records),
        "ok": sum(record.status == "ok" for record in records),
        "failed": sum(record.status == "failed" for record in records),
        "resumed": done.resumed,
        "took_s": round(done.took_s, 3),
        "records": [
            {
                "id": case.record.id,
                "path": str(case.path),
                "status": case.record.status,
                "case": case.record.case.model_dump(mode="json"),
                "error": case.record.error and case.record.error.model_dump(mode="json"),
            }
            for case in done.done
        ],
    }


def _print(done: Sweep) -> None:
    from harness.report.case_table import case_name, case_table
    from harness.report.console import stdout_console

    records = [case.record for case in done.done]
    stdout_console().print(case_table(records, f"{done.id}: {len(records)} cases"))
    for record in records:
        if record.error is not None:
            typer.echo(f"failed: {case_name(record.case)}: {record.error.message}")


def _judge(done: Sweep) -> None:
    """Raise what a run would raise, if it is more than a case that cannot be done."""
    from harness.errors import DeviceError, NothingMeasuredError, OutputsDifferError

    records = [case.record for case in done.done]
    codes = [record.error.exit_code for record in records if record.error is not None]
    if OutputsDifferError.exit_code in codes:
        count = codes.count(OutputsDifferError.exit_code)
        raise OutputsDifferError(f"outputs of {count} of {len(records)} cases differ")
    if all(record.latency is None for record in records):
        raise NothingMeasuredError(f"none of {len(records)} cases measured anything")
    if DeviceError.exit_code in codes:
        count = codes.count(DeviceError.exit_code)
        raise DeviceError(f"{count} of {len(records)} cases failed on their device")
