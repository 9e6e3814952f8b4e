# SPDX-License-Identifier: Apache-2.0
"""Files that are written whole or not at all, and that others may read as they may this user's other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reenact.media.arrays import write_arrays
from reenact.media.files import written_beside


def test_a_file_may_be_read_by_whom_this_users_files_may(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("x")
    write_arrays(tmp_path / "a.safetensors", {"x": np.zeros(3, np.float32)})
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), written_beside(path) as partial:
        partial.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
