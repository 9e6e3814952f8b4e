# SPDX-License-Identifier: Apache-2.0
"""Arrays in a safetensors file, as they are meant and not as they happen to lie in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .errors import InputError
from .files import existing_file, written_beside


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], about: dict[str, str] | None = None) -> None:
    """Write a safetensors file; beside the target first, renamed when complete.

    safetensors takes an array's memory for its rows without a word: a transposed one, and what `astype`, `einsum` and
    `concatenate` make of one, would come back scrambled.
    """
    with written_beside(path) as partial:
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, partial, metadata=about)


def read_arrays(path: Path, what: str, written_by: str = "") -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read all arrays of a safetensors file, and what it says about itself.

    Args:
        path: of the file.
        what: it should be: "head file".
        written_by: the command that writes such files, if users write them.

    Raises:
        InputError: it is missing, empty, a folder, or no safetensors file.
    """
    return read_safetensors(path, what, written_by, "np")


def read_safetensors(
    path: Path, what: str, written_by: str, framework: Literal["np", "pt"]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Do what `read_arrays` and `tensors.read_tensors` say."""
    existing_file(path, f"a {what}")
    try:
        with safe_open(path, framework) as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 no mapping
    except (SafetensorError, OSError) as error:
        how = f"; `{written_by}` writes one" if written_by else ""
        raise InputError(f"{path} is not a readable {what} ({error}){how}") from error
