# SPDX-License-Identifier: Apache-2.0
"""Arrays in a safetensors file, as they are meant and not as they happen to lie in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from .files import written_beside


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], about: dict[str, str] | None = None) -> None:
    """Write a safetensors file; beside the target first, renamed when complete.

    safetensors takes an array's memory for its rows without a word: a transposed one, and what `astype`, `einsum` and
    `concatenate` make of one, would come back scrambled.
    """
    with written_beside(path) as partial:
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, partial, metadata=about)
