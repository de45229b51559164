"""What shortens a cold start: Python's garbage collector paused, and asyncio loaded at its first use."""

# Imports make objects by the hundred thousand, and all of them stay. Searching them for garbage is a tenth of
# a cold start. So the collector is off from here until the first answer, or until the worker's first batch.
# Then all objects so far are set aside (`gc.freeze`), and no later search looks at them.
#
# Powertools and pydantic-settings import asyncio for features that are not used here. Its 30 modules take as
# long as a DynamoDB client. A stand-in is imported instead, which becomes the real module at its first use.

from __future__ import annotations

import gc
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def resume_collection() -> None:
    """End the pause; without a pause it has no effect."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


class StandIn(ModuleType):
    """A module that is loaded when the first of its members is used."""

    # importlib's own LazyLoader loads a module that is imported twice.
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = find_spec(name)
        self.__path__ = (self.__spec__ and self.__spec__.submodule_search_locations) or []

    def __getattr__(self, member: str) -> Any:  # Called for members that are not there yet.
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = import_module(self.__name__)
        self.__dict__.update(real.__dict__)
        return getattr(real, member)


# Only in a process of Lambda's runtime client, which ends the pause with its first invocation.
if "awslambdaric" in sys.modules:
    gc.disable()
    sys.modules.setdefault("asyncio", StandIn("asyncio"))
