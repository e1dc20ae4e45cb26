"""When a message is tried again, and when we stop."""

import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: The pause before each try: the first at once, the tenth three days after it.
RETRY_DELAYS = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)

#: An endpoint that has failed for this long, without one success between, is switched off.
FAILING_MAX = timedelta(days=5)

_RETRY_AFTER_MAX = timedelta(hours=24)
_JITTER_STEPS = 1_000


def retry_delay(message_id: str, try_number: int) -> timedelta | None:
    """Return the pause before a try (counted from 1), or None when there is no such try.

    Up to a tenth is added, so that messages that failed together do not come back together. It is
    drawn from the message id and the number of the try: the same again gives the same.
    """
    if try_number > len(RETRY_DELAYS):
        return None
    delay = RETRY_DELAYS[try_number - 1]
    drawn = hashlib.sha256(f"{message_id}:{try_number}".encode()).digest()
    return delay + delay * (int.from_bytes(drawn[:8]) % _JITTER_STEPS) // (10 * _JITTER_STEPS)


def retry_after(text: str | None, *, now: datetime) -> datetime | None:
    """Return the moment of a Retry-After header, in seconds or as a date; None when it has none.

    A receiver can ask for a day at most: beyond that the message would be as good as lost.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        # Nine digits of seconds are decades; more would leave the calendar.
        moment = now + timedelta(seconds=int(text[:9]))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
    return min(moment, now + _RETRY_AFTER_MAX) if moment > now else None
