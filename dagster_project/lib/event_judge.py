"""The careful reading of single events: every line that the bulk reading cannot vouch for.

The bulk SQL (events_parse.sql) takes a line only when nothing about it is in doubt. All others come
here one by one: a line is either written again in the plainest form, for the same SQL to take, or it
is refused with a reason code and a sentence that says what to do. The event that a correction puts in place of another is
judged here, too.

The rules:

- `transaction_id`, `external_subscription_id` and `code` are texts (whole numbers are taken as their
  text) of at least one byte; the id of at most 1,000, so that it fits an index entry of every
  engine, the others of at most 65,536.
- `timestamp` and `received_at` are RFC 3339 with an offset, or epoch seconds, between 1970 and 2200;
  what is finer than a microsecond is cut.
- `properties` is an object. Its numbers keep their value on every engine: exponents are written out, and what has more
  than 15 significant digits (whole numbers: 18) or is smaller than 0.000001 is kept as a text. Whether a metric can
  read it is another question: a quantity has up to 15 digits before and 12 after the point.
- `precise_total_amount_cents` has up to 15 digits before and 12 after the point.
"""

import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

FIELDS = (
    "organization_id",
    "transaction_id",
    "external_subscription_id",
    "code",
    "timestamp",
    "received_at",
    "properties",
    "precise_total_amount_cents",
)
MAX_DEPTH = 100
# the most bytes of each
_ID_FIELDS = {"transaction_id": 1000, "external_subscription_id": 1 << 16, "code": 1 << 16}
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d+))?"
    r"(?:([Zz])|([+-])((?:[01]\d|2[0-3])):?([0-5]\d))?"
)
_EPOCH = re.compile(r"-?\d{1,17}(?:\.\d+)?")
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,12})?", re.ASCII)
# without the zeros that say nothing
_QUANTITY = re.compile(r"-?0*(\d*)(?:\.(\d*?)0*)?")
_NUMERIC = re.compile(r"-?\d+(\.\d+)?")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_TOKEN = 400


class Refusal(Exception):
    """An event cannot be taken: a reason code for counting and a reason for reading."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Number(str):
    """A number of a JSON text, as it was written."""

    __slots__ = ()


class _Object(dict[str, Any]):
    """A JSON object that knows a key which it has twice."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated: str | None = None
        if len(self) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    self.repeated = key
                seen.add(key)


@dataclass(frozen=True, slots=True)
class EventJudge:
    """Judges single events.

    `organizations` are the known ones; `quantities` has, for an organisation and an event code, the
    metrics that read it as (metric code, property name).
    """

    organizations: Collection[str]
    quantities: Mapping[tuple[str, str], Sequence[tuple[str, str]]]

    def rewritten(self, line: str, problem: str | None, organization_id: str | None) -> str | None:
        """The event as a JSON text that the bulk reading takes, or None for an empty line.

        `problem` is what the file's reader found wrong, `organization_id` the default. Raises Refusal.
        """
        if not line.strip() and problem in (None, "blank|"):
            return None
        if problem:
            raise _reader_refusal(problem)
        event = _parsed(line)
        unknown = next((key for key in event if key not in FIELDS), None)
        if unknown is not None:
            near = difflib.get_close_matches(unknown, FIELDS, 1)
            hint = f"; {near[0]} is the nearest known field" if near else ""
            raise Refusal("unknown_field", f"{unknown!r} is not a field of an event{hint}.")
        written: dict[str, str] = {name: _identifier(event, name) for name in _ID_FIELDS}
        written["organization_id"] = self._organization(event, organization_id)
        written["timestamp"] = _instant(event, "timestamp", required=True) or ""
        received_at = _instant(event, "received_at", required=False)
        if received_at is not None:
            written["received_at"] = received_at
        amount = _amount(event.get("precise_total_amount_cents"))
        if amount is not None:
            written["precise_total_amount_cents"] = amount
        properties = event.get("properties")
        if properties is None:
            properties = _Object([])
        if not isinstance(properties, _Object):
            raise Refusal("invalid_field", "properties must be a JSON object.")
        if properties.repeated is not None:
            raise Refusal("duplicate_key", f"properties has the key {properties.repeated!r} more than once.")
        text = _compact(properties)
        self._check_quantities(written["organization_id"], written["code"], properties)
        fields = [f"{json.dumps(k)}:{json.dumps(v, ensure_ascii=False)}" for k, v in written.items()]
        return "{" + ",".join(fields) + f',"properties":{text}' + "}"

    def _organization(self, event: _Object, default: str | None) -> str:
        value = event.get("organization_id")
        if value is None:
            value = default
        if value is None and len(self.organizations) == 1:
            [value] = self.organizations
        if value is None:
            raise Refusal(
                "missing_organization",
                "the event names no organization_id, and several organisations share this warehouse: "
                "add the field, or organization_id to the source in events/sources.yaml.",
            )
        if not isinstance(value, str) or value not in self.organizations:
            raise Refusal("unknown_organization", f"{_short(value)} is not a known organisation.")
        return str(value)

    def _check_quantities(self, organization_id: str, code: str, properties: _Object) -> None:
        for metric, name in self.quantities.get((organization_id, code), ()):
            value = properties.get(name)
            if isinstance(value, _Number):
                value = _written_out(value)
            if not isinstance(value, str) or not _NUMERIC.fullmatch(value):
                continue
            found = _QUANTITY.fullmatch(value)
            if found and (len(found[1]) > 15 or len(found[2] or "") > 12):
                raise Refusal(
                    "quantity_out_of_range",
                    f"the metric {metric} reads {name}, whose value {_short(value)} has more than "
                    "15 digits before or 12 after the point.",
                )


def _parsed(line: str) -> _Object:
    openers = line.count("[") + line.count("{")
    if openers > MAX_DEPTH and _depth(line) > MAX_DEPTH:
        raise Refusal("too_deep", f"the JSON is nested more than {MAX_DEPTH} levels deep.")
    try:
        event = json.loads(
            line,
            object_pairs_hook=_Object,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_no_number,
        )
    except json.JSONDecodeError as error:
        raise Refusal("invalid_json", f"not valid JSON: {error.msg} at character {error.pos + 1}.") from None
    if not isinstance(event, _Object):
        raise Refusal("not_an_object", "an event must be one JSON object.")
    if event.repeated is not None:
        raise Refusal("duplicate_key", f"the event has the key {event.repeated!r} more than once.")
    if "\\u" in line:
        _check_characters(event)
    return event


def _no_number(token: str) -> Any:
    raise Refusal("not_a_number", f"{token} is not a number of JSON; send a decimal number.")


def _depth(line: str) -> int:
    deepest = depth = 0
    for character in re.findall(r"[\[\]{}]", _STRING.sub("", line)):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _check_characters(value: Any) -> None:
    if isinstance(value, _Object):
        for key, item in value.items():
            _check_characters(key)
            _check_characters(item)
    elif isinstance(value, list):
        for item in value:
            _check_characters(item)
    elif isinstance(value, str):
        if "\0" in value:
            raise Refusal("null_character", "the event has the character \\u0000, which no engine can hold.")
        if _SURROGATE.search(value):
            raise Refusal("invalid_json", "not valid JSON: half of a \\u surrogate pair.")


def _identifier(event: _Object, name: str) -> str:
    value = event.get(name)
    if value is None or value == "":
        raise Refusal("missing_field", f"{name} is missing or empty.")
    if not isinstance(value, str) or (isinstance(value, _Number) and not re.fullmatch(r"-?\d+", value)):
        raise Refusal("invalid_field", f"{name} must be a text, not {_short(value)}.")
    if len(value.encode()) > _ID_FIELDS[name]:
        raise Refusal("too_long", f"{name} is longer than {_ID_FIELDS[name]:,} bytes.")
    return str(value)


def _instant(event: _Object, name: str, *, required: bool) -> str | None:
    value = event.get(name)
    if value is None or value == "":
        if required:
            raise Refusal("missing_field", f"{name} is missing or empty.")
        return None
    if not isinstance(value, str) or len(value) > _MAX_TOKEN:
        raise _bad_instant(name, value)
    instant = _epoch(value) if _EPOCH.fullmatch(value) else _civil(name, value)
    if instant is None:
        raise _bad_instant(name, value)
    if not _EARLIEST <= instant < _LATEST:
        hint = " Epoch times are in seconds, not milliseconds." if _EPOCH.fullmatch(value) else ""
        raise Refusal("timestamp_out_of_range", f"{name} {_short(value)} is not between 1970 and 2200.{hint}")
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _epoch(value: str) -> datetime | None:
    whole, _, fraction = value.partition(".")
    microseconds = int(fraction[:6].ljust(6, "0"))
    if value.startswith("-"):
        microseconds = -microseconds
    try:
        return _EARLIEST + timedelta(seconds=int(whole), microseconds=microseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _civil(name: str, value: str) -> datetime | None:
    found = _TIMESTAMP.fullmatch(value)
    if found is None:
        return None
    day, clock, fraction, zulu, sign, hours, minutes = found.groups()
    if zulu is None and sign is None:
        raise Refusal(
            "timestamp_without_offset",
            f"{name} {value} has no offset, so its instant is not known: add Z or +02:00 "
            "(a mapping in events/sources.yaml may say that it is UTC).",
        )
    try:
        instant = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6].ljust(6, '0')}+00:00")
        if sign is not None:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            instant = instant - offset if sign == "+" else instant + offset
    except (ValueError, OverflowError):
        return None
    return instant


def _bad_instant(name: str, value: Any) -> Refusal:
    return Refusal(
        "invalid_timestamp",
        f"{name} {_short(value)} is neither a time as in 2024-03-05T12:00:00Z nor epoch seconds.",
    )


def _amount(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise Refusal(
            "invalid_amount",
            f"precise_total_amount_cents {_short(value)} is not a decimal number with up to 15 digits "
            "before and 12 after the point.",
        )
    return str(value)


def _compact(value: Any) -> str:
    """A value as JSON text without blanks, its numbers in the form that every engine keeps."""
    if isinstance(value, _Object):
        items = (f"{json.dumps(k, ensure_ascii=False)}:{_compact(v)}" for k, v in value.items())
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    if isinstance(value, _Number):
        return _plain_number(value)
    return json.dumps(value, ensure_ascii=False)


def _plain_number(token: str) -> str:
    """A number as JSON: as a number where every engine writes it again like that, else as a text."""
    text = _written_out(token)
    whole, _, fraction = text.lstrip("-").partition(".")
    if fraction:
        # engines write smaller numbers with an exponent
        is_small = whole == "0" and fraction.startswith("000000")
        is_kept = len((whole + fraction).lstrip("0")) <= 15 and not is_small
    else:
        is_kept = len(whole) <= (18 if text == token else 15)
    return text if is_kept else json.dumps(text)


def _written_out(token: str) -> str:
    """A number without exponent and without zeros at the end of its fraction."""
    if len(token) > _MAX_TOKEN:
        raise _too_large(token)
    number = Decimal(token)
    if not number:
        return "0"
    if not -_MAX_TOKEN < number.adjusted() < _MAX_TOKEN:
        raise _too_large(token)
    whole, point, fraction = format(number, "f").partition(".")
    return f"{whole}{point}{fraction}".rstrip("0").rstrip(".") if point else whole


def _too_large(token: str) -> Refusal:
    return Refusal(
        "number_out_of_range",
        f"the number {_short(token)} has more than {_MAX_TOKEN} digits before or after the point.",
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return repr(text if len(text) <= 80 else text[:77] + "…")


def _reader_refusal(problem: str) -> Refusal:
    code, _, detail = problem.partition("|")
    reasons = {
        "line_too_long": f"the line has {detail} bytes; the most is 1,048,576. Its beginning is kept.",
        "nul_byte": "the line has a NUL byte, which no engine can hold; it is shown as \ufffd.",
        "invalid_utf8": f"the line is not UTF-8 (byte {detail} of it).",
        "damaged_file": f"{detail}; what came before was read. Deliver the whole file again.",
        "malformed_csv": "the quotes of this CSV line do not match, or a carriage return stands in it without quotes (RFC 4180).",
        "wrong_cell_count": f"the record has {detail}.",
        "unreadable_file": f"the file cannot be read: {detail}",
        "mapping_failed": f"the expression of {detail} in events/sources.yaml fails for this row.",
        "invalid_json": "not valid JSON.",
        "number_not_exact": f"the number in {detail} cannot be read exactly: write it as a string.",
    }
    return Refusal(code, reasons[code])
