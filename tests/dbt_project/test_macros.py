"""The money macros against Python's own integers and fractions, on both engines, value and type."""

import random
import re
from collections.abc import Iterator
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
    """The macros of macros/money, macros/engine and macros/custom as plain Jinja functions."""
    environment = Environment(loader=FileSystemLoader(MACROS), extensions=["jinja2.ext.do"])
    macros: dict[str, Any] = {}
    sources = [
        re.sub(r"\{\{\s*return\((.*)\)\s*\}\}", r"{{ \1 }}", path.read_text())
        for folder in ("engine", "money", "custom")
        for path in sorted((MACROS / folder).glob("*.sql"))
        if path.stem not in {"insert_and_count", "refresh_statistics"}
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


def evaluated(session: Session, expression: str, rows: list[tuple[str, ...]], types: tuple[str, ...]) -> list[Any]:
    """The expression over rows of columns a, b, c, …, in order."""
    names = "abcdef"[: len(types)]
    session.execute("drop table if exists inputs")
    columns = ", ".join(f"{name} {type_}" for name, type_ in zip(names, types, strict=True))
    session.execute(f"create temporary table inputs (position bigint, {columns})")
    session.insert("inputs", ["position", *names], [(i, *row) for i, row in enumerate(rows)])
    return [value for (value,) in session.rows(f"select {expression} from inputs order by position")]


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
    got = evaluated(session, macros["to_fixed"]("a"), rows, ("decimal(27,12)",))
    assert [int(value) for value in got] == [int(number * FIXED) for number in numbers]
    wide = macros["wide_integer"]()
    back = evaluated(session, macros["from_fixed"]("a"), [(str(int(value)),) for value in got], (wide,))
    assert back == numbers


def test_seconds_are_cut(session: Session, macros: dict[str, Any]) -> None:
    times = {"1970-01-01 00:00:00": 0, "2024-03-05 12:00:00.999999": 1709640000, "2199-12-31 23:59:59.5": 7258118399}
    got = evaluated(session, macros["epoch_seconds"]("a"), [(time,) for time in times], ("timestamp",))
    assert got == list(times.values())


def decimals(whole_digits: int, fraction_digits: int, count: int) -> list[Decimal]:
    drawn = [
        Decimal(
            RANDOM.randint(
                -(10 ** RANDOM.randint(0, whole_digits + fraction_digits)),
                10 ** RANDOM.randint(0, whole_digits + fraction_digits) - 1,
            )
        ).scaleb(-fraction_digits)
        for _ in range(count)
    ]
    largest = Decimal(10 ** (whole_digits + fraction_digits) - 1).scaleb(-fraction_digits)
    return [Decimal(0), largest, -largest, Decimal(1).scaleb(-fraction_digits), *drawn]


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
    assert [int(value.scaleb(15)) for value in precise] == [
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
    )  # type: ignore[arg-type]
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
    import json

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
