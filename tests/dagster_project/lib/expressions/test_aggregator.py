"""The closed part of SQL that custom metrics may use: what is refused and where, and the steps that it becomes."""

import pytest

from dagster_project.lib.expressions import ExpressionError, check_aggregate, parse_aggregator


@pytest.mark.parametrize(
    "text",
    [
        "sum(value)",
        "SUM(value) + Count(*)",
        "count(distinct property('user id'))",
        "max(timestamp) - min(timestamp)",
        "avg(value)",
        "count(*) filter (where property('kind') = 'gpu' and not (value > 3 or value is null))",
        "sum(case when property('k') in ('a', 'b') then value when value between 1 and 2 then 0 end)",
        "sum(case property('k') when 'a' then 1 else 2 end)",
        "coalesce(sum(property('n') * 2), 0) / nullif(count(*), 0)",
        "round(greatest(sum(value), 10, 2) - least(max(value), 3), 2)",
        "count(distinct property('a') || '-' || property('b'))",
        "sum(cast(property('n') as decimal))",
        "ceil(sum(value), -2) + floor(-abs(min(value)))",
        "case when sum(value) > 100 then 100 else sum(value) end",
    ],
)
def test_what_is_allowed(text: str) -> None:
    check_aggregate(text)


@pytest.mark.parametrize(
    ("text", "why", "position"),
    [
        # nothing but the events of the bucket
        ("(select max(amount) from invoices)", "select is not known", 2),
        ("sum(value) from customers", "an operator or the end expected, not from", 12),
        ("sum(value) over (order by timestamp)", "an operator or the end expected, not over", 12),
        ("sum(select)", "select is not known", 5),
        ("sum(customers.balance)", "customers is not known", 5),
        ("sum(quantity)", r"quantity is not known: only value, timestamp and property\('name'\) are", 5),
        ("exists (select 1)", "exists is not one of the functions", 1),
        ("sum(value) in (select 1)", "select is not known", 16),
        # no function with effects, none that an engine has for itself
        ("pg_sleep(10)", "pg_sleep is not one of the functions sum, count", 1),
        ("sum(random())", "random is not one of the functions", 5),
        ("sum(getvariable('x'))", "getvariable is not one of the functions", 5),
        ("count(read_csv('/etc/passwd'))", "read_csv is not one of the functions", 7),
        ("string_agg(property('a'), ',')", "string_agg is not one of the functions", 1),
        ("sum(value); drop table raw.usage_events", "; is no part of an expression", 11),
        ("sum(value) -- all", "no comments", 12),
        ("sum(value) /* all */", "no comments", 12),
        ("sum(value::double)", ": is no part of an expression", 10),
        ("sum(cast(value as double))", "decimal expected, not double", 19),
        ('sum("value")', "texts are in single quotes", 5),
        ("sum(value) % 2", "% is no part of an expression", 12),
        # aggregates where they belong
        ("value", "value stands inside of an aggregate", 1),
        ("sum(value) + property('a')", "property stands inside of an aggregate", 14),
        ("sum(max(value))", "max stands inside of another aggregate", 5),
        ("1 + 2", "an aggregate expected", 1),
        ("sum(distinct value)", "distinct is for count only", 1),
        ("sum(*)", r"a number, a text, a reading or a function expected, not \*", 5),
        # kinds
        ("sum(value > 1)", "a number expected, not a condition", 11),
        ("sum('1')", "a number expected, not a text", 5),
        ("max(property('a') || 'x')", "a number expected, not a text", 19),
        ("count(*) filter (where value)", "a condition expected, not a number", 24),
        ("sum(case when value then 1 end)", "a condition expected, not a number", 15),
        ("sum(value) = 1", "a number expected, not a condition", 12),
        ("sum(case when value = 1 then 'a' else 2 end)", "a number expected, not a text", 30),
        ("count(property('a') < 'b')", "a number expected, not a text", 23),
        ("count((value = 1) = (value = 2))", "a condition cannot be compared", 19),
        ("count(property(value))", "the name of a property in single quotes expected", 16),
        ("round(sum(value), max(value))", "whole number from -15 to 12", 19),
        ("round(sum(value), 1, 2)", "round has 1 to 2 arguments, not 3", 1),
        ("nullif(sum(value))", "nullif has 2 arguments, not 1", 1),
        # shape
        ("", "a number, a text, a reading or a function expected, not the end", 1),
        ("sum(value", r"\) expected after what sum is of", 10),
        ("sum value", r"\( expected after sum", 5),
        ("case end", "case is no|end is not known", 6),
        ("sum(value) not 3", "in or between expected after not", 16),
        ("sum(case when value = 1 then 2)", "end expected after the last branch of case", 31),
        ("sum(" * 60 + "value", "sum stands inside of another aggregate", 5),
        ("(" * 60 + "sum(value)", "at most 50 levels", 52),
        ("sum(value)" + " + 1" * 101, "at most 100 operations", 408),
    ],
)
def test_what_is_refused_and_where(text: str, why: str, position: int) -> None:
    with pytest.raises(ExpressionError, match=why) as caught:
        check_aggregate(text)
    assert caught.value.position == position


def test_an_expression_becomes_steps_and_its_texts_values() -> None:
    programs = parse_aggregator(
        "sum(value) / count(*)", "sum(value) * 2 + count(*) filter (where property('x''; --') = '1')"
    )
    assert [(p.kind, p.slot, p.first_step) for p in programs] == [
        ("argument", 1, 3),  # sum(value), which both share
        ("argument", 2, 3),  # count(*)
        ("argument", 3, 3),  # count(*) filter
        ("units", 0, 4),
        ("amount", 0, 4),
    ]
    steps = [[(s.operation, s.operands) for s in p.steps] for p in programs]
    assert steps[0] == [("sum", (1,))]
    assert steps[3] == [("divide", (1, 2)), ("result", (4,))]
    assert [s.text for s in programs[2].steps if s.text is not None] == ["x'; --", "1"]
    every = {step.operation for program in programs for step in program.steps}
    assert all(operation.replace("_", "").isalpha() for operation in every)
