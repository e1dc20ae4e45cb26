"""A metric's expression as set-based SQL (DuckDB), in exact fractions: names and literals are parameters.

Every step of the expression is a column of its own, so that the text grows with the expression and not with its
depth. A fraction is a struct of two whole numbers, lowest terms, the denominator above 0. A step that fails for a row,
or whose exact result has more than 38 digits, is null for that row, and so is the result: `evaluate` decides then.
"""

from dataclasses import dataclass, field

from dagster_project.lib.expressions._formula import (
    ROUNDINGS,
    Code,
    Formula,
    Node,
    Number,
    Operation,
    Property,
    Text,
    Timestamp,
    is_text,
)

# One step each; the arguments are columns or parameters. What can overflow is directly below a try of its own: of two
# equal parts the engine makes one, which it takes out of whatever is around them.
MACROS = (
    "create or replace temp macro formula_times(a, b) as try(a * b)",
    """create or replace temp macro formula_fraction(a) as
        struct_pack(n := try(a.n // gcd(a.n, a.d)), d := try(a.d // gcd(a.n, a.d)))""",
    """create or replace temp macro formula_number(written) as
        case when regexp_full_match(written, '-?0*[0-9]{1,15}(?:[.][0-9]{1,12}0*)?') then struct_pack(
            n := try_cast(replace(written, '.', '') as hugeint),
            d := try_cast(
                '1' || repeat('0', case when contains(written, '.') then length(split_part(written, '.', 2)) else 0 end)
                as hugeint
            )
        ) end""",
    """create or replace temp macro formula_add(a, b) as struct_pack(
        n := try(formula_times(a.n, b.d // gcd(a.d, b.d)) + formula_times(b.n, a.d // gcd(a.d, b.d))),
        d := formula_times(a.d, b.d // gcd(a.d, b.d))
    )""",
    """create or replace temp macro formula_subtract(a, b) as struct_pack(
        n := try(formula_times(a.n, b.d // gcd(a.d, b.d)) - formula_times(b.n, a.d // gcd(a.d, b.d))),
        d := formula_times(a.d, b.d // gcd(a.d, b.d))
    )""",
    """create or replace temp macro formula_multiply(a, b) as struct_pack(
        n := formula_times(a.n // gcd(a.n, b.d), b.n // gcd(b.n, a.d)),
        d := formula_times(a.d // gcd(b.n, a.d), b.d // gcd(a.n, b.d))
    )""",
    # the reciprocal, null of zero
    """create or replace temp macro formula_inverse(a) as
        struct_pack(n := a.d * sign(a.n), d := case when a.n <> 0 then abs(a.n) end)""",
    "create or replace temp macro formula_negate(a) as struct_pack(n := -a.n, d := a.d)",
    """create or replace temp macro formula_scaled(a, up, down) as
        struct_pack(n := formula_times(a.n, up), d := formula_times(a.d, down))""",
    """create or replace temp macro formula_round(a) as
        sign(a.n) * (abs(a.n) // a.d + case when abs(a.n) % a.d >= a.d - abs(a.n) % a.d then 1 else 0 end)""",
    """create or replace temp macro formula_floor(a) as
        a.n // a.d - case when a.n < 0 and a.n % a.d <> 0 then 1 else 0 end""",
    """create or replace temp macro formula_ceil(a) as
        a.n // a.d + case when a.n > 0 and a.n % a.d <> 0 then 1 else 0 end""",
    """create or replace temp macro formula_text(m) as
        case when abs(m) < 1000000000000000000000000000::hugeint then
            case when m < 0 then '-' else '' end || (abs(m) // 1000000000000::hugeint)::varchar
            || rtrim('.' || rtrim(lpad((abs(m) % 1000000000000::hugeint)::varchar, 12, '0'), '0'), '.')
        end""",
)
_TRILLION = 10**12


@dataclass(slots=True)
class FormulaSql:
    """The steps of a formula: `select` gives them over rows that have the columns that `reads` names."""

    formula: Formula
    parameters: dict[str, str | int] = field(default_factory=dict)
    _levels: list[list[str]] = field(default_factory=list)
    _readings: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def readings(self, properties: str) -> str:
        """The SQL of the columns of the properties' texts, from an SQL expression of the JSON object."""
        return "".join(
            f", json_extract_string({properties}, ${name}) as {name}" for name in self._readings_by_name().values()
        )

    def reading_parameters(self) -> dict[str, str]:
        """The parameters of `readings`: the properties' JSON pointers, as values."""
        return {column: _pointer(name) for name, column in self._readings_by_name().items()}

    def select(self, rows: str, kept: str) -> str:
        """The SQL of `kept` columns and `result`; `rows` is SQL with those, code, seconds and the readings."""
        result = self._text(self.formula.root)[0]
        sql = rows
        for columns in self._levels:
            sql = f"select *, {', '.join(columns)} from ({sql})"
        return f"select {kept}, {result} as result from ({sql})"

    def _readings_by_name(self) -> dict[str, str]:
        if not self._readings:
            self._readings = {name: f"reading_{i}" for i, name in enumerate(self.formula.properties())}
        return self._readings

    def _step(self, sql: str, level: int) -> tuple[str, int]:
        """A column of its own, at the level after those that it is made of."""
        while len(self._levels) <= level:
            self._levels.append([])
        self._count += 1
        name = f"step_{self._count}"
        self._levels[level].append(f"{sql} as {name}")
        return name, level + 1

    def _reduced(self, sql: str, level: int) -> tuple[str, int]:
        """A fraction in lowest terms."""
        pair, level = self._step(sql, level)
        return self._step(f"formula_fraction({pair})", level)

    def _parameter(self, value: str | int) -> str:
        name = f"value_{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}::{'varchar' if isinstance(value, str) else 'hugeint'}"

    def _number(self, node: Node) -> tuple[str, int]:
        if isinstance(node, Number):
            numerator, denominator = node.value.as_integer_ratio()
            return self._step(f"struct_pack(n := {self._parameter(numerator)}, d := {self._parameter(denominator)})", 0)
        if isinstance(node, Timestamp):
            return self._step("struct_pack(n := seconds::hugeint, d := 1::hugeint)", 0)
        if isinstance(node, Property):
            return self._reduced(f"formula_number({self._readings_by_name()[node.name]})", 0)
        if not isinstance(node, Operation) or is_text(node):
            raise TypeError(node)
        operands = [self._number(operand) for operand in node.operands]
        level = max(place for _, place in operands)
        names = ", ".join(name for name, _ in operands)
        if node.name == "negate":
            return self._step(f"formula_negate({names})", level)
        if node.name == "divide":
            inverse, _ = self._step(f"formula_inverse({operands[1][0]})", level)
            return self._reduced(f"formula_multiply({operands[0][0]}, {inverse})", level + 1)
        if node.name not in ROUNDINGS:
            return self._reduced(f"formula_{node.name}({names})", level)
        up, down = self._parameter(10 ** max(node.places, 0)), self._parameter(10 ** max(-node.places, 0))
        scaled, level = self._step(f"formula_scaled({names}, {up}, {down})", level)
        whole, level = self._step(f"formula_{node.name}({scaled})", level)
        return self._reduced(f"struct_pack(n := formula_times({whole}, {down}), d := {up})", level)

    def _text(self, node: Node) -> tuple[str, int]:
        if isinstance(node, Text):
            return self._step(self._parameter(node.value), 0)
        if isinstance(node, Code):
            return self._step("code", 0)
        if isinstance(node, Property):
            return self._readings_by_name()[node.name], 0
        if isinstance(node, Operation) and node.name == "concat":
            operands = [self._text(operand) for operand in node.operands]
            return self._step(" || ".join(name for name, _ in operands), max(level for _, level in operands))
        number, level = self._number(node)
        scaled, level = self._step(f"formula_scaled({number}, {_TRILLION}::hugeint, 1::hugeint)", level)
        whole, level = self._step(f"formula_round({scaled})", level)
        return self._step(f"formula_text({whole})", level)


def _pointer(name: str) -> str:
    """A JSON pointer to a member of an object."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
