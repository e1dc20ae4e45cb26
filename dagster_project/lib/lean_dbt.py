"""dbt's own work per model and test, without what nobody reads here: measured in docs/performance.md.

dbt makes some 25 log events a model, each a message of two parts in protobuf, although a close has no log; it copies some
700 macros into the context of every node by looking up each in five places; it looks for cycles in its graph by a walk
in Python at every run. `lean()` replaces these, nothing else, once a process; what dbt runs and finds is the same.
"""

from functools import cache
from typing import Any


@cache
def lean() -> None:
    """Make dbt lean in this process; what `dbt` does by hand or under Dagster stays as it is."""
    _defer_messages()
    _hear_only_what_is_told()
    _gather_macros_at_once()
    _find_cycles_by_order()


def _defer_messages() -> None:
    """An event makes its message when the message is first read."""
    from dbt_common.events.base_types import BaseEvent

    made: Any = BaseEvent.__init__

    def __init__(event: Any, *arguments: Any, **fields: Any) -> None:
        object.__setattr__(event, "_made_of", (arguments, fields))

    def message_of(event: Any) -> Any:
        if "pb_msg" not in event.__dict__:
            arguments, fields = event.__dict__["_made_of"]
            made(event, *arguments, **fields)
        return event.__dict__["pb_msg"]

    def __getattr__(event: Any, name: str) -> Any:
        return message_of(event) if name == "pb_msg" else getattr(message_of(event), name)

    def __setattr__(event: Any, name: str, value: Any) -> None:
        if name == "pb_msg":
            object.__setattr__(event, name, value)
        else:
            setattr(message_of(event), name, value)

    replaced: Any = BaseEvent
    replaced.__init__, replaced.__getattr__, replaced.__setattr__ = __init__, __getattr__, __setattr__


def _hear_only_what_is_told() -> None:
    """Of events of the levels debug and info, only those that tell progress reach a callback, unless there is a log."""
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.event_manager_client import ctx_set_event_manager

    class Listeners(EventManager):
        def fire_event(self, e: Any, level: Any = None, *arguments: Any, **options: Any) -> None:
            of_level = level or e.level_tag()
            unheard = of_level in {EventLevel.DEBUG, EventLevel.INFO, EventLevel.TEST} and not self.loggers
            if not unheard or type(e).__name__ == "LogStartLine":
                super().fire_event(e, level, *arguments, **options)

    ctx_set_event_manager(Listeners())


def _gather_macros_at_once() -> None:
    """The macros that a node's context sees by their names: the nearest package's last, as it wins.

    dbt hands over the macros of one package at a time, whose names differ.
    """
    from dbt.clients.jinja import MacroGenerator
    from dbt.context.configured import ConfiguredContext
    from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
    from dbt.context.manifest import ManifestContext

    def add_macros(builder: Any, macros: Any, context: Any) -> None:
        added = {macro.name: MacroGenerator(macro, context, builder.node, builder.thread_ctx) for macro in macros}
        for package in {macro.package_name for macro in macros}:
            if package in builder.internal_package_names:
                builder.internal_packages[package] = added
                continue
            builder.packages[package] = added
            if package == builder.search_package:
                builder.locals.update(added)
            elif package == builder.root_package:
                builder.globals.update(added)

    gathered: Any = ManifestContext.to_dict

    def to_dict(context: Any) -> dict[str, Any]:
        namespace = context.namespace
        if type(namespace) is not MacroNamespace:
            return dict(gathered(context))
        names: dict[str, Any] = ConfiguredContext.to_dict(context)
        names.update(namespace.global_project_namespace)
        names["dbt"] = namespace.global_project_namespace
        names.update(namespace.packages)
        names.update(namespace.global_namespace)
        names.update(namespace.local_namespace)
        return names

    replaced: Any = ManifestContext
    replaced.to_dict = to_dict
    building: Any = MacroNamespaceBuilder
    building.add_macros = add_macros


def _find_cycles_by_order() -> None:
    """A graph that can be put in order has no cycle; only one that cannot is walked to name it."""
    from dbt.compilation import Linker
    from networkx import is_directed_acyclic_graph

    walked: Any = Linker.find_cycles

    def find_cycles(linker: Any) -> str | None:
        return None if is_directed_acyclic_graph(linker.graph) else walked(linker)

    replaced: Any = Linker
    replaced.find_cycles = find_cycles
