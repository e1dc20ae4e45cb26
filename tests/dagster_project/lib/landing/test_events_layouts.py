"""What is taken out of properties at landing: by which layout, with which values, and that it is the same on every engine."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from dagster_project.lib.warehouse import DuckDBWarehouse
from tests.dagster_project.lib.landing.landings import Lander, line

ALWAYS = "0001-01-01 00:00:00"
TAKEN = "transaction_id, layout_id, quantity, item, is_remove, facets"
LAYOUT = "layout_id, event_code, measured_field, facet_keys, is_measured, is_counted, batch_id"


def insert(lander: Lander, table: str, **values: Any) -> None:
    row = {"organization_id": "acme", "batch_id": 1} | values
    with lander.warehouse.connect() as session:
        session.insert(f"{session.schema('raw')}.{table}", list(row), [tuple(row.values())])


def metric(lander: Lander, code: str, aggregation_type: str, field_name: str | None, **values: Any) -> None:
    """A version of a metric that reads events of its own code, or of `event_code`."""
    given = {"event_code": code, "effective_at": ALWAYS} | values
    insert(
        lander,
        "billable_metrics",
        billable_metric_code=code,
        aggregation_type=aggregation_type,
        field_name=field_name,
        **given,
    )


def charge(
    lander: Lander, metric_code: str, *, filters: Sequence[str] = (), groups: Sequence[str] = (), **at: Any
) -> None:
    """A plan of one charge on a metric, with the keys of its filters and groups."""
    version = {"plan_code": f"plan_{metric_code}", "effective_at": ALWAYS} | at
    insert(lander, "plans", **version)
    insert(lander, "charges", **version, charge_code="c", billable_metric_code=metric_code)
    for key in filters:
        insert(lander, "charge_filter_values", **version, charge_code="c", filter_position=1, filter_key=key)
    for key in groups:
        insert(lander, "charge_group_keys", **version, charge_code="c", filter_position=0, group_key=key)


def layouts(lander: Lander) -> list[tuple[Any, ...]]:
    with lander.warehouse.connect() as session:
        return session.rows(f"select {LAYOUT} from {session.schema('raw')}.event_layouts order by layout_id")


def test_a_quantity_is_what_parse_quantity_takes(lander: Lander) -> None:
    metric(lander, "api", "sum_agg", "n")
    values = [
        "10",
        "-0.5",
        7,
        1.25,
        "+5",
        "1e3",
        ".5",
        "5.",
        " 5",
        "five",
        "",
        None,
        True,
        [1],
        "0000000000000000001.5",
    ]
    lander.land_lines(
        *(line(f"t{i:02}", properties={"n": value}) for i, value in enumerate(values)), line("u", properties={})
    )
    quantities = dict(lander.rows("transaction_id, quantity"))
    assert quantities == {f"t{i:02}": None for i in range(len(values))} | {"u": None} | {
        "t00": Decimal(10),
        "t01": Decimal("-0.5"),
        "t02": Decimal(7),
        "t03": Decimal("1.25"),
        "t14": Decimal("1.5"),
    }
    assert set(lander.rows("item, is_remove, facets")) == {(None, None, None)}
    assert layouts(lander) == [(1, "api", "n", "[]", True, False, 1)]


def test_an_item_is_never_null_and_a_missing_one_is_not_the_empty_one(lander: Lander) -> None:
    metric(lander, "api", "unique_count_agg", "user")
    sent: dict[str, dict[str, Any]] = {
        "a": {"user": "u", "operation_type": "remove"},
        "b": {"user": "", "operation_type": "add"},
        "c": {"operation_type": "Remove"},
        "d": {"user": 7},
    }
    lander.land_lines(*(line(key, properties=properties) for key, properties in sent.items()))
    assert lander.rows(TAKEN) == [
        ("a", 1, None, "=u", True, None),
        ("b", 1, None, "=", False, None),
        ("c", 1, None, "", False, None),
        ("d", 1, Decimal(7), "=7", False, None),
    ]


def test_facets_are_the_keys_of_every_plan_version_in_the_order_of_their_bytes(lander: Lander) -> None:
    names = ["b.c ~/\"'", "é$[0]*", "Zone", "a"]
    metric(lander, "api", "count_agg", None)
    charge(lander, "api", filters=[names[0], "Zone"], groups=[names[1]])
    charge(lander, "api", groups=["a", "Zone"], effective_at="2024-01-01 00:00:00")
    lander.land_lines(
        line("t1", properties={"a": "x", "Zone": 'q"\\ü', names[0]: None, names[1]: 1.5}),
        line("t2", properties={}),
        line("t3", properties={"a": {"b": [1, "x"]}}),
        line("t4", properties={"a": "\x1f"}),
        line("t5", code="other", properties={"a": "x"}),
    )
    # A to Z come before a to z, and both before é
    assert layouts(lander) == [(1, "api", None, '["Zone","a","b.c ~/\\"\'","é$[0]*"]', False, False, 1)]
    assert lander.rows(TAKEN)[:3] == [
        ("t1", 1, None, None, None, '["q\\"\\\\ü","x",null,"1.5"]'),
        ("t2", 1, None, None, None, "[null,null,null,null]"),
        ("t3", 1, None, None, None, '[null,"{\\"b\\":[1,\\"x\\"]}",null,null]'),
    ]
    assert lander.rows("transaction_id, layout_id")[3:] == [("t4", None), ("t5", None)]


def test_metrics_that_read_different_properties_leave_no_measured_one(lander: Lander) -> None:
    metric(lander, "api", "sum_agg", "n")
    metric(lander, "seen", "unique_count_agg", "user", event_code="api")
    metric(lander, "calls", "count_agg", None, event_code="other")
    metric(lander, "volume", "max_agg", "n", event_code="other")
    lander.land_lines(line("t1", properties={"n": "1", "user": "u"}), line("t2", code="other", properties={"n": "2"}))
    assert layouts(lander) == [(1, "api", None, "[]", False, True, 1), (2, "other", "n", "[]", False, False, 1)]
    assert lander.rows(TAKEN) == [("t1", 1, None, None, None, None), ("t2", 2, Decimal(2), None, None, None)]


def test_a_changed_catalogue_adds_a_layout_and_one_changed_back_finds_its_own_again(lander: Lander) -> None:
    for batch_id, field in enumerate(["n", "m", "n"], 1):
        metric(lander, "api", "sum_agg", field, batch_id=batch_id)
        lander.land_lines(line(f"t{batch_id}", properties={"n": "1", "m": "2"}))
    assert layouts(lander) == [(1, "api", "n", "[]", True, False, 1), (2, "api", "m", "[]", True, False, 2)]
    assert lander.rows("transaction_id, layout_id, quantity") == [("t1", 1, 1), ("t2", 2, 2), ("t3", 1, 1)]


def test_what_an_expression_sets_is_what_is_taken_out(lander: Lander) -> None:
    metric(lander, "api", "sum_agg", "n", expression="event.properties.n * 2")
    lander.land_lines(line(properties={"n": "21"}))
    assert lander.rows("quantity") == [(Decimal(42),)]


def test_a_warehouse_of_an_earlier_version_has_no_layouts_for_its_events(tmp_path: Path) -> None:
    lander = Lander(DuckDBWarehouse(tmp_path / "warehouse.duckdb"), tmp_path)
    lander.warehouse.create_raw_tables()
    columns = ("layout_id", "quantity", "item", "is_remove", "facets")
    metric(lander, "api", "sum_agg", "n")
    lander.land_lines(line("t1"))
    with lander.warehouse.connect() as session:
        for column in columns:
            session.execute(f"alter table {session.schema('raw')}.usage_events drop column {column}")
        session.execute(f"delete from {session.schema('raw')}.prepared")
    lander.warehouse.create_raw_tables()
    lander.land_lines(line("t2"), line("t1"))
    assert lander.rows(TAKEN) == [("t1", None, None, None, None, None), ("t2", 1, Decimal(10), None, None, None)]
