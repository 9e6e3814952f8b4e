# SPDX-License-Identifier: Apache-2.0
"""Model files of the true shapes of SMPL-X and FLAME, filled with random numbers: none of theirs."""

from __future__ import annotations

from typing import Any

import numpy as np

from reenact.head.model_file import LAYOUTS, Kind

# The kinematic tree of a body: each joint's parent, the root's as files store -1.
BODY = [2**32 - 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15]
for _wrist in (20, 21):
    for _finger in range(5):
        _first = len(BODY)
        BODY += [_wrist, _first, _first + 1]
TREES: dict[Kind, list[int]] = {"smplx": BODY, "flame": [2**32 - 1, 0, 1, 1, 1]}


def random_model(kind: Kind, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays under the names they have in files; joints spread over a body, the eyes 6 cm apart."""
    layout, rng = LAYOUTS[kind], np.random.default_rng(seed)
    v, j = layout.vertices, layout.joints
    template = rng.normal(size=(v, 3)).astype(np.float32)
    regressor = np.zeros((j, v))
    for row in range(j):
        regressor[row, rng.integers(0, v, 8)] = rng.dirichlet(np.ones(8))
    for side, x in (("eye_left", 0.03), ("eye_right", -0.03)):
        regressor[layout.at[side]] = 0.0
        regressor[layout.at[side], (first := 10 * layout.at[side])] = 1.0
        template[first] = (x, 0.4, 0.1)
    weights = np.zeros((v, j))
    for column in range(4):
        weights[np.arange(v), rng.integers(0, j, v)] += rng.random(v) + 0.01 * (column + 1)
    return {
        "v_template": template,
        "shapedirs": (0.01 * rng.normal(size=(v, 3, 400))).astype(np.float32),
        "posedirs": (0.01 * rng.standard_normal((v, 3, 9 * (j - 1)), np.float32)),
        "J_regressor": regressor,
        "kintree_table": np.stack([TREES[kind], np.arange(j)]).astype(np.uint32),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "f": rng.integers(0, v, (layout.faces, 3)).astype(np.uint32),
    }
