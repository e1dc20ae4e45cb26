"""The field types of a book's models: what may be written, and how it is read.

JSON is strict (a number is a number, a decimal is a text). In formats whose scalars are text (YAML,
CSV, Parquet; the validation context has `text`) integers, booleans and decimals are read from their
text. Sizes and forms: docs/book.md, "Sizes", and docs/billing-rules.md, Exactness.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from dagster_project.lib.book._problems import nearest
from dagster_project.lib.book._reference import countries, currencies, timezones
from dagster_project.lib.book._sources import UnreadableError, parse_json

ALWAYS = datetime(1, 1, 1)  # noqa: DTZ001 (raw times are naive UTC)
# the calendar is laid out from the first subscription to the time of billing
_FIRST_TIME, _END_OF_BILLING = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001
_MONEY_DIGITS = 15
_DECIMAL = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_INTEGER = re.compile(r"-?\d+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))",
    re.ASCII,
)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MAX_INTEGER = 2**31 - 1


def wrong(expected: str) -> PydanticCustomError:
    """The error of a validator: a noun phrase that says what was expected."""
    return PydanticCustomError("book", "{expected}", {"expected": expected})


def is_text_format(info: ValidationInfo) -> bool:
    """Whether the value comes from a format whose scalars are text."""
    return bool(info.context and info.context.get("text"))


def _remark(value: object) -> str:
    if not isinstance(value, str):
        raise wrong("text in quotes")
    return value


def _text(value: object) -> str:
    text = _remark(value)
    if not text.strip():
        raise wrong("text that is not blank")
    if _UNSTORABLE.search(text):
        raise wrong("text without NUL characters and half surrogates")
    return text


_GRANTED = re.compile(
    r"(\d+)\s*(m|min|h|d|w)|(\d{1,2}):(\d{2})|P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", re.ASCII
)
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def granted_seconds(text: str) -> int | None:
    """The seconds after an interval's end that `complete_by` grants; None for a text of another form.

    `6h`, `90m`, `2d`, an ISO duration (`PT6H`, `P1D`), or a time of day (`06:00`) of the day that begins when the interval
    ends.
    """
    found = _GRANTED.fullmatch(text.strip())
    if found is None or text.strip() in {"P", "PT"} or text.strip().endswith("T"):
        return None
    count, unit, hour, minute, *iso = found.groups()
    if count is not None:
        return int(count) * _SECONDS[unit]
    if hour is not None:
        return int(hour) * 3600 + int(minute) * 60 if int(hour) < 24 and int(minute) < 60 else None
    return sum(int(part or 0) * _SECONDS[name] for part, name in zip(iso, ("w", "d", "h", "m"), strict=True))


def _granted(value: object) -> str:
    text = _text(value)
    if granted_seconds(text) is None:
        raise wrong("how long after the interval its data may arrive, such as 6h, 2d, PT6H or 06:00")
    return text


def _integer(value: object, info: ValidationInfo) -> int:
    if is_text_format(info) and isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong("an integer")
    return value


def _boolean(value: object, info: ValidationInfo) -> bool:
    if is_text_format(info) and isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise wrong("true or false")
    return value


def _bounded(minimum: int, maximum: int, expected: str) -> Callable[[Any, ValidationInfo], int]:
    def validate(value: Any, info: ValidationInfo) -> int:
        number = _integer(value, info)
        if not minimum <= number <= maximum:
            raise wrong(expected)
        return number

    return validate


def _cents(value: Any, info: ValidationInfo) -> int:
    number = _integer(value, info)
    if number < 0:
        raise wrong("an integer of minor units (cents), 0 or more")
    if number >= 10**_MONEY_DIGITS:
        raise wrong(f"at most {_MONEY_DIGITS} digits of minor units")
    return number


def _sized(number: Decimal, whole: int, decimals: int) -> Decimal:
    """The number in its one form, when it has at most so many digits on each side of the point."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise wrong("a finite decimal")
    text = "".join(map(str, digits)).lstrip("0")
    point = len(text) + exponent
    if text and (point > whole or len(text.rstrip("0")) - point > decimals):
        raise wrong(f"at most {whole} digits before and {decimals} after the point")
    return without_trailing_zeros(number)


def without_trailing_zeros(number: Decimal) -> Decimal:
    """The same number in its one form: 20.0 and 2E+1 are 20, -0.0 is 0; never rounded."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        return number
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return Decimal(0)
    if exponent >= 0:
        return Decimal(("-" if sign else "") + text + "0" * exponent)
    while exponent < 0 and text.endswith("0"):
        text, exponent = text[:-1], exponent + 1
    return Decimal(("-" if sign else "") + f"{text}E{exponent}")


def _decimal(
    whole: int, *, decimals: int = 12, may_be_number: bool = False, signed: bool = False
) -> Callable[[Any], Decimal]:
    def validate(value: Any) -> Decimal:
        if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
            number = Decimal(value.strip())
        elif isinstance(value, bool) or not isinstance(value, (int, Decimal, float)):
            raise wrong('decimal text such as "1.5"')
        elif may_be_number and not isinstance(value, float):
            number = Decimal(value)
        elif isinstance(value, int):
            raise wrong(f'decimal text, not a number: write it in quotes, "{value}"')
        else:
            raise wrong(f'decimal text (a float where a decimal string belongs): write it in quotes, "{value}"')
        if number < 0 and not signed:
            raise wrong("a decimal of 0 or more")
        return _sized(number, whole, decimals)

    return validate


def _credits(value: Any) -> Decimal:
    """Wallet credits, cut after 12 decimals: they are cut to 5 before use (docs/billing-rules.md, Wallets)."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()) and "." in value:
        whole, decimals = value.strip().split(".")
        value = f"{whole}.{decimals[:12]}"
    return _decimal(15)(value)


def parse_time(value: str) -> datetime | None:
    """An RFC 3339 time as naive UTC, its fraction cut to microseconds; None when it is not one."""
    match = _TIME.fullmatch(value)
    if match is None:
        return None
    day, clock, fraction, sign, hours, minutes = match.groups()
    if sign and (int(hours) > 23 or int(minutes) > 59):
        return None
    try:
        local = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '')[:6]:0<6}")
        offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        return None


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    instant = parse_time(value) if isinstance(value, str) else None
    if instant is None:
        raise wrong('an RFC 3339 time with its offset, such as "2024-03-01T00:00:00Z"')
    if instant < _FIRST_TIME:
        raise wrong("a time from 1900 on")
    return instant


def _since(value: Any) -> datetime:
    """From when something is in force: a time, or always."""
    always = value == ALWAYS or (isinstance(value, str) and parse_time(value) == ALWAYS)
    return ALWAYS if always else _time(value)


def _aware(value: Any) -> datetime:
    instant = _time(value)
    if instant >= _END_OF_BILLING:
        raise wrong("a time from 1900 to 2199")
    return instant.replace(tzinfo=UTC)


def _date(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise wrong('a date such as "2024-03-01"')


def _listed(values: Callable[[], Any], what: str) -> Callable[[Any], str]:
    def validate(value: Any) -> str:
        if isinstance(value, str) and value in values():
            return value
        hint = nearest(value, values()) if isinstance(value, str) else ""
        raise wrong(f"{what}; {hint}" if hint.endswith("perhaps") else what)

    return validate


def _list(value: Any, info: ValidationInfo) -> Any:
    """In text formats a list may be JSON text (a cell of a CSV file)."""
    return _nested(value, info, list, "a list")


def _mapping(value: Any, info: ValidationInfo) -> Any:
    return _nested(value, info, dict, "a mapping")


def _nested(value: Any, info: ValidationInfo, kind: type, expected: str) -> Any:
    if is_text_format(info) and isinstance(value, str):
        try:
            value = parse_json(value)
        except UnreadableError as error:
            raise wrong(f"{expected}, as JSON text in a cell") from error
    if not isinstance(value, kind):
        raise wrong(expected)
    return value


T = TypeVar("T")

Text = Annotated[str, BeforeValidator(_text)]
Remark = Annotated[str, BeforeValidator(_remark)]
Granted = Annotated[str, BeforeValidator(_granted)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Integer = Annotated[int, BeforeValidator(_bounded(-_MAX_INTEGER, _MAX_INTEGER, "an integer of at most 9 digits"))]
Count = Annotated[int, BeforeValidator(_bounded(0, _MAX_INTEGER, "an integer of 0 or more"))]
PositiveCount = Annotated[int, BeforeValidator(_bounded(1, _MAX_INTEGER, "an integer above 0"))]
Exponent = Annotated[int, BeforeValidator(_bounded(0, 12, "an integer from 0 to 12"))]
Units = Annotated[int, BeforeValidator(_bounded(0, 10**15 - 1, "an integer of 0 or more, at most 15 digits"))]
PositiveUnits = Annotated[int, BeforeValidator(_bounded(1, 10**15 - 1, "an integer above 0, at most 15 digits"))]
Cents = Annotated[int, BeforeValidator(_cents)]
SignedCents = Annotated[int, BeforeValidator(_bounded(1 - 10**15, 10**15 - 1, "an integer of cents"))]
Figure = Annotated[Decimal, BeforeValidator(_decimal(20, decimals=40, may_be_number=True, signed=True))]
Price = Annotated[Decimal, BeforeValidator(_decimal(9))]
TaxRate = Annotated[Decimal, BeforeValidator(_decimal(3))]
Quantity = Annotated[Decimal, BeforeValidator(_decimal(15))]
Credits = Annotated[Decimal, BeforeValidator(_credits)]
NumberOrQuantity = Annotated[Decimal, BeforeValidator(_decimal(15, may_be_number=True))]
Time = Annotated[datetime, BeforeValidator(_time)]
Since = Annotated[datetime, BeforeValidator(_since)]
AwareTime = Annotated[datetime, BeforeValidator(_aware)]
Date = Annotated[date, BeforeValidator(_date)]
Timezone = Annotated[str, BeforeValidator(_listed(timezones, 'a timezone such as "Europe/Paris"'))]
Currency = Annotated[str, BeforeValidator(_listed(currencies, 'an ISO 4217 currency such as "EUR"'))]
Country = Annotated[str, BeforeValidator(_listed(countries, 'an ISO 3166 country of two letters such as "FR"'))]
ListOf = Annotated[tuple[T, ...], BeforeValidator(_list)]
Object = Annotated[dict[str, Any], BeforeValidator(_mapping)]
MappingOf = Annotated[dict[Text, T], BeforeValidator(_mapping)]


class BookModel(BaseModel):
    """Base of a book's rows: unknown keys are refused, and null is the same as a missing key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    keys_with_null: ClassVar[frozenset[str]] = frozenset()
    """Keys at which null says something else than a missing key."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str) and is_text_format(info):
            value = _mapping(value, info)
        if not isinstance(value, dict):
            raise wrong("a mapping")
        kept = cls.keys_with_null
        known = known_keys(cls)
        return {key: item for key, item in value.items() if item is not None or key in kept or key not in known}


@cache
def known_keys(model: type[BaseModel]) -> dict[str, Any]:
    """The keys that a model knows, as written in a book, with their annotations."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def canonical_json(value: Any) -> str:
    """JSON text that is the same for equal values: keys sorted, one form for each decimal."""
    return _ENCODER.encode(value)


def _canonical(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(without_trailing_zeros(value), "f") if abs(value.adjusted()) < 99 else str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical form")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_canonical)
