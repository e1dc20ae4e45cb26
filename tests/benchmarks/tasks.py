"""The tasks that measuring.py runs, one a process: what they print is the CPU and wall time of the work alone."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
_FIELDS = (
    "transaction_id: 'VARCHAR', external_subscription_id: 'VARCHAR', code: 'VARCHAR', timestamp: 'VARCHAR', "
    "properties: 'JSON'"
)
# what gives units from landed events; the models after these price them
METERING_MODELS = "path:models/intermediate/metering"


class Silent:
    """Progress that tells nothing."""

    def note(self, text: str) -> None:
        """Ignore."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_keywords: None


def bare_parquet(data: str, out: str, threads: int) -> Callable[[], None]:
    """The limit of landing: read_json with explicit columns to Parquet, nothing checked."""
    connection = _memory(threads)
    files = sorted(map(str, Path(data).glob("jsonl/*/*")))

    def work() -> None:
        connection.execute(
            f"copy (select * from read_json({files!r}, format = 'newline_delimited', ignore_errors = true, "
            f"columns = {{{_FIELDS}}})) to '{out}' (format parquet, compression zstd, compression_level 1)"
        )

    return work


def reference_parquet(data: str, sql: str, threads: int, memory: str = "8GB") -> Callable[[], None]:
    """The limit of metering: reference.sql over the clean events in Parquet."""
    connection = _memory(threads, memory)
    connection.execute(f"create temp view landed as from read_parquet('{data}/truth.parquet/*.parquet')")
    text = Path(sql).read_text()
    return lambda: connection.execute(text).fetchall() and None


def land(book: str, home: str, memory: str = "") -> Callable[[], None]:
    """Our landing of a book into a new warehouse."""
    from dagster_project.lib.book import read_book
    from dagster_project.lib.close._landing import land_books, land_calendar
    from dagster_project.lib.close._scope import prepare_warehouse

    shutil.rmtree(home, ignore_errors=True)
    warehouse = _warehouse(home, memory)
    landed = read_book(Path(book))
    prepare_warehouse(warehouse)

    def work() -> None:
        land_books(warehouse, [landed], landed_at=NOW, progress=Silent())  # type: ignore[arg-type]

    def after() -> None:
        land_calendar(warehouse, last_year=NOW.year)

    work.after = after  # type: ignore[attr-defined]
    return work


def meter(home: str, as_of: str, memory: str = "") -> Callable[[], None]:
    """Our metering of what a warehouse has landed; what does not read events is built before, and dbt has parsed."""
    from dagster_project.lib.close import parse_time
    from dagster_project.lib.close._close import seed_reference
    from dagster_project.lib.close._scope import open_close
    from dagster_project.lib.dbt_runs import DbtRuns

    warehouse = _warehouse(home, memory)
    runs = DbtRuns(warehouse, Path(home) / "dbt" / "duckdb")
    with warehouse.connect() as session:
        open_close(session, as_of=parse_time(as_of, "as_of"), known_at=None, started_at=NOW)
    seed_reference(warehouse, runs)
    runs.run(["+int_events_located", "path:models/staging", "+int_charge_buckets", "+int_top_up_rules"])

    def work() -> None:
        runs.run([METERING_MODELS], exclude=["int_metered_charges"])

    return work


def weasyprint_alone(count: int) -> Callable[[], None]:
    """WeasyPrint on the HTML of our invoices, one after the other, its fonts and style sheets kept."""
    from weasyprint import HTML
    from weasyprint.text.fonts import FontConfiguration

    from invoice_renderer import render_html

    fonts = FontConfiguration()
    pages = [render_html(invoice) for invoice in _invoices(count + 1)]
    # what a process pays once
    HTML(string=pages.pop()).write_pdf(font_config=fonts)

    def work() -> None:
        for page in pages:
            HTML(string=page).write_pdf(font_config=fonts)

    return work


def render(count: int, out: str) -> Callable[[], None]:
    """Our documents of the same invoices: PDF, HTML and JSON, with all cores."""
    from invoice_renderer import FORMATS, render_many

    invoices = _invoices(count)
    return lambda: render_many(invoices, Path(out), formats=FORMATS, processes=os.cpu_count() or 1) and None


def _invoices(count: int) -> list[Any]:
    from invoice_renderer import load_invoice

    def line(number: int, place: int) -> dict[str, Any]:
        cents = (number * 7919 + place * 104729) % 1000000
        return {
            "fee_type": "charge",
            "code": f"egress_{place}",
            "name": f"Data egress, region {('eu', 'us', 'ap')[place % 3]} ({place})",
            "units": f"{(number * 37 + place * 991) % 100000}.5",
            "events_count": 10,
            "unit_amount": "0.0125",
            "amount_cents": cents,
            "precise_amount_cents": str(cents),
            "tax_rate": "20",
            "from_date": "2026-01-01",
            "to_date": "2026-01-31",
            "subscription_id": "sub",
            "subscription_name": "Scale",
        }

    def invoice(number: int) -> dict[str, Any]:
        lines = [line(number, place) for place in range(12)]
        fees = sum(int(row["amount_cents"]) for row in lines)
        party = {
            "name": f"Customer {number}",
            "address_lines": [f"{number} Main Street"],
            "city": "Berlin",
            "country_code": "DE",
        }
        nothing = ("progressive_billing_credit", "coupons", "credit_notes", "prepaid_credit", "taxes")
        sums = ("fees", "sub_total_excluding_taxes", "sub_total_including_taxes", "total")
        return {
            "number": f"INV-2026-01-{number:06d}",
            "invoice_type": "subscription",
            "status": "finalized",
            "issuing_date": "2026-02-01",
            "payment_due_date": "2026-03-03",
            "currency": "EUR",
            "currency_exponent": 2,
            "seller": {**party, "name": "Example Cloud Ltd"},
            "customer": party,
            "lines": lines,
            "tax_lines": [],
            "totals": {f"{n}_amount_cents": 0 for n in nothing} | {f"{n}_amount_cents": fees for n in sums},
            "net_payment_term": 30,
            "period": {"from_date": "2026-01-01", "to_date": "2026-01-31"},
        }

    return [load_invoice(invoice(number)) for number in range(count)]


def _memory(threads: int, memory: str = "8GB") -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        f"set threads = {threads}; set TimeZone = 'UTC'; set memory_limit = '{memory}'; "
        "set temp_directory = 'build/bench/spill'; set preserve_insertion_order = false"
    )
    return connection


def _warehouse(home: str, memory: str) -> Any:
    from dagster_project.lib.warehouse import DuckDBWarehouse

    Path(home).mkdir(parents=True, exist_ok=True)
    return DuckDBWarehouse(Path(home) / "warehouse.duckdb", memory_limit=memory or None)


TASKS: dict[str, Callable[..., Callable[[], None]]] = {
    task.__name__: task for task in (bare_parquet, reference_parquet, land, meter, weasyprint_alone, render)
}


def _cpu() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Run the task that the command line names."""
    name, values = sys.argv[1:]
    work = TASKS[name](**json.loads(values))
    cpu, wall = _cpu(), time.perf_counter()
    work()
    taken = {"cpu": _cpu() - cpu, "wall": time.perf_counter() - wall}
    getattr(work, "after", lambda: None)()
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
