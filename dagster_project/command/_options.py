"""Options and output that several subcommands share."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from rich.console import Console

from dagster_project.lib.close import HeldCustomer
from dagster_project.lib.errors import InputError
from dagster_project.lib.progress import Pace
from dagster_project.lib.warehouse import Warehouse, open_warehouse
from dagster_project.lib.words import plural
from dagster_project.settings import Settings, load_settings

HELD_SHOWN = 20

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
    return settings, open_warehouse(location or settings.warehouse, settings.memory_limit)


def require_warehouse(warehouse: Warehouse) -> None:
    """Raise InputError when nothing was ever landed in a warehouse, before a lock or a file is made for it."""
    if not warehouse.exists():
        raise InputError(f"There is no warehouse at {warehouse}. Run `meterhouse close --book DIR` first.")


class ConsoleProgress:
    """Progress as lines of a terminal or a log: what runs, what happened, how long it took."""

    def __init__(self) -> None:
        """Begin without a step; dbt's own output, which is thrown away, takes no line of ours with it."""
        self._pace = Pace()
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)

    def started(self, step: str) -> None:
        """See Progress."""
        self._pace.start()
        self._console.print(f"[bold]{step}[/bold] …")

    def note(self, text: str) -> None:
        """See Progress."""
        self._console.print(f"  {text}", markup=False)

    def advanced(self, done: int, total: int, unit: str) -> None:
        """See Progress."""
        line = self._pace.line(done, total, unit)
        if line is not None:
            self.note(line)

    def finished(self, step: str, seconds: float) -> None:
        """See Progress."""
        self._console.print(f"  [green]done[/green] in {seconds:.1f} s")


def held_texts(held: Sequence[HeldCustomer]) -> Iterator[str]:
    """Who waits and why, a line a customer."""
    for organization, customer, rule, count in held[:HELD_SHOWN]:
        yield f"{organization} / {customer}: {rule} ({plural(count, 'row')})"
    if len(held) > HELD_SHOWN:
        yield f"and {plural(len(held) - HELD_SHOWN, 'more customer')}"
