"""`meterhouse dev`: Dagster's UI on loopback."""

import os
import sys
from pathlib import Path

import click

from dagster_project.command._options import chosen_warehouse, console, warehouse_option

_INSTANCE = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs: {max_concurrent_runs: 2}
  pools: {default_limit: 1, granularity: op}
"""


@click.command(short_help="Open Dagster's UI on this machine.")
@warehouse_option
@click.option("--port", default=3000, show_default=True, help="Port of the UI on loopback.")
@click.option("--book", type=click.Path(path_type=Path), help="Book that the close lands.")
def dev(warehouse_location: str | None, port: int, book: Path | None) -> None:
    """Open Dagster's UI (http://127.0.0.1:PORT) on this project; stop it with Ctrl-C."""
    settings, warehouse = chosen_warehouse(warehouse_location)
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(_INSTANCE)
    workspace = Path(__file__).resolve().parents[2] / "workspace.yaml"
    environment = {
        **os.environ,
        "DAGSTER_HOME": os.environ.get("DAGSTER_HOME", str(home)),
        "METERHOUSE_HOME": str(settings.home),
        "METERHOUSE_WAREHOUSE": warehouse_location or settings.warehouse,
        "DO_NOT_TRACK": "1",
    }
    if book is not None:
        environment["METERHOUSE_BOOK"] = str(book.resolve())
    console.print(f"Dagster on http://127.0.0.1:{port} for {warehouse}")
    sys.stdout.flush()
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-w",
        str(workspace),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    os.execve(sys.executable, command, environment)
