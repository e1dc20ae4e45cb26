"""Options and output that several subcommands share."""

from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from dagster_project.lib.progress import Pace
from dagster_project.lib.warehouse import Warehouse, open_warehouse
from dagster_project.settings import Settings, load_settings

console = Console(highlight=False, soft_wrap=True)


def warehouse_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--warehouse PATH_OR_URL`."""
    return click.option(
        "--warehouse",
        "warehouse_location",
        metavar="PATH_OR_URL",
        help="DuckDB file or postgresql:// address (default: METERHOUSE_WAREHOUSE or .meterhouse/warehouse.duckdb).",
    )(function)


def chosen_warehouse(location: str | None) -> tuple[Settings, Warehouse]:
    """The settings and the warehouse that the user means."""
    settings = load_settings()
    return settings, open_warehouse(location or settings.warehouse)


class ConsoleProgress:
    """Progress as lines of a terminal or a log: what runs, what happened, how long it took."""

    def __init__(self) -> None:
        """Begin without a step."""
        self._pace = Pace()

    def started(self, step: str) -> None:
        """See Progress."""
        self._pace.start()
        console.print(f"[bold]{step}[/bold] …")

    def note(self, text: str) -> None:
        """See Progress."""
        console.print(f"  {text}", markup=False)

    def advanced(self, done: int, total: int, unit: str) -> None:
        """See Progress."""
        line = self._pace.line(done, total, unit)
        if line is not None:
            console.print(f"  {line}", markup=False)

    def finished(self, step: str, seconds: float) -> None:
        """See Progress."""
        console.print(f"  [green]done[/green] in {seconds:.1f} s")


def amount_text(cents: int, exponent: int) -> str:
    """An amount in minor units as digits with the currency's decimals and thin groups."""
    sign = "-" if cents < 0 else ""
    whole, fraction = divmod(abs(cents), 10**exponent)
    return f"{sign}{whole:,}" + (f".{fraction:0{exponent}d}" if exponent else "")
