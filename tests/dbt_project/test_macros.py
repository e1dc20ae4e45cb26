"""The macros against Python's own integers, fractions and JSON, on both engines, value and type."""

import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

from dagster_project.lib.warehouse import Session, Warehouse

MACROS = Path(__file__).resolve().parents[2] / "dbt_project" / "macros"
RANDOM = random.Random(20240229)
BIG = 10**37


class Adapter:
    """Stands in for dbt's adapter: dispatches to the engine's body of a macro, else to the default."""

    def __init__(self, engine: str, macros: dict[str, Any]) -> None:
        self.engine, self.macros = engine, macros

    def dispatch(self, name: str, _package: str) -> Any:
        return self.macros.get(f"{self.engine}__{name}") or self.macros[f"default__{name}"]


def load_macros(engine: str) -> dict[str, Any]:
    """The macros of macros/engine, macros/money, macros/pricing and macros/custom as plain Jinja functions."""
    environment = Environment(loader=FileSystemLoader(MACROS), extensions=["jinja2.ext.do"])
    macros: dict[str, Any] = {}
    sources = [
        re.sub(r"\{\{\s*return\((.*)\)\s*\}\}", r"{{ \1 }}", path.read_text())
        for folder in ("engine", "money", "pricing", "custom")
        for path in sorted((MACROS / folder).glob("*.sql"))
        if path.stem not in {"index_rounds", "insert_and_count", "refresh_statistics"}
    ]
    environment.globals["adapter"] = Adapter(engine, macros)
    template = environment.from_string("\n".join(sources))
    module = template.make_module(vars=macros)
    macros.update({name: getattr(module, name) for name in dir(module) if not name.startswith("_")})
    return macros


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Session]:
    with warehouse.connect() as session:
        yield session


@pytest.fixture
def macros(warehouse: Warehouse) -> dict[str, Any]:
    return load_macros(warehouse.kind)


def evaluated(
    session: Session, expression: str, rows: Sequence[tuple[str | None, ...]], types: tuple[str, ...]
) -> list[Any]:
    """The expression over rows of columns a, b, c, …, in order."""
    names = "abcdefgh"[: len(types)]
    session.execute("drop table if exists inputs")
    columns = ", ".join(f"{name} {type_}" for name, type_ in zip(names, types, strict=True))
    session.execute(f"create temporary table inputs (position bigint, {columns})")
    session.insert("inputs", ["position", *names], [(i, *row) for i, row in enumerate(rows)])
    return [value for (value,) in session.rows(f"select {expression} from inputs order by position")]


def scaled(value: Decimal, digits: int) -> int:
    """The decimal as a whole number of 10^-digits."""
    whole = Fraction(value) * 10**digits
    assert whole.denominator == 1
    return whole.numerator


def half_away(value: Fraction) -> int:
    whole = (abs(value) + Fraction(1, 2)).__floor__()
    return whole if value >= 0 else -whole


def integer_pairs() -> list[tuple[int, int]]:
    edges = [
        (0, 1), (1, 2), (-1, 2), (3, 2), (-3, 2), (5, 10), (-5, 10), (4, 10), (49, 100), (-50, 100),
        (BIG - 1, BIG), (BIG // 2, BIG), (BIG // 2 - 1, BIG), (-(BIG // 2), BIG), (BIG * 9, 7), (-(BIG * 9), 7),
    ]  # fmt: skip
    drawn = [
        (
            RANDOM.randint(-(10 ** RANDOM.randint(1, 38)) + 1, 10 ** RANDOM.randint(1, 38) - 1),
            RANDOM.randint(1, 10 ** RANDOM.randint(1, 37)),
        )
        for _ in range(1000)
    ]
    halves = [
        (d * (2 * k + 1), 2 * d)
        for d, k in ((RANDOM.randint(1, 10**9), RANDOM.randint(-(10**9), 10**9)) for _ in range(200))
    ]
    return edges + drawn + halves


@pytest.mark.parametrize(
    ("macro", "oracle"),
    [
        ("divide_half_away", half_away),
        ("divide_floor", lambda value: value.__floor__()),
        ("divide_ceiling", lambda value: value.__ceil__()),
        ("divide_integers", lambda value: value.__trunc__()),
    ],
)
def test_integer_division_is_exact_to_38_digits(
    session: Session, macros: dict[str, Any], macro: str, oracle: Any
) -> None:
    pairs = integer_pairs()
    wide = macros["wide_integer"]()
    got = evaluated(session, macros[macro]("a", "b"), [(str(n), str(d)) for n, d in pairs], (wide, wide))
    assert [int(value) for value in got] == [oracle(Fraction(n, d)) for n, d in pairs]


def test_powers_of_ten_are_exact(session: Session, macros: dict[str, Any]) -> None:
    got = evaluated(session, macros["power_of_ten"]("a"), [(str(n),) for n in range(38)], ("integer",))
    assert [int(value) for value in got] == [10**n for n in range(38)]


FIXED = 10**12


def fixed_numbers(digits: int, count: int) -> list[int]:
    largest = 10**digits - 1
    edges = [0, 1, -1, FIXED // 2, -(FIXED // 2), FIXED, largest, -largest]
    return edges + [
        RANDOM.randint(-(10 ** RANDOM.randint(1, digits)), 10 ** RANDOM.randint(1, digits)) for _ in range(count)
    ]


@pytest.mark.parametrize("macro", ["multiply_fixed", "divide_fixed"])
def test_fixed_numbers_are_multiplied_and_divided_exactly_or_not_at_all(
    session: Session, macros: dict[str, Any], macro: str
) -> None:
    """In units of 10^-12, rounded half away from zero; null beyond 20 digits before the point, or by zero."""
    pairs = [(a, b) for a in fixed_numbers(32, 0) for b in fixed_numbers(32, 0)]
    pairs += list(zip(fixed_numbers(32, 500), fixed_numbers(32, 500), strict=True))
    pairs += list(zip(fixed_numbers(20, 500), fixed_numbers(14, 500), strict=True))
    pairs += [(RANDOM.randint(-(10**15), 10**15) * FIXED, 2 * RANDOM.randint(1, 10**9) * FIXED) for _ in range(200)]
    wide = macros["wide_integer"]()
    got = evaluated(session, macros[macro]("a", "b"), [(str(a), str(b)) for a, b in pairs], (wide, wide))
    for (a, b), value in zip(pairs, got, strict=True):
        if macro == "divide_fixed" and b == 0:
            assert value is None
            continue
        exact = half_away(Fraction(a * b, FIXED) if macro == "multiply_fixed" else Fraction(a * FIXED, b))
        assert value is None or int(value) == exact
        assert (value is not None) == (abs(exact) < 10**32) or 10**32 // 2 < abs(exact) < 3 * 10**32, (a, b, value)


@pytest.mark.parametrize("digits", [1, 12, 15, 27])
def test_quantities_are_fixed_numbers_and_back(session: Session, macros: dict[str, Any], digits: int) -> None:
    numbers = [Decimal(n).scaleb(-12) for n in fixed_numbers(digits, 200)]
    rows = [(format(number, "f"),) for number in numbers]
    got = evaluated(session, macros["scaled_quantity"]("a"), rows, ("decimal(27,12)",))
    assert [int(value) for value in got] == [int(number * FIXED) for number in numbers]
    wide = macros["wide_integer"]()
    back = evaluated(session, macros["quantity_of_scaled"]("a"), [(str(int(value)),) for value in got], (wide,))
    assert back == numbers


def test_seconds_are_cut(session: Session, macros: dict[str, Any]) -> None:
    times = {"1970-01-01 00:00:00": 0, "2024-03-05 12:00:00.999999": 1709640000, "2199-12-31 23:59:59.5": 7258118399}
    got = evaluated(session, macros["epoch_seconds"]("a"), [(time,) for time in times], ("timestamp",))
    assert got == list(times.values())


def decimals(whole_digits: int, fraction_digits: int, count: int) -> list[Decimal]:
    largest = 10 ** (whole_digits + fraction_digits) - 1
    drawn = [
        RANDOM.randint(
            1 - (10 ** RANDOM.randint(0, whole_digits + fraction_digits)),
            10 ** RANDOM.randint(0, whole_digits + fraction_digits) - 1,
        )
        for _ in range(count)
    ]
    # from text: arithmetic on decimals would round to 28 digits
    return [Decimal(f"{whole}E-{fraction_digits}") for whole in (0, largest, -largest, 1, *drawn)]


def test_products_are_exact_or_null_and_never_an_error(session: Session, macros: dict[str, Any]) -> None:
    quantities, prices = decimals(15, 12, 400), [abs(price) for price in decimals(9, 12, 400)]
    rows = list(zip(quantities, prices, strict=True)) + [(q, p) for q in quantities[:4] for p in prices[:4]]
    got = evaluated(
        session,
        macros["multiply_exact"]("a", "b"),
        [(format(q, "f"), format(p, "f")) for q, p in rows],
        ("decimal(38,12)", "decimal(21,12)"),
    )
    for (quantity, price), value in zip(rows, got, strict=True):
        exact = Fraction(quantity) * Fraction(price)
        if abs(exact) < 10**12:
            assert value is not None
        if abs(exact) >= 2 * 10**13:
            assert value is None
        if value is not None:
            assert Fraction(value) == exact


@pytest.mark.parametrize("exponent", [0, 2, 3, 4])
def test_minor_units_are_rounded_once_halves_away_from_zero(
    session: Session, macros: dict[str, Any], exponent: int
) -> None:
    step = Decimal(1).scaleb(-exponent)
    halves = [step * Decimal(k) + step / 2 for k in (-3, -2, -1, 0, 1, 2, 1_000_000_007)]
    tiny = Decimal("0.000000000000000000000001")
    amounts = [
        *halves,
        *(half - tiny for half in halves),
        *(half + tiny for half in halves),
        *decimals(12, 24, 300),
    ]
    got = evaluated(
        session,
        macros["round_to_minor_units"]("a", "b"),
        [(format(amount, "f"), str(exponent)) for amount in amounts],
        ("decimal(38,24)", "integer"),
    )
    assert got == [half_away(Fraction(amount) * 10**exponent) for amount in amounts]
    assert all(isinstance(value, int) for value in got)
    precise = evaluated(
        session,
        macros["precise_minor_units"]("a", "b"),
        [(format(amount, "f"), str(exponent)) for amount in amounts],
        ("decimal(38,24)", "integer"),
    )
    assert [scaled(value, 15) for value in precise] == [
        half_away(Fraction(amount) * 10 ** (exponent + 15)) for amount in amounts
    ]


@pytest.mark.parametrize("function", ["round", "ceil", "floor"])
@pytest.mark.parametrize("precision", [None, -3, -1, 0, 1, 5, 11, 12, 15])
def test_units_are_rounded_by_the_metric(
    session: Session, macros: dict[str, Any], function: str, precision: int | None
) -> None:
    units = [
        Decimal(text)
        for text in (
            "0",
            "0.5",
            "-0.5",
            "2.5",
            "-2.5",
            "1.005",
            "149.999999999999",
            "-1500",
            "1500",
        )
    ]
    units += decimals(20, 12, 200)
    rows = [(format(u, "f"), function, None if precision is None else str(precision)) for u in units]
    got = evaluated(
        session,
        macros["round_units"]("a", "b", "c"),
        rows,
        ("decimal(38,12)", "varchar", "integer"),
    )
    step = Fraction(10) ** -min(precision or 0, 12)
    oracle = {"round": half_away, "ceil": lambda v: v.__ceil__(), "floor": lambda v: v.__floor__()}[function]
    assert [Fraction(value) for value in got] == [oracle(Fraction(u) / step) * step for u in units]


def test_quantities_are_read_by_their_text_alone(session: Session, macros: dict[str, Any]) -> None:
    texts = {
        "10": 10, "-3": -3, "0.5": Decimal("0.5"), "007": 7, "1.500000000000000": Decimal("1.5"),
        "999999999999999.999999999999": Decimal("999999999999999.999999999999"),
        "+5": None, "1e3": None, ".5": None, "5.": None, "": None, " 1": None, "one": None, "1,5": None, "NaN": None,
        "1000000000000000": None, "0.0000000000001": None, "--1": None, "1\n": None,
    }  # fmt: skip
    got = evaluated(session, macros["parse_quantity"]("a"), [(text,) for text in texts], ("varchar",))
    assert dict(zip(texts, got, strict=True)) == texts


def test_json_members_are_found_by_any_name(session: Session, macros: dict[str, Any]) -> None:
    names = [
        "n",
        "a/b",
        "a~b",
        "~1",
        'a"b',
        "a.b",
        "$x",
        "0",
        "it's",
        "{{ x }}",
        "a\\b",
        "é",
        "名",
        "",
        "a b",
        "%s",
    ]
    rows = [(json.dumps({"other": 1, name: f"v{i}"}), name) for i, name in enumerate(names)]
    rows += [
        (json.dumps({"n": None}), "n"),
        (json.dumps({"m": 1}), "n"),
        (json.dumps({"n": 1.5}), "n"),
    ]
    got = evaluated(session, macros["json_text"]("a", "b"), rows, ("varchar", "varchar"))
    assert got == [f"v{i}" for i in range(len(names))] + [None, None, "1.5"]


TEXTS = [
    "", "a", "it's", 'say "no"', "back\\slash", "a/b", "~", "é", "名", "\U0001f600", "tab\there", "line\nbreak", "\r",
    "\x01", "\x08", "\x0c", "\x1f", "\x7f", "\u2028", "<&>", "{{ x }}", "%s", "null", " ",
]  # fmt: skip


def test_texts_become_the_json_strings_that_python_reads(session: Session, macros: dict[str, Any]) -> None:
    got = evaluated(session, macros["json_string"]("a"), [(text,) for text in [*TEXTS, None]], ("varchar",))
    assert [json.loads(value) for value in got[:-1]] == TEXTS
    assert got[-1] is None


def test_json_strings_are_the_same_bytes_on_every_engine(session: Session, macros: dict[str, Any]) -> None:
    """Group values are part of keys: RFC 8259's short escapes, lower-case \\u for other control characters, no more."""
    got = evaluated(session, macros["json_string"]("a"), [(text,) for text in TEXTS], ("varchar",))
    assert got == [json.dumps(text, ensure_ascii=False) for text in TEXTS]


def test_json_members_are_picked_in_the_order_of_their_names(session: Session, macros: dict[str, Any]) -> None:
    names = ["b", "a/b", "a~b", "it's", "", "missing", "nothing"]
    objects: list[dict[str, Any]] = [
        {"b": "1", "a/b": 'x"y', "a~b": "p,q", "it's": "", "": "empty name", "nothing": None, "more": 1},
        {"b": 2.5, "a/b": True, "a~b": "名", "it's": "]"},
        {},
    ]
    texts = [f"cast('{name.replace(chr(39), chr(39) * 2)}' as varchar)" for name in names]
    paths = f"array[{', '.join(macros['json_path'](text) for text in texts)}]"
    for position, name in enumerate(names, start=1):
        picked = macros["json_pick"]("a", paths)
        got = evaluated(
            session, macros["json_element"](picked, str(position)), [(json.dumps(o),) for o in objects], ("varchar",)
        )
        plain = evaluated(
            session, macros["json_text"]("a", "b"), [(json.dumps(o), name) for o in objects], ("varchar", "varchar")
        )
        assert got == plain
        assert got[0] == (objects[0].get(name) if objects[0].get(name) is not None else None)


def test_natural_order_counts_runs_of_digits_as_numbers(session: Session, macros: dict[str, Any]) -> None:
    ordered = [
        "0", "1", "2", "10", "99", "100", "10000000000000000000000000000000", "1a", "1b", "T1", "a", "a-2", "a-10",
        "a1", "a1b2", "a1b10", "a2", "a2b1", "a10", "t2", "t10", "é1", "名2",
    ]  # fmt: skip
    got = evaluated(session, macros["natural_order"]("a"), [(text,) for text in ordered], ("varchar",))
    keys = [value.encode() for value in got]
    # whatever stands between them, the numbers decide where only the numbers differ
    for smaller, larger in [
        ("2", "10"), ("99", "100"), ("a-2", "a-10"), ("a1b2", "a1b10"), ("a2", "a10"), ("t2", "t10"), ("a1b10", "a2b1"),
        ("100", "10000000000000000000000000000000"), ("T1", "a"), ("1a", "1b"), ("a", "a1"),
    ]:  # fmt: skip
        assert keys[ordered.index(smaller)] < keys[ordered.index(larger)]
    numbers = [RANDOM.randint(0, 10 ** RANDOM.randint(1, 40)) for _ in range(200)]
    got = evaluated(session, macros["natural_order"]("a"), [(f"evt_{n}_x",) for n in numbers], ("varchar",))
    assert [n for _, n in sorted(zip([v.encode() for v in got], numbers, strict=True))] == sorted(numbers)
    database = session.rows(
        f"select a from inputs order by {macros['binary_order'](macros['natural_order']('a'))}, position"
    )
    assert [int(text[4:-2]) for (text,) in database] == sorted(numbers)
    same = evaluated(session, macros["natural_order"]("a"), [("t007",), ("t7",), ("t0",), ("t00",)], ("varchar",))
    assert (same[0], same[2]) == (same[1], same[3])


def test_the_last_value_is_that_of_the_greatest_keys(session: Session, macros: dict[str, Any]) -> None:
    rows = "(values ('x', 1, 5), ('x', 2, 7), ('x', 2, 6), ('x', 3, null), ('y', 1, null)) as rows (name, first_key, value)"
    last = macros["last_by"]("value", ["first_key", "value"], "value is not null")
    got = session.rows(f"select name, {last} from {rows} group by name order by name")
    assert got == [("x", 7), ("y", None)]


def test_microseconds_between_instants_are_whole_numbers(session: Session, macros: dict[str, Any]) -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    next_day = start.replace(year=2024, month=3, day=1)
    tick = timedelta(microseconds=1)
    drawn = [start + timedelta(microseconds=RANDOM.randint(0, 4 * 10**15)) for _ in range(300)]
    pairs = [
        *zip(drawn, reversed(drawn), strict=True),
        (next_day - tick, next_day),
        (next_day, next_day - tick),
        (start.replace(year=1900), start.replace(year=9999)),
        (start, start),
    ]
    got = evaluated(
        session,
        macros["microseconds_between"]("a", "b"),
        [(str(a), str(b)) for a, b in pairs],
        ("timestamp", "timestamp"),
    )
    assert got == [(b - a) // timedelta(microseconds=1) for a, b in pairs]
    assert all(isinstance(value, int) for value in got)


def test_scaled_quantities_go_there_and_back(session: Session, macros: dict[str, Any]) -> None:
    quantities = decimals(26, 12, 400)
    rows = [(format(quantity, "f"),) for quantity in quantities]
    got = evaluated(session, macros["scaled_quantity"]("a"), rows, ("decimal(38,12)",))
    assert [int(value) for value in got] == [scaled(quantity, 12) for quantity in quantities]
    back = evaluated(session, macros["quantity_of_scaled"](macros["scaled_quantity"]("a")), rows, ("decimal(38,12)",))
    assert back == quantities


def test_prorated_units_are_rounded_up_once_to_five_decimals(session: Session, macros: dict[str, Any]) -> None:
    pairs = [(q, RANDOM.randint(1, 366)) for q in decimals(20, 12, 400)]
    # 3 units for 20 of 30 days are 2 exactly, and a tenth of a millionth above 2 is 2.00001
    pairs += [(Decimal(60), 30), (Decimal("60.000000000001"), 30), (Decimal(-1), 3), (Decimal(1), 3), (Decimal(0), 31)]
    got = evaluated(
        session, macros["prorate_units"]("a", "b"), [(format(q, "f"), str(d)) for q, d in pairs],
        ("decimal(38,12)", "bigint"),
    )  # fmt: skip
    assert [Fraction(value) for value in got] == [
        Fraction((Fraction(q) / d * 10**5).__ceil__(), 10**5) for q, d in pairs
    ]
    assert got[-5:] == [Decimal(2), Decimal("2.00001"), Decimal("-0.33333"), Decimal("0.33334"), Decimal(0)]


def test_percentages_are_exact_or_null_and_never_an_error(session: Session, macros: dict[str, Any]) -> None:
    quantities, rates = decimals(15, 12, 400), [abs(rate) for rate in decimals(9, 12, 400)]
    rows = list(zip(quantities, rates, strict=True)) + [(q, r) for q in quantities[:4] for r in rates[:4]]
    got = evaluated(
        session, macros["multiply_percent"]("a", "b"), [(format(q, "f"), format(r, "f")) for q, r in rows],
        ("decimal(38,12)", "decimal(21,12)"),
    )  # fmt: skip
    for (quantity, rate), value in zip(rows, got, strict=True):
        exact = Fraction(quantity) * Fraction(rate) / 100
        if abs(exact) < 10**10:
            assert value is not None
        if abs(exact) >= 2 * 10**11:
            assert value is None
        if value is not None:
            assert Fraction(value) == exact


def test_amounts_are_cut_towards_zero_at_24_decimals(session: Session, macros: dict[str, Any]) -> None:
    below = ["0.00000000000000000000000099", "-0.00000000000000000000000199"]
    amounts = [*decimals(12, 26, 300), *map(Decimal, below)]
    got = evaluated(session, macros["cut_amount"]("a"), [(format(a, "f"),) for a in amounts], ("decimal(38,26)",))
    assert [Fraction(value) for value in got] == [Fraction((Fraction(a) * 10**24).__trunc__(), 10**24) for a in amounts]


def test_the_rest_of_a_quantity_is_priced_to_24_decimals(session: Session, macros: dict[str, Any]) -> None:
    rests = [0, 1, 10**8 - 1, *(RANDOM.randint(0, 10**8 - 1) for _ in range(200))]
    rows = [(rest, abs(price)) for rest, price in zip(rests, decimals(9, 12, len(rests) - 4), strict=True)]
    got = evaluated(
        session, macros["price_units_rest"]("a", "b"), [(str(r), format(p, "f")) for r, p in rows],
        ("bigint", "decimal(21,12)"),
    )  # fmt: skip
    # the rest counts units of 10^-20
    assert [scaled(value, 24) for value in got] == [
        (Fraction(rest, 10**20) * Fraction(price) * 10**24).__trunc__() for rest, price in rows
    ]


def test_a_package_is_billed_with_its_first_unit(session: Session, macros: dict[str, Any]) -> None:
    rows = [
        (Decimal(units), rest, free, size)
        for units, rest, free, size in [
            ("0", 0, 0, 10), ("0", 1, 0, 10), ("10", 0, 0, 10), ("10", 1, 0, 10), ("10.000000000001", 0, 0, 10),
            ("99", 0, 100, 10), ("100", 0, 100, 10), ("100", 1, 100, 10), ("101", 0, 100, 10), ("110", 0, 100, 10),
            ("111", 0, 100, 10), ("-5", 0, 0, 10), ("0.5", 0, 0, 1), ("999999999999999.999999999999", 0, 0, 1),
            ("999999999999999.999999999999", 99999999, 10**9, 10**9),
        ]
    ]  # fmt: skip
    rows += [
        (units, RANDOM.choice([0, RANDOM.randint(1, 10**8 - 1)]), RANDOM.randint(0, 10**9), RANDOM.randint(1, 10**9))
        for units in decimals(15, 12, 300)
    ]
    got = evaluated(
        session, macros["packages_begun"]("a", "b", "c", "d"),
        [(format(u, "f"), str(r), str(f), str(s)) for u, r, f, s in rows],
        ("decimal(38,12)", "bigint", "bigint", "bigint"),
    )  # fmt: skip
    assert got == [
        max(0, ((Fraction(units) + Fraction(rest, 10**20) - free) / size).__ceil__())
        for units, rest, free, size in rows
    ]


def test_a_percentage_charges_units_and_events_above_the_free_ones(session: Session, macros: dict[str, Any]) -> None:
    """No fixed amount at zero units; exact, cut once at the 24th decimal, null when it is too large."""
    largest = Decimal("999999999.999999999999")
    rows = [
        # units, rest, free units, rate, events, free events, fixed amount
        (Decimal(100), 0, Decimal(0), Decimal("1.5"), 3, 0, Decimal("0.3")),
        (Decimal(100), 0, Decimal(40), Decimal("1.5"), 3, 2, Decimal("0.3")),
        (Decimal(100), 0, Decimal(140), Decimal("1.5"), 3, 3, Decimal("0.3")),
        (Decimal(100), 0, Decimal(0), Decimal("1.5"), 3, 5, Decimal("0.3")),
        (Decimal(0), 0, Decimal(0), Decimal("1.5"), 3, 0, Decimal("0.3")),
        (Decimal(0), 1, Decimal(0), Decimal("1.5"), 3, 0, Decimal("0.3")),
        (Decimal(1), 7, Decimal(1), Decimal("50"), 1, 1, Decimal(0)),
        (Decimal("999999999999999.999999999999"), 0, Decimal(0), largest, 1, 0, Decimal(0)),
        (Decimal(1), 0, Decimal(0), largest, 5000, 0, largest),
        (Decimal(1), 0, Decimal(0), Decimal(0), 10**12, 0, largest),
        (Decimal(9999), 0, Decimal(0), largest, 9999, 0, largest),
    ]
    drawn = zip(decimals(11, 12, 200), decimals(2, 12, 200), decimals(2, 12, 200), strict=True)
    rows += [
        (abs(units), RANDOM.randint(0, 10**8 - 1), abs(units) / 2 // 1, abs(rate), RANDOM.randint(0, 9), 3, abs(fixed))
        for units, rate, fixed in drawn
    ]
    got = evaluated(
        session, macros["price_percentage"]("a", "b", "c", "d", "e", "f", "g"),
        [(format(u, "f"), str(x), format(f, "f"), format(r, "f"), str(e), str(n), format(p, "f"))
         for u, x, f, r, e, n, p in rows],
        ("decimal(38,12)", "bigint", "decimal(38,12)", "decimal(21,12)", "bigint", "bigint", "decimal(22,12)"),
    )  # fmt: skip
    for (units, rest, free, rate, events, free_events, fixed), value in zip(rows, got, strict=True):
        exact = max(Fraction(0), Fraction(units) - Fraction(free)) * Fraction(rate) / 100
        if units >= free:
            exact += Fraction((Fraction(rest, 10**20) * Fraction(rate) * 10**24).__trunc__(), 10**26)
        if not (units == 0 and rest == 0) and free_events < events:
            exact += (events - free_events) * Fraction(fixed)
        if exact < 10**12:
            assert value is not None
        if exact >= 4 * 10**13:
            assert value is None
        if value is not None:
            assert Fraction(value) == Fraction((exact * 10**24).__trunc__(), 10**24)


def test_a_limited_event_is_raised_to_the_minimum_and_cut_to_the_maximum(
    session: Session, macros: dict[str, Any]
) -> None:
    """What is too large to be priced has no amount, instead of the minimum."""
    huge = Decimal("999999999999999.999999999999")
    rows: list[tuple[Decimal, Decimal, Decimal, Decimal | None, Decimal | None]] = [
        (Decimal(value), Decimal(rate), Decimal(fixed), low, high)
        for value, rate, fixed in [("100", "1", "0.5"), ("0", "1", "0.5"), ("0", "0", "0"), ("-100", "1", "0")]
        for low in (None, Decimal("1.2"), Decimal(0))
        for high in (None, Decimal("1.3"), Decimal("1.2"))
    ]
    too_large = [
        (huge, Decimal(100), Decimal(0), Decimal(1), None),
        (huge, Decimal(100), Decimal(0), None, None),
        (huge, Decimal(100), Decimal(0), Decimal(1), Decimal(2)),
    ]
    got = evaluated(
        session, macros["price_limited_event"]("a", "b", "c", "d", "e"),
        [tuple(None if v is None else format(v, "f") for v in row) for row in rows + too_large],
        ("decimal(38,12)", "decimal(21,12)", "decimal(22,12)", "decimal(21,12)", "decimal(21,12)"),
    )  # fmt: skip
    oracle = []
    for value, rate, fixed, low, high in rows:
        amount = Fraction(value) * Fraction(rate) / 100 + Fraction(fixed)
        amount = amount if low is None else max(amount, Fraction(low))
        oracle.append(amount if high is None else min(amount, Fraction(high)))
    assert [Fraction(value) for value in got[: len(rows)]] == oracle
    assert got[len(rows) :] == [None, None, None]


@pytest.mark.parametrize("exponent", [0, 2, 3, 4])
def test_minor_units_become_the_major_unit_or_null(session: Session, macros: dict[str, Any], exponent: int) -> None:
    amounts = [
        *decimals(12, 12, 200),
        Decimal("999999999999999.999999999999"),
        Decimal("-999999999999999.999999999999"),
        Decimal("99999999999999999999999999.999999999999"),
    ]
    got = evaluated(
        session, macros["major_units"]("a", "b"), [(format(a, "f"), str(exponent)) for a in amounts],
        ("decimal(38,12)", "integer"),
    )  # fmt: skip
    for amount, value in zip(amounts, got, strict=True):
        exact = Fraction(amount) / 10**exponent
        if abs(exact) <= 10**13:
            assert value is not None
        if abs(exact) >= 10**14:
            assert value is None
        if value is not None:
            assert Fraction(value) == exact


def test_custom_units_are_rounded_before_and_after_conversion(session: Session, macros: dict[str, Any]) -> None:
    """To the unit's decimals first, then times the rate; a charge in the currency stays as it is."""
    rows: list[tuple[Decimal, str | None, int | None, Decimal | None]] = [
        (Decimal("1.005"), None, None, None),
        (Decimal("2.5"), "credits", 0, Decimal("0.1")),
        (Decimal("-2.5"), "credits", 0, Decimal("0.1")),
        (Decimal("1.005"), "credits", 2, Decimal(3)),
        (Decimal("1.0049"), "credits", 2, Decimal(3)),
        (Decimal("0.0000000000005"), "credits", 12, Decimal(1)),
        (Decimal("9999999999999.5"), "credits", 0, Decimal("999999999.999999999999")),
    ]
    drawn = zip(decimals(9, 24, 200), decimals(3, 12, 200), strict=True)
    rows += [(amount, "credits", RANDOM.randint(0, 12), abs(rate)) for amount, rate in drawn]
    got = evaluated(
        session, macros["converted_amount"]("a", "b", "c", "d"),
        [(format(a, "f"), c, None if e is None else str(e), None if r is None else format(r, "f"))
         for a, c, e, r in rows],
        ("decimal(38,24)", "varchar", "integer", "decimal(21,12)"),
    )  # fmt: skip
    for (amount, code, exponent, rate), value in zip(rows, got, strict=True):
        if code is None or exponent is None or rate is None:
            assert Fraction(value) == Fraction(amount)
            continue
        exact = Fraction(half_away(Fraction(amount) * 10**exponent), 10**exponent) * Fraction(rate)
        if abs(exact) < 10**12:
            assert value is not None
        if value is not None:
            assert Fraction(value) == exact
    # 2.5 credits are 3, -2.5 are -3; 1.005 to two decimals is 1.01, hence 3.03
    assert got[1:4] == [Decimal("0.3"), Decimal("-0.3"), Decimal("3.03")]
    assert got[6] is None


def test_sha256_of_a_text_is_that_of_its_utf8_bytes(session: Session, macros: dict[str, Any]) -> None:
    got = evaluated(session, macros["sha256_text"]("a"), [(text,) for text in [*TEXTS, "", None]], ("varchar",))
    assert got == [*(hashlib.sha256(text.encode()).hexdigest() for text in [*TEXTS, ""]), None]
