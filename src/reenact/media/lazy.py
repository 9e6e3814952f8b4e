# SPDX-License-Identifier: Apache-2.0
"""What is imported only when it is used: names of a package, and modules of an extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from .errors import InputError


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Make a package's `__getattr__`: nothing that it exports is imported before somebody asks for it.

    Training reads networks and shards on machines without OpenCV, PyAV and mediapipe.

    Args:
        package: its dotted name.
        homes: of each name that it exports, the module in it.
    """

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{homes[name]}", package), name)

    return find


def required(module: str, extra: str, purpose: str) -> Any:
    """Import a module of an extra.

    Args:
        module: its dotted name.
        extra: of this package, that brings it.
        purpose: what needs it: "measuring".

    Raises:
        InputError: it is not installed; the message names the command that mends it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"{module} is not installed, but {purpose} needs it: pip install 'reenact[{extra}]'"
        ) from error
