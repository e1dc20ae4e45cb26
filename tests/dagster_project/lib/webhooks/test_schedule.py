from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.lib.webhooks import RETRY_DELAYS, retry_delay
from dagster_project.lib.webhooks._schedule import retry_after

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_ten_tries_over_three_days() -> None:
    assert len(RETRY_DELAYS) == 10
    assert sum(RETRY_DELAYS, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)
    assert retry_delay("a.b_1", 11) is None


def test_the_jitter_adds_up_to_a_tenth_and_is_the_same_every_time() -> None:
    for number, delay in enumerate(RETRY_DELAYS, start=1):
        drawn = {retry_delay(f"a.b_{n}", number) for n in range(50)}
        assert all(delay <= d <= delay + delay / 10 for d in drawn if d is not None)
        assert len(drawn) > 1 or number == 1
        assert drawn == {retry_delay(f"a.b_{n}", number) for n in range(50)}


def test_the_jitter_of_one_message_worked_out_by_hand() -> None:
    # `printf a.b_1:3 | sha256sum` begins with ffaf859e8843abf2, and that is 762 modulo 1000
    assert retry_delay("a.b_1", 3) == timedelta(minutes=5) + timedelta(milliseconds=30 * 762)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", None),
        ("1.5", None),
        ("²", None),
        ("120", timedelta(minutes=2)),
        ("9" * 400, timedelta(hours=24)),
        ("Sun, 01 Mar 2026 12:10:00 GMT", timedelta(minutes=10)),
        ("Sun, 01 Mar 2026 12:10:00 -0000", timedelta(minutes=10)),
        ("Sun, 01 Mar 2026 14:10:00 +0200", timedelta(minutes=10)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None),
        ("Sun, 01 Mar 9999 11:00:00 GMT", timedelta(hours=24)),
        ("Sun, 99 Mar 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after(text: str | None, expected: timedelta | None) -> None:
    assert retry_after(text, now=NOW) == (None if expected is None else NOW + expected)


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [-+]\d{4}"))
def test_no_receiver_holds_a_message_back_for_more_than_a_day(text: str) -> None:
    moment = retry_after(text, now=NOW)
    assert moment is None or NOW < moment <= NOW + timedelta(days=1)
