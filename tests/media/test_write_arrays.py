# SPDX-License-Identifier: Apache-2.0
"""Arrays come back from a file as they were meant, however they lay in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from reenact.media import InputError
from reenact.media.arrays import write_arrays


def test_what_lies_crosswise_in_memory_is_read_as_it_was_meant(tmp_path: Path) -> None:
    crosswise = np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)
    made = {
        "transposed": crosswise,
        "cast": crosswise.astype(np.float16),
        "joined": np.concatenate([crosswise, crosswise]),
        "every second": crosswise[::2],
        "number": np.asarray(3.0),
    }
    assert not made["cast"].flags["C_CONTIGUOUS"] and not made["joined"].flags["C_CONTIGUOUS"]
    write_arrays(tmp_path / "a.safetensors", made)
    found = load_file(tmp_path / "a.safetensors")
    assert set(found) == set(made)
    for name, array in made.items():
        assert np.array_equal(found[name], array), name
        assert found[name].dtype == array.dtype


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        write_arrays(tmp_path / "nowhere" / "a.safetensors", {"a": np.zeros(2)})
    with pytest.raises(TypeError):
        write_arrays(tmp_path / "a.safetensors", {"a": np.zeros(2)}, {"about": 3})  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []
