"""dbt's own work per model and test, without what nobody reads here: measured in docs/performance.md.

dbt makes some 25 log events a model, each a message of two parts in protobuf, although a close has no log; it copies some
700 macros into the context of every node by looking up each in five places; at every run it makes the graph of the project
anew, looks for cycles in it by a walk in Python, and compares each node with each part of a selection. `lean()` replaces
these, nothing else, once a process; what dbt runs and finds is the same. It comes before the first import of dbt, whose
classes are made in half the time when nobody writes their serialisers before they are used.
"""

from functools import cache
from pathlib import Path
from typing import Any


@cache
def lean() -> None:
    """Make dbt lean in this process; what `dbt` does by hand or under Dagster stays as it is."""
    _write_serialisers_when_used()
    _defer_messages()
    _hear_only_what_is_told()
    _gather_macros_at_once()
    _find_cycles_by_order()
    _link_the_graph_once()
    _select_names_and_folders_at_once()


def _write_serialisers_when_used() -> None:
    """mashumaro's own classes for JSON schemas, as dbt asks for its own (`lazy_compilation`)."""
    from mashumaro.config import BaseConfig

    BaseConfig.lazy_compilation = True


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


def _link_the_graph_once() -> None:
    """The graph of a manifest, which no run changes, is made once for runs with and once for runs without tests in order."""
    from dbt.compilation import Compiler

    linked: Any = Compiler.compile
    graphs: dict[bool, tuple[Any, Any]] = {}

    def compile_graph(compiler: Any, manifest: Any, write: bool = True, add_test_edges: bool = False) -> Any:
        known, graph = graphs.get(add_test_edges, (None, None))
        if known is not manifest:
            graph = linked(compiler, manifest, write=write, add_test_edges=add_test_edges)
            graphs[add_test_edges] = (manifest, graph)
        return graph

    replaced: Any = Compiler
    replaced.compile = compile_graph


def _select_names_and_folders_at_once() -> None:
    """The name of a model selects that model, a folder what lies below it; all else is looked for as ever."""
    from dbt.graph.selector_methods import PathSelectorMethod, QualifiedNameSelectorMethod
    from dbt_common.events.contextvars import get_project_root

    project_root: Any = get_project_root

    searched_name: Any = QualifiedNameSelectorMethod.search
    searched_path: Any = PathSelectorMethod.search

    def search_name(method: Any, included_nodes: Any, selector: str) -> Any:
        model = f"model.{method.manifest.metadata.project_name}.{selector}"
        if model in method.manifest.nodes:
            return {model} if model in included_nodes else set()
        return searched_name(method, included_nodes, selector)

    def search_path(method: Any, included_nodes: Any, selector: str) -> Any:
        if not (Path(project_root() or ".") / selector).is_dir():
            return searched_path(method, included_nodes, selector)
        folder = f"{selector.rstrip('/')}/"
        return {key for key, node in method.all_nodes(included_nodes) if node.original_file_path.startswith(folder)}

    by_name: Any = QualifiedNameSelectorMethod
    by_name.search = search_name
    by_path: Any = PathSelectorMethod
    by_path.search = search_path
