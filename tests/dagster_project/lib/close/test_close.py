"""The whole close on both engines: the demonstration book, the real trace, twice, in pieces, killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.canonical_json import canonical_json, canonical_object
from dagster_project.lib.close import CloseReport, CloseRequest, close, published_path
from dagster_project.lib.close._outbox import _message
from dagster_project.lib.dbt_runs import MARTS_SELECTION, DbtRuns
from dagster_project.lib.ledger import issued_invoice_ids, issued_invoices
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Session, Warehouse
from invoice_renderer import load_invoice, to_mapping

ROOT = Path(__file__).resolve().parents[4]
DEMO = ROOT / "seeds" / "demo"
LLM_API = ROOT / "tests" / "books" / "llm_api"
REAL_TRACE = ROOT.parent / "shared" / "data" / "azure_llm_inference_2023"
DEMO_AS_OF = datetime(2026, 10, 15, 6, tzinfo=UTC)
# what is compared: everything that was finalised, without the clock of the run
LEDGER = {
    "ledger_invoices": "*",
    "ledger_moments": "*",
    "ledger_fees": "*",
    "ledger_fee_tiers": "*",
    "ledger_postings": "*",
    "ledger_invoice_taxes": "*",
    "ledger_parties": "*",
}


def request(
    warehouse: Warehouse, home: Path, *, book: Path | None, as_of: datetime, out: Path | None = None
) -> CloseRequest:
    return CloseRequest(warehouse=warehouse, home=home, as_of=as_of, now=datetime.now(UTC), book=book, out_dir=out)


def ledger(warehouse: Warehouse, *, without: tuple[str, ...] = ()) -> Mapping[str, list[tuple[Any, ...]]]:
    """Every row of the committed ledger, in a canonical form: numbers as numbers, rows sorted."""
    content = {}
    with warehouse.connect(read_only=True) as session:
        schema = session.schema("ledger")
        for table in LEDGER:
            columns = [
                name
                for (name,) in session.rows(
                    "select column_name from information_schema.columns where table_schema = ? and table_name = ? "
                    "order by column_name",
                    [schema, table],
                )
                if name not in without
            ]
            rows = session.rows(
                f"select {', '.join(columns)} from {schema}.{table} "
                f"where close_id in (select close_id from {schema}.closes)"
            )
            content[table] = sorted([tuple(_plain(value) for value in row) for row in rows], key=repr)
    return content


def marts(session: Session) -> Mapping[str, Counter[tuple[Any, ...]]]:
    """The rows of every mart that is a table, but for the times of steps, which are told until the close ends."""
    schema = session.schema("marts")
    tables = session.rows(
        "select table_name from information_schema.tables "
        "where table_schema = ? and table_type = 'BASE TABLE' and table_name <> 'rpt_close_steps'",
        [schema],
    )
    return {table: Counter(session.rows(f"select * from {schema}.{table}")) for (table,) in tables}


def _plain(value: Any) -> Any:
    return value.normalize() if isinstance(value, Decimal) else value


def totals(report: CloseReport) -> dict[str, tuple[int, int]]:
    return {currency: (count, total) for currency, count, total, _ in report.invoices}


@pytest.fixture(scope="module")
def two_warehouses(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> tuple[Warehouse, Warehouse, Path]:
    """The demonstration book closed on both engines."""
    home = tmp_path_factory.mktemp("demo")
    duckdb_warehouse = DuckDBWarehouse(home / "warehouse.duckdb")
    postgres_warehouse = PostgresWarehouse(postgres_url, "demo")
    for warehouse in (duckdb_warehouse, postgres_warehouse):
        report = close(request(warehouse, home, book=DEMO, as_of=DEMO_AS_OF), SilentProgress())
        assert report.failed_tests == ()
        assert report.held == (("papelune", "lantern-press", "tax_not_in_force", 1),)
    return duckdb_warehouse, postgres_warehouse, home


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("engine", [0, 1], ids=["duckdb", "postgres"])
def test_every_test_of_the_models_passes(two_warehouses: tuple[Warehouse, Warehouse, Path], engine: int) -> None:
    """A close runs the tests of the ledger and the marts only; here those of every model run."""
    *warehouses, home = two_warehouses
    runs = DbtRuns(warehouses[engine], home / "dbt" / warehouses[engine].kind)
    # a close leaves out the tables that no model reads yet; PostgreSQL drops the views upon a view that is built again
    runs.run(["path:models/staging", "config.materialized:view"])
    failed = [
        f"{node.name}: {node.message}"
        for node in runs.test(["package:meterhouse"])
        if node.status not in {"pass", "success"}
    ]
    assert not failed, "\n".join(failed)


@pytest.mark.slow
@pytest.mark.postgres
def test_the_ledgers_of_both_engines_are_equal_row_by_row(
    two_warehouses: tuple[Warehouse, Warehouse, Path],
) -> None:
    duckdb_warehouse, postgres_warehouse, _ = two_warehouses
    ours = ledger(duckdb_warehouse)
    assert len(ours["ledger_invoices"]) > 30
    assert ours == ledger(postgres_warehouse)


class _UndoError(Exception):
    """Ends a transaction that must leave nothing."""


@pytest.mark.slow
@pytest.mark.postgres
def test_a_line_that_is_priced_in_a_unit_of_its_own_says_so(two_warehouses: tuple[Warehouse, Warehouse, Path]) -> None:
    """As if one charge of the book had been priced in tokens: its lines say so, no other does."""
    for warehouse in two_warehouses[:2]:
        with warehouse.connect() as session, suppress(_UndoError), session.transaction():
            raw = session.schema("raw")
            session.execute(
                f"update {raw}.charges set applied_pricing_unit_code = 'token', pricing_unit_conversion_rate = 2.5 "
                "where charge_code = 'firm_documents'"
            )
            session.execute(
                f"insert into {raw}.pricing_units (organization_id, pricing_unit_code, pricing_unit_name, exponent, "
                "effective_at, batch_id) select organization_id, 'token', 'Token', 2, effective_at, batch_id "
                f"from {raw}.charges where charge_code = 'firm_documents'"
            )
            lines = [
                line
                for invoice in issued_invoices(session, issued_invoice_ids(session))
                for line in invoice.document["lines"]
            ]
            units = {line["code"]: line["pricing_unit"] for line in lines}
            assert units.pop("firm_documents") == {"name": "Token", "conversion_rate": "2.5"}
            assert set(units.values()) == {None}
            raise _UndoError


def messages(warehouse: Warehouse) -> dict[str, str]:
    """The body of the message about each invoice, by its id."""
    with warehouse.connect(read_only=True) as session:
        issued = issued_invoices(session, issued_invoice_ids(session))
    for invoice in issued:
        mapping = to_mapping(load_invoice(invoice.document))
        assert mapping["seller"].pop("logo") == invoice.logo
        mapping["customer"].pop("logo")
        assert canonical_json(mapping) == canonical_object(invoice.fields)
    return {invoice.invoice_id: _message(invoice, []).payload() for invoice in issued}


@pytest.mark.slow
@pytest.mark.postgres
def test_a_message_says_what_the_ledger_and_the_document_say(
    two_warehouses: tuple[Warehouse, Warehouse, Path],
) -> None:
    """The engines write the same bytes, canonical JSON as Python writes it, of the rows in the ledger."""
    duckdb_warehouse, postgres_warehouse, _ = two_warehouses
    bodies = messages(duckdb_warehouse)
    assert bodies == messages(postgres_warehouse)
    invoices = {key: json.loads(body)["data"]["invoice"] for key, body in bodies.items()}
    assert all(canonical_json(json.loads(body)) == body for body in bodies.values())
    with duckdb_warehouse.connect(read_only=True) as session:
        fees = session.rows(
            "select invoice_id, fee_name, units, amount_cents, precise_amount_cents, filter_values, group_values "
            "from ledger.ledger_fees order by invoice_id, line_number"
        )
    said = [
        (key, line["name"], *(Decimal(line[name]) for name in ("units", "amount_cents", "precise_amount_cents")))
        for key in sorted(invoices)
        for line in invoices[key]["lines"] or ()
    ]
    whole = {key for key, invoice in invoices.items() if invoice["lines"] is not None}
    assert said == [row[:5] for row in fees if row[0] in whole]
    assert all(invoice["lines_count"] == sum(row[0] == key for row in fees) for key, invoice in invoices.items())
    shown = {canonical_json([line["filter"], line["group"]]) for key in whole for line in invoices[key]["lines"]}
    written = {(row[5], row[6]) for row in fees if row[0] in whole}
    assert shown == {canonical_json([json.loads(text) if text else None for text in pair]) for pair in written}


@pytest.mark.slow
@pytest.mark.postgres
def test_a_second_close_bills_nothing_twice(
    two_warehouses: tuple[Warehouse, Warehouse, Path],
) -> None:
    for warehouse in two_warehouses[:2]:
        before = ledger(warehouse)
        report = close(request(warehouse, two_warehouses[2], book=DEMO, as_of=DEMO_AS_OF), SilentProgress())
        assert report.invoices == ()
        assert report.landing is not None
        assert report.landing.batch_id is None
        assert ledger(warehouse) == before
        assert report.failed_tests == ()


@pytest.mark.slow
@pytest.mark.postgres
def test_closing_in_steps_gives_the_same_ledger_and_marts_as_if_they_were_made_whole(
    two_warehouses: tuple[Warehouse, Warehouse, Path], warehouse: Warehouse, tmp_path: Path
) -> None:
    # the third close voids an invoice of the second, which is why the second is in between
    for as_of in [datetime(2026, 8, 1, 12, tzinfo=UTC), datetime(2026, 9, 8, 8, tzinfo=UTC), DEMO_AS_OF]:
        close(request(warehouse, tmp_path, book=DEMO, as_of=as_of), SilentProgress())
    apart = ("close_id",)
    assert ledger(warehouse, without=apart) == ledger(two_warehouses[0], without=apart)
    with warehouse.connect(read_only=True) as session:
        schema = session.schema("ledger")
        assert session.rows(
            f"select voids.close_id, invoices.close_id from {schema}.ledger_invoice_voids as voids "
            f"inner join {schema}.ledger_invoices as invoices on voids.invoice_id = invoices.invoice_id"
        ) == [(3, 2)]
        added = marts(session)
    if isinstance(warehouse, DuckDBWarehouse):
        with DuckDBWarehouse(published_path(warehouse)).connect(read_only=True) as session:
            assert marts(session) == added
    DbtRuns(warehouse, tmp_path / "dbt" / warehouse.kind).run(MARTS_SELECTION, full_refresh=True)
    with warehouse.connect(read_only=True) as session:
        whole = marts(session)
    assert whole.keys() == added.keys()
    assert [table for table, rows in whole.items() if rows != added[table]] == []


def expected_of_trace(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Input and output fees in cents, rows, tax by hand: the book's prices over the files, with Python's decimals."""
    result = {}
    for name, customer in (("code", "coding"), ("conv", "chat")):
        lines = (folder / f"{name}.csv").read_text().splitlines()[1:]
        inputs = sum(int(line.split(",")[1]) for line in lines)
        outputs = sum(int(line.split(",")[2]) for line in lines)
        graduated = Decimal(min(inputs, 10_000_000)) * Decimal("0.000003")
        graduated += Decimal(max(inputs - 10_000_000, 0)) * Decimal("0.0000025")
        standard = Decimal(outputs) * Decimal("0.000015")
        cents = [int((amount * 100).quantize(Decimal(1), rounding="ROUND_HALF_UP")) for amount in (graduated, standard)]
        net = cents[0] + cents[1] + 2000
        tax = int((Decimal(net) * Decimal("0.2")).quantize(Decimal(1), rounding="ROUND_HALF_UP"))
        result[customer] = (cents[0], cents[1], net + tax, len(lines))
    return result


def written_trace(folder: Path) -> Path:
    """A trace in the shape of the real one: seven decimals of a second, no final line break."""
    source = random.Random(7)
    for name, rows in (("code", 300), ("conv", 500)):
        began = datetime(2023, 11, 16, 18, 15, 46)
        lines = [
            f"{began + timedelta(milliseconds=137 * i):%Y-%m-%d %H:%M:%S}.{source.randrange(10**7):07d},"
            f"{source.randrange(60_000)},{source.randrange(900)}"
            for i in range(rows)
        ]
        (folder / f"{name}.csv").write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]))
    return folder


@pytest.mark.slow
def test_a_trace_is_billed_in_place(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one, to the cent, where it lies beside the repository; else one in its shape."""
    if REAL_TRACE.exists():
        assert bill_trace(REAL_TRACE, warehouse, tmp_path, monkeypatch) == {
            "coding": (5015, 369, 2000, 1477, 8861),
            "chat": (6090, 6133, 2000, 2845, 17068),
        }
    else:
        folder = tmp_path / "trace"
        folder.mkdir()
        bill_trace(written_trace(folder), warehouse, tmp_path, monkeypatch)


def bill_trace(
    folder: Path, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, tuple[int, ...]]:
    monkeypatch.setenv("METERHOUSE_LLM_TRACE", str(folder))
    expected = expected_of_trace(folder)
    report = close(
        request(warehouse, tmp_path, book=LLM_API, as_of=datetime(2023, 12, 1, 1, tzinfo=UTC)),
        SilentProgress(),
    )
    assert report.landing is not None
    rows = sum(count for *_, count in expected.values())
    assert sum(file.landed_count for file in report.landing.files) == rows
    assert dict(report.fates) == {"billed": rows}
    with warehouse.connect(read_only=True) as session:
        schema = session.schema("ledger")
        fees = session.rows(
            f"select external_customer_id, fee_type, fee_code, amount_cents from {schema}.ledger_fees "
            "order by line_number"
        )
        invoices = session.rows(
            f"select external_customer_id, taxes_amount_cents, total_amount_cents from {schema}.ledger_invoices"
        )
    billed = {customer: (*sorted_fees(fees, customer), int(tax), int(total)) for customer, tax, total in invoices}
    assert {customer: (b[0], b[1], b[4]) for customer, b in billed.items()} == {
        customer: e[:3] for customer, e in expected.items()
    }
    return billed


def sorted_fees(fees: list[tuple[Any, ...]], customer: str) -> tuple[int, int, int]:
    """Input, output and plan fee of a customer."""
    amounts = {code if type_ == "charge" else type_: int(cents) for c, type_, code, cents in fees if c == customer}
    charges = sorted(code for code in amounts if code != "subscription")
    inputs, outputs = charges if "input" in charges[0] else charges[::-1]
    return amounts[inputs], amounts[outputs], amounts["subscription"]


def start_close(warehouse: Warehouse, home: Path, out: Path) -> subprocess.Popen[bytes]:
    location = str(warehouse.path) if isinstance(warehouse, DuckDBWarehouse) else f"{warehouse.url}#{warehouse.schema}"  # type: ignore[attr-defined]
    command = [
        sys.executable, "-m", "dagster_project.cli", "close", "--book", str(DEMO), "--as-of", DEMO_AS_OF.isoformat(),
        "--warehouse", location, "--out", str(out), "--wait", "60",
    ]  # fmt: skip
    environment = {**os.environ, "METERHOUSE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.postgres
def test_the_command_killed_and_given_again_gives_the_same_ledger(
    two_warehouses: tuple[Warehouse, Warehouse, Path], warehouse: Warehouse, tmp_path: Path
) -> None:
    """SIGKILL to the command in two of its steps, another two on each engine; tests/faults kills model by model."""
    home, out = two_warehouses[2], tmp_path / "documents"
    for step in ("land", "finalize") if warehouse.kind == "duckdb" else ("rate", "documents"):
        process = start_close(warehouse, home, out)
        assert process.stdout is not None
        assert any(line.startswith(step.encode()) for line in process.stdout), f"{step} did not begin"
        time.sleep(1.0)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert_no_half_close(warehouse)
    final = start_close(warehouse, home, out)
    output, _ = final.communicate(timeout=300)
    assert final.returncode == 0, output.decode()
    assert ledger(warehouse) == ledger(two_warehouses[0])
    numbers = [row for row in ledger(warehouse)["ledger_invoices"]]
    assert len({path.stem for path in out.rglob("*.pdf")}) == len(numbers)


def assert_no_half_close(warehouse: Warehouse) -> None:
    """Readers of committed closes see all of an invoice or nothing of it."""
    if not warehouse.exists():
        return
    with warehouse.connect(read_only=True) as session:
        schema = session.schema("ledger")
        tables = {
            name
            for (name,) in session.rows(
                "select table_name from information_schema.tables where table_schema = ?", [schema]
            )
        }
        if not {"closes", "ledger_invoices", "ledger_fees"} <= tables:
            return
        committed = f"(select close_id from {schema}.closes)"
        differing = session.rows(
            f"select i.invoice_id from {schema}.ledger_invoices i left join {schema}.ledger_fees f "
            f"on f.invoice_id = i.invoice_id and f.close_id = i.close_id where i.close_id in {committed} "
            "group by i.invoice_id, i.fees_amount_cents having coalesce(sum(f.amount_cents), 0) <> i.fees_amount_cents"
        )
    assert differing == []
