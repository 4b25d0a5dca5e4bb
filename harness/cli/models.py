"""``bench models``: which models there are, and where each comes from."""

from __future__ import annotations

import sys

from harness.cli.options import JsonOption


def models(as_json: JsonOption = False) -> None:
    """List the models of the catalog and whether their files are at hand."""
    from harness.models.catalog import catalog, locate

    entries = catalog().models
    if as_json:
        sys.stdout.write(catalog().model_dump_json(indent=1) + "\n")
        return
    from harness.report.console import stdout_console
    from harness.report.tables import models_table

    stdout_console().print(models_table([(entry, locate(entry)) for entry in entries]))
