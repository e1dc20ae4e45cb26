"""Modules that are imported when something of them is first used, not when a library that may never use them asks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module until an attribute of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def later(*names: str) -> Iterator[None]:
    """Within the block an import of these modules costs nothing; the importer gets the real one on first use.

    Modules that are loaded already, or are not installed, are left alone; after the block an import is an import again.
    """
    stand_ins = {}
    for name in names:
        if name in sys.modules or (spec := find_spec(name)) is None:
            continue
        stand_ins[name] = _Later(name)
        stand_ins[name].__spec__ = spec
        stand_ins[name].__path__ = list(spec.submodule_search_locations or [])
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
