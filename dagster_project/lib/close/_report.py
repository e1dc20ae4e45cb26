"""A page about one close: what it billed, who waits, its seals, how long its steps took, and the closes before it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dagster_project.lib.close._rederive import held_customers
from dagster_project.lib.gate import CHECKS
from dagster_project.lib.warehouse import Session, Warehouse, named_rows
from dagster_project.lib.words import amount_text, plural

_CLOSES_SHOWN = 24
_HELD_SHOWN = 50
_STEP = ("step", "started_at", "wall_seconds", "cpu_seconds", "rows_count")
_TOTAL = ("organization_id", "currency", "exponent", "invoices_count", "total_cents")
_ORGANIZATION = ("organization_id", "as_of", "known_batch_id", "invoices_count", "override_reason", "close_hash")


def write_report(warehouse: Warehouse, close_id: int, *, reports_dir: Path) -> Path:
    """Write the page of a committed close; returns where it is."""
    with warehouse.connect(read_only=True) as session:
        page = _page(session, close_id)
    environment = Environment(
        loader=PackageLoader("dagster_project.lib.close"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": amount_text, "plural": plural}
    path = reports_dir / f"close-{close_id}.html"
    part = path.with_suffix(".part")
    reports_dir.mkdir(parents=True, exist_ok=True)
    part.write_text(environment.get_template("close.html.j2").render(page), encoding="utf-8")
    part.replace(path)
    return path


def _page(session: Session, close_id: int) -> dict[str, Any]:
    raw, ledger = session.schema("raw"), session.schema("ledger")
    steps = named_rows(
        session,
        f"select {', '.join(_STEP)} from {raw}.close_steps where close_id = ? order by step_position",
        _STEP,
        [close_id],
    )
    organizations = named_rows(
        session,
        f"select {', '.join(_ORGANIZATION)} from {ledger}.ledger_close_organizations where close_id = ? order by 1",
        _ORGANIZATION,
        [close_id],
    )
    totals = named_rows(
        session,
        "select organization_id, currency, min(currency_exponent), count(*), sum(total_amount_cents) "
        f"from {ledger}.ledger_invoices where close_id = ? and invoice_status = 'finalized' group by 1, 2 order by 1, 2",
        _TOTAL,
        [close_id],
    )
    held = held_customers(session, close_id)
    [(started_at, engine, code_version)] = session.rows(
        f"select started_at, engine, code_version from {ledger}.closes where close_id = ?", [close_id]
    )
    history = named_rows(
        session,
        "select c.close_id, c.invoices_count, sum(s.wall_seconds) "
        f"from {ledger}.closes c inner join {raw}.close_steps s on s.close_id = c.close_id "
        "where c.close_id <= ? group by c.close_id, c.invoices_count order by c.close_id desc",
        ("close_id", "invoices_count", "wall_seconds"),
        [close_id],
    )[:_CLOSES_SHOWN]
    return {
        "close_id": close_id,
        "started_at": started_at,
        "engine": {"duckdb": "DuckDB", "postgres": "PostgreSQL"}.get(engine, engine),
        "code_version": code_version,
        "organizations": organizations,
        "totals": [{**row, "total_cents": int(row["total_cents"])} for row in totals],
        "held": held[:_HELD_SHOWN],
        "checks": {check.name: check.description for check in CHECKS},
        "held_left_out": len(held) - _HELD_SHOWN,
        "steps": _placed(steps),
        "total_seconds": sum(float(step["wall_seconds"]) for step in steps),
        "history": history[::-1],
        "longest_close": max((float(row["wall_seconds"]) for row in history), default=0.0) or 1.0,
    }


def _placed(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps with where they begin and end, as shares of the whole close."""
    if not steps:
        return []
    first = steps[0]["started_at"]
    last = steps[-1]["started_at"] + timedelta(seconds=float(steps[-1]["wall_seconds"]))
    whole = max((last - first).total_seconds(), 0.001)
    return [
        {
            **step,
            "begin": (step["started_at"] - first).total_seconds() / whole,
            "share": float(step["wall_seconds"]) / whole,
        }
        for step in steps
    ]
