"""The close, step by step: land, rate, gate, append, commit, marts, publish, documents, outbox.

The command runs `close`; Dagster's assets call the same steps. Each step can be killed and run again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dagster_project.lib.book import Book, read_book
from dagster_project.lib.close._documents import render_documents
from dagster_project.lib.close._idle import CANDIDATES, LEDGER, MARTS, building
from dagster_project.lib.close._landing import LandingReport, land_books, land_calendar
from dagster_project.lib.close._outbox import queue_messages
from dagster_project.lib.close._publish import publish_marts
from dagster_project.lib.close._rederive import HeldCustomer, held_customers
from dagster_project.lib.close._report import write_report
from dagster_project.lib.close._scope import CloseScope, open_close, prepare_warehouse
from dagster_project.lib.close._steps import known_seconds, record_steps
from dagster_project.lib.close._top_ups import perform_top_ups
from dagster_project.lib.close._totals import check_totals, lost_store, record_totals
from dagster_project.lib.close._versions import record_version, recorded_version
from dagster_project.lib.dbt_runs import (
    CANDIDATES_EXCLUSION,
    CANDIDATES_SELECTION,
    LEDGER_SELECTION,
    MARTS_SELECTION,
    MARTS_TESTS_EXCLUSION,
    STAGING_LEDGER_SELECTION,
    STAGING_SELECTION,
    DbtRuns,
)
from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.gate import GateReport, run_gate
from dagster_project.lib.operations import OperationsStore, open_store
from dagster_project.lib.progress import Progress, Steps, StepTime
from dagster_project.lib.warehouse import Session, Warehouse, require_lock, tables_of, warehouse_lock
from dagster_project.lib.webhooks import load_endpoints


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """What to close: the book to land first (if any), up to when, knowing what, and where documents go.

    `documents_dir`: the folder relative to which documents are recorded (null: `out_dir`).
    `override_reason`: why periods are closed although expected sources have not landed; it is kept in the ledger.
    """

    warehouse: Warehouse
    home: Path
    as_of: datetime
    now: datetime
    book: Path | None = None
    known_at: str | None = None
    out_dir: Path | None = None
    documents_dir: Path | None = None
    endpoints: Path | None = None
    lock_seconds: float = 0
    override_reason: str | None = None


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What a close did; amounts in minor units by currency, events by fate, wall seconds by step."""

    scope: CloseScope
    landing: LandingReport | None
    gate: GateReport
    failed_tests: tuple[str, ...]
    invoices: tuple[tuple[str, int, int, int], ...]
    """Currency, invoices, total and its exponent, of this close."""
    held: tuple[HeldCustomer, ...]
    fates: Mapping[str, int]
    documents_count: int
    messages_count: int
    published: Path | None
    report: Path
    """The page about the close and how long it took."""
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class CloseRun:
    """The steps of one close, in order; every step reads and leaves its state in the warehouse."""

    request: CloseRequest
    progress: Progress
    runs: DbtRuns = field(init=False)

    def __post_init__(self) -> None:
        """Prepare dbt for the warehouse."""
        self.runs = DbtRuns(
            self.request.warehouse,
            self.request.home / "dbt" / self.request.warehouse.kind,
            on_node=self.progress.advanced,
        )

    def land(self) -> LandingReport | None:
        """Read the book and land it, with the time tables for its zones.

        Raises BookError, or BillingError when the warehouse lacks what the totals kept outside of it say, before anything
        is landed.
        """
        landing = None
        books: list[Book] = [read_book(self.request.book)] if self.request.book is not None else []
        with self.request.warehouse.kept_open():
            prepare_warehouse(self.request.warehouse)
            with self._store() as store:
                check_totals(self.request.warehouse, store)
                if lost := lost_store(self.request.warehouse, store):
                    self.progress.note(f"CAUTION: {lost}.")
            if books:
                landing = land_books(self.request.warehouse, books, landed_at=self.request.now, progress=self.progress)
            land_calendar(self.request.warehouse, last_year=self.request.as_of.year)
            self.record_totals()
        return landing

    def _store(self) -> OperationsStore:
        warehouse = self.request.warehouse
        return open_store(warehouse.operations_url, schema=warehouse.operations_schema)

    def record_totals(self) -> None:
        """Write down outside of the warehouse what it holds now."""
        with self._store() as store:
            record_totals(self.request.warehouse, store, now=self.request.now)

    def open(self) -> CloseScope:
        """Write the scope of the close."""
        with self.request.warehouse.connect() as session:
            return open_close(
                session,
                as_of=self.request.as_of,
                known_at=self.request.known_at,
                started_at=self.request.now,
                override_reasons=self.request.override_reason,
            )

    def rate(self) -> None:
        """Build everything up to the candidates of finalisation."""
        with self.request.warehouse.kept_open():
            seed_reference(self.request.warehouse, self.runs)
            with building(self.request.warehouse, self.runs, CANDIDATES) as build:
                exclude = (*CANDIDATES_EXCLUSION, *build.idle)
                rate_candidates(self.request.warehouse, self.runs, CANDIDATES_SELECTION, exclude=exclude)
                # what is topped up has a rule, so that no model that hangs on top-ups is idle
                self.top_up(build.idle)

    def top_up(self, idle: Sequence[str] = ()) -> int:
        """Make the top-ups that rules of wallets ask for, in passes over the candidates; returns how many passes."""
        exclude = (*CANDIDATES_EXCLUSION, *idle)
        return perform_top_ups(self.request.warehouse, self.runs, CANDIDATES_SELECTION, exclude=exclude)

    def judge(self) -> GateReport:
        """Judge the candidates; nothing may be finalised when the report has blocking checks."""
        return run_gate(
            self.request.warehouse,
            docs_dir=self.request.home / "data_docs",
            check_volume=True,
            progress=self.progress,
        )

    def finalize(self) -> None:
        """Append to the ledger; the commit row comes last, after the tests of all other tables passed."""
        with building(self.request.warehouse, self.runs, LEDGER) as build:
            self.runs.build(LEDGER_SELECTION, exclude=build.idle)
        self.record_totals()

    def marts(self) -> tuple[str, ...]:
        """Build the marts and run their tests; returns the tests that failed."""
        with building(self.request.warehouse, self.runs, MARTS) as build:
            self.runs.run(MARTS_SELECTION, exclude=build.idle, full_refresh=build.is_made_anew)
        return tuple(
            f"{node.name}: {node.message}"
            for node in self.runs.test(MARTS_SELECTION, exclude=(*MARTS_TESTS_EXCLUSION, *build.idle))
            if node.status not in {"pass", "success"}
        )

    def publish(self) -> Path | None:
        """Publish a read-only copy of the marts."""
        return publish_marts(self.request.warehouse)

    def documents(self) -> int:
        """Render the documents of committed invoices that have none."""
        if self.request.out_dir is None:
            return 0
        with self._store() as store:
            return render_documents(
                self.request.warehouse,
                store,
                out_dir=self.request.out_dir,
                documents_dir=self.request.documents_dir or self.request.out_dir,
                now=self.request.now,
                progress=self.progress,
            )

    def queue(self) -> int:
        """Queue messages about committed invoices for the configured endpoints."""
        with self._store() as store:
            if self.request.endpoints is not None:
                store.sync_endpoints(load_endpoints(self.request.endpoints), now=self.request.now)
            return queue_messages(self.request.warehouse, store, now=self.request.now)

    def report(self, times: Sequence[StepTime]) -> Path:
        """Write the page about the newest close, with the times of its steps if it was finalised among them.

        Returns where the page is. Raises InputError when nothing was closed yet.
        """
        warehouse = self.request.warehouse
        with warehouse.connect(read_only=True) as session:
            [(close_id,)] = session.rows(f"select max(close_id) from {session.schema('ledger')}.closes")
        if close_id is None:
            raise InputError(f"Nothing was closed yet in {warehouse}: run the close first.")
        if any(time.step == "finalize" for time in times):
            record_steps(warehouse, close_id, times)
        return write_report(warehouse, close_id, reports_dir=self.request.home / "reports")


def close(request: CloseRequest, progress: Progress) -> CloseReport:
    """Run a whole close under the warehouse's lock.

    Raises InputError (also BookError) before anything is landed, BillingError when a step failed: the ledger is then
    as it was after the last committed close, or, after the commit, complete with documents still to come.
    """
    run = CloseRun(request, progress)
    with warehouse_lock(
        request.warehouse,
        purpose="close",
        timeout_seconds=request.lock_seconds,
        waiting=progress.note,
    ):
        steps = Steps(progress, known_seconds(request.warehouse), before=lambda: require_lock(request.warehouse))
        with steps.step("land"):
            landing = run.land()
            steps.count("land", landing.lines_count if landing is not None else 0)
        with steps.step("scope"):
            scope = run.open()
        with steps.step("rate"):
            run.rate()
        # landing and rating take the memory that they are given, so each has the file open for itself
        with request.warehouse.kept_open():
            with steps.step("gate"):
                gate = run.judge()
                if gate.blocking:
                    raise BillingError(gate.blocking_message())
            with steps.step("finalize"):
                run.finalize()
                figures = close_figures(request.warehouse, scope.close_id)
                steps.count("finalize", sum(count for _, count, _, _ in figures["invoices"]))
            record_steps(request.warehouse, scope.close_id, steps.times)
            with steps.step("marts"):
                failed_tests = run.marts()
            with steps.step("publish"):
                published = run.publish()
            with steps.step("documents"):
                documents_count = run.documents()
                steps.count("documents", documents_count)
            with steps.step("outbox"):
                messages_count = run.queue()
                steps.count("outbox", messages_count)
            report = run.report(steps.times)
    return CloseReport(
        scope=scope,
        landing=landing,
        gate=gate,
        failed_tests=failed_tests,
        documents_count=documents_count,
        messages_count=messages_count,
        published=published,
        report=report,
        seconds=steps.seconds,
        **figures,
    )


def seed_reference(warehouse: Warehouse, runs: DbtRuns) -> None:
    """Load the reference tables where they are missing or belong to another version of the project."""
    marker = reference_version(runs)
    with warehouse.connect() as session:
        if recorded_version(session, "loaded_version") == marker:
            return
    runs.seed()
    with warehouse.connect() as session:
        record_version(session, "loaded_version", marker)


def rate_candidates(
    warehouse: Warehouse, runs: DbtRuns, selection: Sequence[str], *, exclude: Sequence[str] = ()
) -> None:
    """Build the models that lead to the candidates of a selection, without the views of staging that stand.

    A view stands when this version of the project made it, for those over the ledger: when its tables had the columns
    that they have now.
    """
    version = staging_version(runs)
    with warehouse.connect() as session:
        are_there = len(tables_of(session, session.schema("staging"))) >= int(version.split()[0])
        versions = {
            "staged_version": (version, STAGING_SELECTION),
            "staged_ledger_version": (f"{version} over {ledger_columns(session)}", STAGING_LEDGER_SELECTION),
        }
        made_by = {table: recorded_version(session, table) for table in versions}
    standing = {table for table, (wanted, _) in versions.items() if made_by[table] == wanted and are_there}
    runs.run(selection, exclude=(*exclude, *(path for table in standing for path in versions[table][1])))
    if made := versions.keys() - standing:
        with warehouse.connect() as session:
            for table in made:
                record_version(session, table, versions[table][0])


def ledger_columns(session: Session) -> str:
    """A hash over the names of the ledger's tables and columns."""
    names = session.rows(
        "select table_name, column_name from information_schema.columns where table_schema = ?",
        [session.schema("ledger")],
    )
    return hashlib.sha256(repr(sorted(names)).encode()).hexdigest()


def staging_version(runs: DbtRuns) -> str:
    """How many views staging has in the project, and a hash over them and all macros."""
    manifest = runs.manifest()
    models = sorted(
        f"{node.name} {node.checksum.checksum}"
        for node in manifest.nodes.values()
        if str(node.resource_type) == "model" and node.fqn[1] == "staging"
    )
    macros = sorted(macro.macro_sql for macro in manifest.macros.values() if macro.package_name == "meterhouse")
    return f"{len(models)} views {hashlib.sha256(' '.join(models + macros).encode()).hexdigest()}"


def reference_version(runs: DbtRuns) -> str:
    """A hash over the contents of all seeds, as dbt's manifest knows them."""
    checksums = sorted(
        f"{node.name} {node.checksum.checksum}"
        for node in runs.manifest().nodes.values()
        if str(node.resource_type) == "seed"
    )
    return " ".join(checksums)


def close_figures(warehouse: Warehouse, close_id: int) -> dict[str, Any]:
    """What a committed close finalised, held and made of the events."""
    with warehouse.connect(read_only=True) as session:
        ledger = session.schema("ledger")
        invoices = session.rows(
            "select currency, count(*), sum(total_amount_cents), min(currency_exponent) "
            f"from {ledger}.ledger_invoices where close_id = ? and invoice_status = 'finalized' "
            "group by currency order by currency",
            [close_id],
        )
        held = held_customers(session, close_id)
        fates = session.rows(
            f"select fate, sum(events_count) from {ledger}.ledger_event_fates where close_id = ? "
            "group by fate order by fate",
            [close_id],
        )
    return {
        "invoices": tuple(
            (currency, int(count), int(total), int(exponent)) for currency, count, total, exponent in invoices
        ),
        "held": held,
        "fates": {fate: int(count) for fate, count in fates},
    }
