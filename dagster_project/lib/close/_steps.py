"""How long the steps of a close took, kept in the warehouse (marts.rpt_close_steps)."""

from collections.abc import Sequence
from decimal import Decimal

from dagster_project.lib.close._scope import naive_utc
from dagster_project.lib.progress import StepTime
from dagster_project.lib.warehouse import Warehouse, tables_of

_COLUMNS = ("close_id", "step_position", "step", "started_at", "wall_seconds", "cpu_seconds", "rows_count")
_MILLISECONDS = Decimal("0.001")


def record_steps(warehouse: Warehouse, close_id: int, times: Sequence[StepTime]) -> None:
    """Write the times of a close's steps; those that are there are replaced."""
    with warehouse.connect() as session, session.transaction():
        table = f"{session.schema('raw')}.close_steps"
        session.execute(f"delete from {table} where close_id = ?", [close_id])
        session.insert(
            table,
            _COLUMNS,
            [
                (
                    close_id,
                    position,
                    time.step,
                    naive_utc(time.started_at),
                    Decimal(time.wall_seconds).quantize(_MILLISECONDS),
                    Decimal(time.cpu_seconds).quantize(_MILLISECONDS),
                    time.rows_count,
                )
                for position, time in enumerate(times, start=1)
            ],
        )


def known_seconds(warehouse: Warehouse) -> dict[str, float]:
    """The wall seconds by step of the newest close that has them; empty before the first."""
    if not warehouse.exists():
        return {}
    with warehouse.connect(read_only=True) as session:
        raw = session.schema("raw")
        if "close_steps" not in tables_of(session, raw):
            return {}
        rows = session.rows(
            f"select step, wall_seconds from {raw}.close_steps "
            f"where close_id = (select max(close_id) from {raw}.close_steps) order by step_position"
        )
    return {step: float(seconds) for step, seconds in rows}
