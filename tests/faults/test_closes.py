"""Months closed among repeated, late, shuffled and missing events, on both engines.

Experiments 12 to 15 of the fault list, closing by completeness, restatement, reproduction by known_at, immutability and
the audit: one story of three closes, told once for each engine.
"""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from dagster_project.lib.audit import AuditReport, audit
from dagster_project.lib.close import (
    CloseReport,
    Rederivation,
    check_other_folder,
    close,
    close_up_to,
    known_batch,
    rederive,
    render_documents,
    reproduced_documents,
)
from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.ledger import issued_invoice_ids, issued_invoices
from dagster_project.lib.operations import open_store
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import DuckDBWarehouse, PostgresWarehouse, Warehouse, warehouse_lock
from invoice_renderer._bulk import _RENDERERS
from tests.faults.world import (
    APRIL,
    FEBRUARY,
    MARCH,
    PLAN_CENTS,
    UNIT_CENTS,
    add_lines,
    add_seats,
    change_plan,
    events,
    named,
    numbers_have_no_gap,
    query,
    request_of,
    seals,
    totals,
    units,
    write_book,
    write_dirty,
)

pytestmark = pytest.mark.slow
FEBRUARY_CENTS = PLAN_CENTS + UNIT_CENTS * units(FEBRUARY)
MARCH_CENTS = PLAN_CENTS + UNIT_CENTS * units(MARCH)
LATE_CENTS = 2 * UNIT_CENTS
CANCELLATION = {
    "organization_id": "clean",
    "transaction_id": "late",
    "external_subscription_id": "sub",
    "action": "cancel",
    "reason": "a test of the meter",
    "created_at": "2024-04-01T11:00:00Z",
}
REASON = "the feed of March is lost; agreed with finance on 2 April"


@dataclass(frozen=True, slots=True)
class Story:
    """A warehouse after its three closes."""

    warehouse: Warehouse
    home: Path
    documents: Path
    reports: tuple[CloseReport, ...]


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def story(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, dbt_home: Path, postgres_url: str
) -> Story:
    folder = tmp_path_factory.mktemp(request.param)
    warehouse: Warehouse = (
        DuckDBWarehouse(folder / "warehouse.duckdb")
        if request.param == "duckdb"
        else PostgresWarehouse(postgres_url, "faults")
    )
    book = write_book(folder / "book")
    add_seats(book)
    reports = [close(request_of(warehouse, dbt_home, "2024-03-01T12:00:00Z", book=book), SilentProgress())]
    # the same usage once more in other files, and a late event of February for `clean`, whose plan gets another name
    change_plan(book, "clean", name="Plan of the year")
    # `seats` had 12 seats and 4 licences since February
    add_seats(book, units="12 4")
    write_dirty(book / "events", seed=2)
    late = {**events("clean")[0], "transaction_id": "late"}
    add_lines(book / "events" / "clean-late.jsonl", [late])
    reports.append(close(request_of(warehouse, dbt_home, "2024-04-01T12:00:00Z", book=book), SilentProgress()))
    # the late event turns out to be none, after it was billed with March's invoice; `dirty` should have paid 0.60 a unit
    change_plan(book, "dirty", price="0.6")
    add_seats(book, price="5.5", units="12 4")
    add_lines(book / "accounts" / "event_corrections.jsonl", [CANCELLATION])
    reports.append(
        close(
            request_of(
                warehouse,
                dbt_home,
                "2024-04-01T12:00:00Z",
                book=book,
                override_reason=REASON,
                out=folder / "documents",
            ),
            SilentProgress(),
        )
    )
    return Story(warehouse, dbt_home, folder / "documents", tuple(reports))


def test_repeated_shuffled_and_split_events_are_billed_once(story: Story) -> None:
    """12, 14: one to five copies of each event over files and landings; 13: leap day, change of clocks, future.

    23: `watched`, whose names are hostile, is billed like the others.
    """
    assert totals(story.warehouse, "clean") == [FEBRUARY_CENTS, MARCH_CENTS + LATE_CENTS]
    assert totals(story.warehouse, "dirty") == [FEBRUARY_CENTS, MARCH_CENTS]
    assert totals(story.warehouse, "watched") == [FEBRUARY_CENTS, PLAN_CENTS]
    fees = "select fee_code from {ledger}.ledger_fees where organization_id = 'watched' and fee_type = 'charge'"
    assert set(query(story.warehouse, fees)) == {(named("watched", "call"),)}
    [(landed,)] = query(story.warehouse, "select count(*) from {raw}.usage_events where organization_id = 'dirty'")
    assert landed == len(events("dirty"))
    [(duplicates,)] = query(story.warehouse, "select sum(duplicates_count) from {raw}.landed_files")
    [(repeated,)] = query(story.warehouse, "select count(*) from {raw}.duplicate_events")
    assert duplicates == repeated > landed


def test_broken_lines_are_listed_and_every_line_has_its_place(story: Story) -> None:
    """15: good rows in, broken ones in quarantine with their reason; lines = landed + duplicates + rejected."""
    rejected = query(
        story.warehouse,
        "select reason_code, count(*), count(reason), count(raw_text) from {raw}.quarantined_events group by 1",
    )
    # five broken lines and the end of a file that was cut off, each of them landed twice
    assert len(rejected) == 6
    assert {row[1:] for row in rejected} == {(2, 2, 2)}
    untied = query(
        story.warehouse,
        "select file_path from {raw}.landed_files "
        "where lines_count <> landed_count + duplicates_count + conflicts_count + rejected_count",
    )
    assert untied == []


def test_a_late_event_is_listed_and_changes_nothing_that_is_final(story: Story) -> None:
    """13: landed after its month was closed, so it is late, by name."""
    fates = query(
        story.warehouse,
        "select events_count from {ledger}.ledger_event_fates "
        "where close_id = 2 and organization_id = 'clean' and fate = 'late'",
    )
    assert fates == [(1,)]
    assert totals(story.warehouse, "clean")[0] == FEBRUARY_CENTS
    waiting = query(
        story.warehouse,
        "select sum(events_count) from {ledger}.ledger_event_fates "
        "where close_id = 3 and organization_id = 'clean' and fate = 'pending'",
    )
    # April's event and the one of the future
    assert waiting == [(len(APRIL) + 1,)]


def test_what_became_known_later_is_shown_and_settled_once(story: Story) -> None:
    """13: February's late event is a line of March's invoice; its cancellation waits for the next one.

    A price that is corrected under its date is shown for what was billed by it, line by line; a new name changes nothing.
    """
    found = query(
        story.warehouse,
        "select organization_id, close_id, cause, outcome, units_difference, billed_amount_cents, "
        "restated_amount_cents, difference_amount_cents, settled_amount_cents, open_amount_cents "
        "from {marts}.restatement where organization_id <> 'seats' order by organization_id, close_id, from_date",
    )
    usage = UNIT_CENTS * units(FEBRUARY)
    repriced = [
        ("dirty", 3, "corrected_price", "reported", 0, 50 * count, 60 * count, 10 * count, 0, 10 * count)
        for count in (units(FEBRUARY), units(MARCH))
    ]
    assert found == [
        ("clean", 2, "late_event", "adjusted", 2, usage, usage + LATE_CENTS, LATE_CENTS, LATE_CENTS, 0),
        ("clean", 3, "cancelled_event", "pending", -2, usage, usage, -LATE_CENTS, 0, -LATE_CENTS),
        *repriced,
    ]
    corrections = query(
        story.warehouse,
        "select transaction_id, correction_state, reason, event_code from {marts}.rpt_event_corrections",
    )
    assert corrections == [("late", "late", CANCELLATION["reason"], None)]
    # the document is one about March, although a line of it is about February
    with story.warehouse.connect(read_only=True) as session:
        [adjusted] = [
            invoice.document
            for invoice in issued_invoices(session, issued_invoice_ids(session))
            if invoice.organization_id == "clean"
            and any(line["fee_type"] == "adjustment" for line in invoice.document["lines"])
        ]
    assert adjusted["period"] == {"from_date": "2024-03-01", "to_date": "2024-03-31"}


def test_fixed_charges_are_restated_like_usage(story: Story) -> None:
    """Units that were told late are settled with the next invoice, taxed as what they adjust; prices are shown.

    February had 10 seats of 5.00 and 12 should have been billed, March's licences were 3 of 2.00 and 4 should have been.
    Paid on 1 April: plan 10.00, 12 seats 60.00, 4 licences 8.00, and what was missing, 10.00 and 2.00; 10 % of 70.00.
    """
    start, first = 3 * 200, PLAN_CENTS + 10 * 500 + 3 * 200 + 500
    assert totals(story.warehouse, "seats") == [start, first, 1000 + 6000 + 800 + 1000 + 200 + 700]
    found = query(
        story.warehouse,
        "select close_id, fee_code, cause, outcome, units_difference, billed_amount_cents, restated_amount_cents, "
        "difference_amount_cents, settled_amount_cents from {marts}.restatement where organization_id = 'seats' "
        "order by close_id, from_date",
    )
    assert found == [
        (2, "seats", "late_units", "adjusted", 2, 5000, 6000, 1000, 1000),
        (2, "licences", "late_units", "adjusted", 1, 600, 800, 200, 200),
        (3, "seats", "corrected_price", "reported", 0, 5000, 6600, 600, 0),
        (3, "seats", "corrected_price", "reported", 0, 6000, 6600, 600, 0),
    ]


def test_a_period_waits_for_its_sources_unless_an_operator_says_why_not(story: Story) -> None:
    first, second, third = story.reports
    assert first.held == ()
    assert second.held == (("watched", named("watched", "cust"), "source_incomplete", 1),)
    assert third.held == ()
    # closed without March's file: the plan alone
    assert totals(story.warehouse, "watched") == [FEBRUARY_CENTS, PLAN_CENTS]
    reasons = query(
        story.warehouse,
        "select close_id, override_reason from {marts}.fct_close where organization_id = 'watched' order by 1",
    )
    assert reasons == [(1, None), (2, None), (3, REASON)]
    states = query(
        story.warehouse,
        "select from_at, completeness_state from {marts}.rpt_source_completeness order by 1",
    )
    # months of Paris: March begins on the last hour of February in UTC
    assert [(moment.isoformat(), state) for moment, state in states] == [
        ("2024-02-29T23:00:00", "awaited"),
        ("2024-03-31T22:00:00", "open"),
    ]


def test_every_close_comes_out_again_by_what_it_knew(story: Story) -> None:
    """From the ledger before it and the batches that it knew: every hash, although more has landed since.

    The first is named by its time from the third: what the second billed is then not there yet.
    """
    before = seals(story.warehouse)
    first = story.reports[0].scope.as_of["clean"]
    assert [close_up_to(story.warehouse, first + timedelta(days=days)) for days in (-9, 0, 9)] == [1, 1, 2]
    with pytest.raises(InputError, match="no close has billed up to then"):
        close_up_to(story.warehouse, first + timedelta(days=90))
    with (
        story.warehouse.connect(read_only=True) as session,
        pytest.raises(InputError, match="nothing had landed by then"),
    ):
        known_batch(session, "2024-01-01T00:00:00Z")
    with warehouse_lock(story.warehouse, purpose="test"):
        for close_id, given, as_of, known_at in ((1, 3, first, "1"), (2, 2, None, None), (3, 3, None, None)):
            again = rederive(
                story.warehouse,
                story.home,
                close_id=given,
                as_of=as_of,
                known_at=known_at,
                now=first,
                progress=SilentProgress(),
            )
            assert again.scope.close_id == close_id
            assert again.derived == again.recorded
            assert again.differences == ()
            assert again.held == story.reports[close_id - 1].held
        # with what is known now, the late event is on the invoice of `clean`, and nothing else changes
        now = rederive(
            story.warehouse,
            story.home,
            close_id=1,
            as_of=None,
            known_at="2",
            now=story.reports[0].scope.as_of["clean"],
            progress=SilentProgress(),
        )
    usage = [row for row in now.differences if row.organization_id != "seats"]
    assert [(row.organization_id, row.recorded_total_cents, row.derived_total_cents) for row in usage] == [
        ("clean", FEBRUARY_CENTS, FEBRUARY_CENTS + 2 * UNIT_CENTS)
    ]
    assert seals(story.warehouse) == before
    assert query(story.warehouse, "select count(*) from {ledger}.closes") == [(3,)]


def test_the_close_tells_how_long_its_steps_took(story: Story) -> None:
    steps = query(story.warehouse, "select step from {marts}.rpt_close_steps where close_id = 3 order by step_position")
    assert [step for (step,) in steps] == [
        "land", "scope", "rate", "gate", "finalize", "marts", "publish", "documents", "outbox",
    ]  # fmt: skip
    page = story.reports[2].report.read_text()
    assert page.count("<rect") > 9
    assert REASON in page


def test_documents_are_what_was_issued_wherever_they_lie_and_whatever_renders(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moved with their folder they are found; another version's renderer replaces none and makes no lost one."""
    folder = tmp_path / "restored"
    shutil.copytree(story.documents, folder)

    def make(out: Path, *invoice_ids: str) -> int:
        with open_store(story.warehouse.operations_url, schema=story.warehouse.operations_schema) as store:
            return render_documents(
                story.warehouse,
                store,
                out_dir=out,
                documents_dir=folder,
                now=datetime.now(UTC),
                progress=SilentProgress(),
                invoice_ids=invoice_ids or None,
            )

    with open_store(story.warehouse.operations_url, schema=story.warehouse.operations_schema) as store:
        issued = store.documents()
        assert not any(Path(row.path).is_absolute() for row in issued)
        # as an earlier version recorded them, before home was moved
        store.place_documents([replace(row, path=f"/gone/documents/{row.path}") for row in issued])
        assert checked(story, folder).wrong == ()
        assert make(folder) == 0
        assert store.documents() == issued

    first, second = (row for row in issued if row.organization_id == "clean" and row.format == "json")
    content = (folder / first.path).read_bytes()
    monkeypatch.setitem(_RENDERERS, "json", lambda invoice: b"another layout")
    assert make(tmp_path / "copies", first.invoice_id) == 1
    assert (tmp_path / "copies" / first.path).read_bytes() == content
    with story.warehouse.connect(read_only=True) as session:
        invoices = issued_invoices(session, [first.invoice_id, second.invoice_id])
    # as if another price had come out of the second
    came_out = (invoices[0], replace(invoices[1], fields={**invoices[1].fields, "net_payment_term": "9"}))
    again = Rederivation(story.reports[0].scope, True, {}, {}, (), came_out, (), ())
    with open_store(story.warehouse.operations_url, schema=story.warehouse.operations_schema) as store:
        found = reproduced_documents(again, story.warehouse, store, out_dir=tmp_path / "again", documents_dir=folder)
    assert found == (2, 1, 3)
    assert (tmp_path / "again" / first.path).read_bytes() == content
    assert (tmp_path / "again" / second.path).read_bytes() == b"another layout"

    (folder / first.path).unlink()
    with pytest.raises(BillingError, match="a finalised document never changes"):
        make(folder)
    assert [row.row_key for row in checked(story, folder).wrong] == [f"{first.number} (json: {folder / first.path})"]
    with pytest.raises(InputError, match="Give another folder"):
        check_other_folder(folder / "clean", folder)


def checked(story: Story, documents: Path | None = None) -> AuditReport:
    documents = documents or story.documents
    with (
        warehouse_lock(story.warehouse, purpose="test"),
        open_store(story.warehouse.operations_url, schema=story.warehouse.operations_schema) as store,
    ):
        return audit(story.warehouse, store, progress=SilentProgress(), documents_dir=documents)


def test_the_audit_names_the_first_wrong_row(story: Story) -> None:
    """The last test of the story: it damages the warehouse."""
    report = checked(story)
    assert report.wrong == ()
    assert report.closes_count == 3
    assert report.documents_count >= 6 * 3
    assert numbers_have_no_gap(story.warehouse)

    with open_store(story.warehouse.operations_url, schema=story.warehouse.operations_schema) as store:
        document = next(row for row in store.documents() if row.organization_id == "clean")
    file = story.documents / document.path
    content = file.read_bytes()
    file.write_bytes(content + b" ")
    [wrong] = checked(story).wrong
    assert (wrong.relation, wrong.finding) == ("documents", "is not the file that was issued")
    assert document.number in wrong.row_key
    file.write_bytes(content)

    [(fee_id,)] = query(
        story.warehouse,
        "select fee_id from {ledger}.ledger_fees where organization_id = 'clean' and close_id = 1 and fee_type = 'charge'",
    )
    damage = f"update {{ledger}}.ledger_fees set amount_cents = amount_cents + 1 where fee_id = '{fee_id}'"
    if isinstance(story.warehouse, PostgresWarehouse):
        refused = [
            damage,
            f"delete from {{ledger}}.ledger_fees where fee_id = '{fee_id}'",
            "update {ledger}.closes set invoices_count = 0",
            "delete from {ledger}.closes",
            "truncate {ledger}.ledger_fees",
        ]
        for statement in refused:
            with pytest.raises(psycopg2.errors.RaiseException, match="The ledger is final"):
                change(story.warehouse, statement)
        assert checked(story).wrong == ()
        # what only the owner of the tables can do, on purpose
        damage = f"alter table {{ledger}}.ledger_fees disable trigger user; {damage}"
    change(story.warehouse, damage)
    [wrong] = checked(story).wrong
    assert (wrong.close_id, wrong.organization_id, wrong.relation) == (1, "clean", "ledger_fees")
    assert (wrong.row_key, wrong.finding) == (f"fee_id={fee_id}|", "was changed")
    change(
        story.warehouse,
        "insert into {ledger}.ledger_invoices select * from {ledger}.ledger_invoices where close_id = 1",
    )
    change(story.warehouse, "insert into {ledger}.closes select * from {ledger}.closes where close_id = 2")
    change(story.warehouse, "insert into {ledger}.closes (close_id) values (9)")
    owned = isinstance(story.warehouse, PostgresWarehouse)
    by_owner = "alter table {ledger}.closes disable trigger user; " if owned else ""
    change(story.warehouse, by_owner + "update {ledger}.closes set code_version = 'another' where close_id = 3")
    assert {(row.close_id, row.relation, row.finding) for row in checked(story).wrong if row != wrong} >= {
        (1, "ledger_invoices", "is there more than once"),
        (2, "closes", "is there more than once"),
        (3, "closes", "says other than the seals of its organisations"),
        (9, "closes", "has no seal, and an earlier close has one"),
    }
    for table in ("ledger_parties", "ledger_row_hashes"):
        change(story.warehouse, f"drop table {{ledger}}.{table} cascade")
        wrong = checked(story).wrong[0]
        assert (wrong.relation, wrong.finding) == (table, "the table is missing")


def change(warehouse: Warehouse, sql: str) -> None:
    with warehouse.connect() as session:
        session.execute(sql.format(ledger=session.schema("ledger")))
