"""A small book for faults, and what every experiment needs: closes, the ledger as text, and children that are killed.

Three organisations bill usage by the unit: 10.00 EUR a month and 0.50 EUR a unit, no tax, in the time of Paris. `clean`
has one tidy file a month. `dirty` has the very same usage, shuffled, split, repeated and among broken lines. `watched`
expects a file a month, and its names are such that any text that is taken for SQL, Jinja or a shell's would show.
"""

import gzip
import json
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from dagster_project.lib.close import CloseRequest, CloseRun
from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.warehouse import DuckDBWarehouse, Warehouse, warehouse_lock

AS_OF = "2024-03-01T12:00:00Z"
PLAN_CENTS, UNIT_CENTS = 1000, 50
HOSTILE = "o'hara\"; drop schema raw cascade; -- /* {{ env_var('HOME') }} {% raw %} $HOME \\N é💥"

# February 2024 has a leap day; at the end of March the clocks of Paris go forward
FEBRUARY = ("2024-02-01T12:00:00Z", "2024-02-29T12:00:00Z", "2024-02-29T22:59:59Z", "2024-02-10T00:00:00Z")
MARCH = ("2024-02-29T23:00:00Z", "2024-03-31T00:59:59Z", "2024-03-31T01:00:00Z", "2024-03-31T21:59:59Z")
APRIL = ("2024-03-31T22:00:00Z",)
FUTURE = ("2031-01-01T00:00:00Z",)


def named(organization: str, name: str) -> str:
    """The name that an organisation gives to something."""
    return f"{name} {HOSTILE}" if organization == "watched" else name


def events(organization: str) -> list[dict[str, Any]]:
    """Usage of 2, 3, 4 … units at telling instants, each under an id of its own."""
    moments = [*FEBRUARY, *MARCH, *APRIL, *FUTURE]
    return [
        {
            "organization_id": organization,
            "transaction_id": f"t{number}",
            "external_subscription_id": named(organization, "sub"),
            "code": named(organization, "call"),
            "timestamp": moment,
            "received_at": moment,
            "properties": {named(organization, "n"): str(number + 2)},
        }
        for number, moment in enumerate(moments)
    ]


def units(*groups: tuple[str, ...]) -> int:
    """The units of the events at these instants."""
    wanted = {moment for group in groups for moment in group}
    return sum(int(event["properties"]["n"]) for event in events("any") if event["timestamp"] in wanted)


def write_book(folder: Path, *, seed: int = 1) -> Path:
    """The book with its first files."""
    names = ("clean", "dirty", "watched")
    _yaml(
        folder / "book.yaml",
        {
            "organizations": [
                {
                    "id": name,
                    "name": name.title(),
                    "timezone": "Europe/Paris",
                    "default_currency": "EUR",
                    "country": "FR",
                    "late_usage": "adjust" if name == "clean" else "report",
                }
                for name in names
            ],
            "expected_sources": [
                {
                    "organization_id": "watched",
                    "path": "events/watched-{yyyy}-{mm}.jsonl",
                    "cadence": "monthly",
                    "complete_by": "2d",
                }
            ],
        },
    )
    rows: dict[str, list[dict[str, Any]]] = {"billable_metrics": [], "plans": [], "customers": [], "subscriptions": []}
    for name in names:
        of = {"organization_id": name}
        rows["billable_metrics"].append(
            {
                **of,
                "code": named(name, "call"),
                "name": named(name, "Calls"),
                "aggregation_type": "sum_agg",
                "field_name": named(name, "n"),
            }
        )
        rows["plans"].append(
            {
                **of,
                "code": named(name, "plan"),
                "name": named(name, "Plan"),
                "interval": "monthly",
                "amount_cents": PLAN_CENTS,
                "amount_currency": "EUR",
                "charges": [
                    {
                        "code": named(name, "call"),
                        "billable_metric_code": named(name, "call"),
                        "charge_model": "standard",
                        "properties": {"amount": "0.5"},
                    }
                ],
            }
        )
        rows["customers"].append(
            {
                **of,
                "external_id": named(name, "cust"),
                "name": named(name, "Customer"),
                "currency": "EUR",
                "country": "FR",
            }
        )
        rows["subscriptions"].append(
            {
                **of,
                "external_id": named(name, "sub"),
                "external_customer_id": named(name, "cust"),
                "plan_code": named(name, "plan"),
                "billing_time": "calendar",
                "created_at": "2024-01-31T23:00:00Z",
                "subscription_at": "2024-01-31T23:00:00Z",
            }
        )
    for kind, where in (("billable_metrics", "catalog"), ("plans", "catalog"), ("customers", "accounts")):
        _yaml(folder / where / f"{kind}.yaml", {kind: rows[kind]})
    _yaml(folder / "accounts" / "subscriptions.yaml", {"subscriptions": rows["subscriptions"]})
    _lines(folder / "events" / "clean.jsonl", events("clean"))
    write_dirty(folder / "events", seed=seed)
    _lines(
        folder / "events" / "watched-2024-02.jsonl", [row for row in events("watched") if row["timestamp"] in FEBRUARY]
    )
    return folder


def add_seats(book: Path, *, price: str = "5", units: str | None = None) -> None:
    """`seats`: 10 seats in arrears, taxed by 10 %, and 3 licences of 2.00 in advance, not taxed; `units` are since 10 February.

    Written again, it replaces what it said before.
    """
    of = {"organization_id": "seats"}
    path = book / "book.yaml"
    content = yaml.safe_load(path.read_text())
    content["organizations"] = [row for row in content["organizations"] if row["id"] != "seats"]
    content["organizations"].append(
        {**content["organizations"][0], "id": "seats", "name": "Seats", "late_usage": "adjust"}
    )
    _yaml(path, content)
    fixed = {"add_on_code": "seat", "charge_model": "standard"}
    plan = {
        **of,
        "code": "plan",
        "name": "Plan",
        "interval": "monthly",
        "amount_cents": PLAN_CENTS,
        "amount_currency": "EUR",
        "charges": [],
        "fixed_charges": [
            {**fixed, "code": "seats", "units": "10", "tax_codes": ["ten"], "properties": {"amount": price}},
            {**fixed, "code": "licences", "units": "3", "pay_in_advance": True, "properties": {"amount": "2"}},
        ],
    }
    changes = [] if units is None else zip(("seats", "licences"), units.split(), strict=True)
    subscription = {
        **of,
        "external_id": "sub",
        "external_customer_id": "cust",
        "plan_code": "plan",
        "billing_time": "calendar",
        "created_at": "2024-01-31T23:00:00Z",
        "subscription_at": "2024-01-31T23:00:00Z",
        "fixed_charge_units": [
            {"code": code, "units": count, "effective_at": "2024-02-10T00:00:00Z"} for code, count in changes
        ],
    }
    rows = {
        ("catalog", "plans"): plan,
        ("catalog", "add_ons"): {**of, "code": "seat", "name": "Seat", "amount_cents": 500, "amount_currency": "EUR"},
        ("catalog", "taxes"): {**of, "code": "ten", "name": "Ten", "rate": "10"},
        ("accounts", "customers"): {
            **of,
            "external_id": "cust",
            "name": "Customer",
            "currency": "EUR",
            "country": "FR",
        },
        ("accounts", "subscriptions"): subscription,
    }
    for (folder, name), row in rows.items():
        path = book / folder / f"{name}.yaml"
        content = yaml.safe_load(path.read_text()) if path.exists() else {name: []}
        _yaml(path, {name: [*(old for old in content[name] if old["organization_id"] != "seats"), row]})


def change_plan(book: Path, organization: str, *, name: str = "Plan", price: str = "0.5") -> None:
    """The plan of an organisation under another name, or with another price for a unit, under the same date."""
    path = book / "catalog" / "plans.yaml"
    content = yaml.safe_load(path.read_text())
    for plan in content["plans"]:
        if plan["organization_id"] == organization:
            plan["name"] = name
            plan["charges"][0]["properties"]["amount"] = price
    _yaml(path, content)


def write_dirty(folder: Path, *, seed: int) -> None:
    """The usage of `dirty`, each event one to five times, over shuffled files, one of them cut off, with broken lines."""
    source = random.Random(seed)
    copies = [json.dumps(row) for row in events("dirty") for _ in range(source.randint(1, 5))]
    source.shuffle(copies)
    broken = [
        '{"transaction_id": "half',
        '{"organization_id": "dirty", "transaction_id": "x1", "external_subscription_id": "sub", "code": "call", "timestamp": NaN}',
        '{"organization_id": "dirty", "transaction_id": "x2", "external_subscription_id": "sub", "code": "call", '
        '"timestamp": "2024-02-30T00:00:00Z"}',
        "[" * 2_000 + "]" * 2_000,
        '{"organization_id": "nobody", "transaction_id": "x3", "external_subscription_id": "sub", "code": "call", '
        '"timestamp": "2024-02-01T00:00:00Z"}',
    ]
    parts = [copies[number::3] for number in range(3)]
    (folder / "dirty-1.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*parts[0], *broken]).encode())
    (folder / "dirty-2.jsonl").write_text("\n".join(parts[1]))
    whole = gzip.compress(("\n".join([*parts[2], *(parts[2] * 40)]) + "\n").encode(), mtime=0)
    # cut off: what is lost at its end stands in it before
    (folder / "dirty-3.jsonl.gz").write_bytes(whole[:-24])


def _yaml(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def add_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """One more file of events."""
    _lines(path, rows)


def run_of(
    warehouse: Warehouse,
    home: Path,
    as_of: str,
    *,
    book: Path | None = None,
    override_reason: str | None = None,
    out: Path | None = None,
) -> CloseRun:
    """The steps of a close, to be run one by one."""
    return CloseRun(
        request_of(warehouse, home, as_of, book=book, override_reason=override_reason, out=out), SilentProgress()
    )


@dataclass(slots=True)
class Rated:
    """A warehouse whose candidates are built and judged: only finalising is to come."""

    warehouse: Warehouse
    home: Path
    run: CloseRun

    def copy(self, folder: Path) -> "Rated":
        """The same in files of its own (DuckDB)."""
        assert isinstance(self.warehouse, DuckDBWarehouse)
        # always the same name: dbt names the database after the file
        own = DuckDBWarehouse(folder / "warehouse.duckdb")
        shutil.copy(self.warehouse.path, own.path)
        return Rated(own, self.home, run_with(own, self.home))


def run_with(warehouse: Warehouse, home: Path, out: Path | None = None) -> CloseRun:
    """The steps of the close."""
    return run_of(warehouse, home, AS_OF, out=out)


def rated(warehouse: Warehouse, home: Path, folder: Path) -> Rated:
    run = run_of(warehouse, home, AS_OF, book=write_book(folder / "book"))
    with warehouse_lock(warehouse, purpose="test"):
        run.land()
        run.open()
        run.rate()
        assert not run.judge().blocking
    return Rated(warehouse, home, run)


def request_of(
    warehouse: Warehouse,
    home: Path,
    as_of: str,
    *,
    book: Path | None = None,
    override_reason: str | None = None,
    out: Path | None = None,
) -> CloseRequest:
    return CloseRequest(
        warehouse=warehouse,
        home=home,
        as_of=datetime.fromisoformat(as_of),
        now=datetime.now(UTC),
        book=book,
        out_dir=out,
        override_reason=override_reason,
        lock_seconds=30,
    )


def query(warehouse: Warehouse, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query; `{ledger}` and the like stand for the schemas."""
    with warehouse.connect(read_only=True) as session:
        names = ("raw", "gate", "ledger", "marts", "intermediate")
        return session.rows(sql.format(**{name: session.schema(name) for name in names}))


def totals(warehouse: Warehouse, organization: str) -> list[int]:
    """The totals of an organisation's committed invoices in the order of their numbers."""
    return [
        int(total)
        for (total,) in query(
            warehouse,
            "select total_amount_cents from {ledger}.ledger_invoices where close_id in "
            f"(select close_id from {{ledger}}.closes) and organization_id = '{organization}' "
            "order by organization_sequence",
        )
    ]


def seals(warehouse: Warehouse) -> Mapping[tuple[int, str], str]:
    """The seal of every committed close by close and organisation: equal seals mean equal ledgers."""
    return {
        (close_id, organization): seal
        for close_id, organization, seal in query(
            warehouse,
            "select close_id, organization_id, close_hash from {ledger}.ledger_close_organizations "
            "where close_id in (select close_id from {ledger}.closes)",
        )
    }


def numbers_have_no_gap(warehouse: Warehouse) -> bool:
    """Whether numbers run from 1 in each series, without a gap and without a repetition."""
    return not query(
        warehouse,
        "select organization_id from {ledger}.ledger_invoices group by organization_id "
        "having count(*) <> count(distinct organization_sequence) or min(organization_sequence) <> 1 "
        "or max(organization_sequence) <> count(*)",
    )


def killed(work: Callable[[], object], *, seconds: float = 120) -> None:
    """Run `work`, which kills itself by SIGKILL, in a child; an end of its own, or none in time, fails the test."""
    status = _in_child(work, seconds=seconds)
    assert os.WIFSIGNALED(status), f"the child ended by itself: {status}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def failed(work: Callable[[], object], *, words: str, seconds: float = 120) -> str:
    """Run `work` in a child, where it must fail with an error that has these words; returns the whole error."""
    read_end, write_end = os.pipe()

    def told() -> None:
        try:
            work()
        except BaseException as error:
            os.write(write_end, f"{type(error).__name__}: {error}".encode()[:4000])
            os._exit(7)

    status = _in_child(told, seconds=seconds)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        message = pipe.read()
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == 7, "it did not fail"
    assert words.lower() in message.lower(), message
    return message


def _in_child(work: Callable[[], object], *, seconds: float) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"the child did not end within {seconds:.0f} s")


def die() -> None:
    """SIGKILL to this very process."""
    os.kill(os.getpid(), signal.SIGKILL)
