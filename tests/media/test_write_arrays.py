# SPDX-License-Identifier: Apache-2.0
"""Arrays come back from a file as they were meant, however they lay in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from reenact.media import InputError
from reenact.media.arrays import read_arrays, write_arrays


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


def test_what_was_written_is_read_with_what_it_says_about_itself(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.head", {"x": np.arange(3)}, {"format": "numbers"})
    arrays, about = read_arrays(tmp_path / "a.head", "head file")
    assert arrays["x"].tolist() == [0, 1, 2] and about == {"format": "numbers"}
    write_arrays(tmp_path / "silent.head", {"x": np.arange(3)})
    assert read_arrays(tmp_path / "silent.head", "head file")[1] == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"no such thing", r"is not a readable head file .*; `reenact head` writes one"),
        (None, "exist"),
    ],
)
def test_what_is_no_such_file_is_refused_by_name(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "b.head"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"b\.head .*{said}"):
        read_arrays(path, "head file", "reenact head")
