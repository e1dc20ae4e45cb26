"""What is left out of dbt's work: messages that nobody reads, modules that nothing asks for."""

import sys

from dagster_project.lib.later import later
from dagster_project.lib.lean_dbt import lean


def test_an_event_has_its_message_once_it_is_read() -> None:
    lean()
    from dbt.adapters.events.types import SQLQuery

    event = SQLQuery(conn_name="master", sql="select 1")
    assert "pb_msg" not in vars(event)
    assert event.sql == "select 1"
    assert event.message() == "On master: select 1"


def test_only_progress_and_warnings_reach_who_listens() -> None:
    lean()
    from dbt.adapters.events.types import AdapterEventWarning, SQLQuery
    from dbt_common.events.event_manager_client import cleanup_event_logger, get_event_manager

    heard: list[str] = []
    cleanup_event_logger()
    get_event_manager().add_callback(lambda message: heard.append(message.info.name))
    try:
        get_event_manager().fire_event(SQLQuery(conn_name="master", sql="select 1"))
        get_event_manager().fire_event(AdapterEventWarning(name="duckdb", base_msg="careful"))
    finally:
        cleanup_event_logger()
    assert heard == ["AdapterEventWarning"]


def test_a_module_is_imported_when_something_of_it_is_used() -> None:
    name = "colorsys"
    sys.modules.pop(name, None)
    with later(name):
        import colorsys as stand_in

        assert "rgb_to_hls" not in vars(stand_in)
    assert name not in sys.modules
    assert stand_in.rgb_to_hls(0, 0, 0) == (0, 0, 0)
    assert "rgb_to_hls" in vars(sys.modules[name])
