"""The close as a job, its schedules, and the sensor that lands new files."""

import hashlib

import dagster as dg

from dagster_project.defs.landing.assets import landed_book
from dagster_project.partitions import billing_months
from dagster_project.settings import load_settings

close_period = dg.define_asset_job(
    "close_period",
    selection=dg.AssetSelection.all(),
    description="Land, rate, check, finalise, publish, render, queue: the same steps as `meterhouse close`.",
)

land_book = dg.define_asset_job(
    "land_book",
    selection=dg.AssetSelection.assets(landed_book),
    description="Land what is new in the book, without closing.",
)

# noon UTC on the first: the month has ended in every timezone
close_period_monthly = dg.build_schedule_from_partitioned_job(
    close_period, name="close_period_monthly", hour_of_day=12, minute_of_hour=5
)


@dg.schedule(job=close_period, cron_schedule="20 13 * * *", execution_timezone="UTC")
def close_period_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Bill every day what became due: weekly plans, other anchors, other timezones."""
    month = billing_months.get_partition_key_for_timestamp(context.scheduled_execution_time.timestamp())
    return dg.RunRequest(partition_key=month, run_key=f"{context.scheduled_execution_time:%Y-%m-%d}")


@dg.sensor(job=land_book, minimum_interval_seconds=60)
def on_new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Land the book when a file of it is new or has changed."""
    book = load_settings().book
    if book is None or not book.exists():
        return dg.SkipReason("METERHOUSE_BOOK names no book.")
    listing = sorted(
        f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in ([book] if book.is_file() else book.rglob("*"))
        if path.is_file()
    )
    state = hashlib.sha256("\n".join(listing).encode()).hexdigest()
    if state == context.cursor:
        return dg.SkipReason("Nothing is new.")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=state)], cursor=state)
