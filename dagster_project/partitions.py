"""The partitions of a close: calendar months, so that finance sees which are closed and can go back to one."""

from datetime import datetime, timedelta

import dagster as dg

# the current month is a partition too: it is closed up to now, day by day
billing_months = dg.MonthlyPartitionsDefinition(start_date="2020-01-01", end_offset=1)

# a month has ended everywhere on earth twelve hours after it ended in UTC
EVERYWHERE = timedelta(hours=12)


def partition_as_of(partition_end: datetime, now: datetime) -> datetime:
    """Up to when a month's partition is billed: to its end in every timezone, or to now while it lasts."""
    return min(partition_end + EVERYWHERE, now)
