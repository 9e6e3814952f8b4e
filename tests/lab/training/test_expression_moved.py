# SPDX-License-Identifier: Apache-2.0
"""Photographs moved to known expressions: the demo photo, twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from reenact.head.arkit import ACTIONS
from reenact.lab.training.data.expression_photographs import prepare_expression_moved
from reenact.media.files import asset

DEMO = asset("demo/astronaut.jpg")


@pytest.mark.slow
def test_a_photograph_is_moved_and_one_without_a_face_is_left_out(tmp_path: Path) -> None:
    from reenact.media import write_image

    grey = tmp_path / "grey.png"
    write_image(grey, np.full((64, 64, 3), 128, np.uint8))
    shard = load_file(prepare_expression_moved(tmp_path / "shards", [grey, DEMO], 4, lambda *a: None)[0])
    assert shard["images"].shape == (4, 160, 160, 3) and shard["expression"].shape == (4, len(ACTIONS))
    assert np.ptp(shard["expression"], axis=0).max() > 0.2  # other expressions ...
    assert all((shard["images"][i] != shard["images"][0]).mean() > 0.1 for i in (1, 2, 3))  # ... other pictures
    assert (shard["base"] == shard["base"][0]).all() and (shard["error"] < 0.1).all()
    assert not prepare_expression_moved(tmp_path / "none", [grey], 2, lambda *a: None)
