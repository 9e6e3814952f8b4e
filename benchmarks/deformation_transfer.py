# SPDX-License-Identifier: Apache-2.0
"""Time of deformation transfer on a head-sized mesh: `python -m benchmarks.deformation_transfer`.

Synthetic, so that it needs no asset: a sphere of about 4,800 vertices, 9,600 triangles, 52 local actions of
which the lower half of the mesh feels nothing, 80 contact pairs and two rigid parts.
"""

import os
import platform
import time

import numpy as np
from scipy.spatial import Delaunay

from reenact.head.deformation import DeformationTransfer

VERTICES, ACTIONS, PAIRS, RUNS = 4800, 52, 80, 5


def ball(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spread points [count, 3] on a sphere of 0.1 m and the triangles [F, 3] between them."""
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    y = 1 - 2 * (np.arange(count) + 0.5) / count
    ring = np.sqrt(1 - y**2)
    flat = np.stack([ring * np.cos(turn), ring * np.sin(turn)], axis=1) / (1 + y[:, None])  # stereographic
    return 0.1 * np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], axis=1), Delaunay(flat).simplices


def main() -> None:
    rng = np.random.default_rng(0)
    neutral, faces = ball(VERTICES)
    target = neutral * [1.2, 0.8, 1.1]
    upper = np.flatnonzero(neutral[:, 1] > 0)
    centre = neutral[rng.choice(upper, ACTIONS)]
    fall = np.clip(1 - np.linalg.norm(neutral - centre[:, None], axis=2) / 0.06, 0, None) ** 2
    fall[:, neutral[:, 1] < 0] = 0
    offsets = (0.01 * fall[:, :, None] * rng.normal(size=(ACTIONS, 1, 3))).astype(np.float32)
    parts = [upper[:150], upper[200:350]]
    pairs = rng.choice(upper[400:], (PAIRS, 2), replace=False)

    build, run = [], []
    for _ in range(RUNS):
        start = time.perf_counter()
        transfer = DeformationTransfer(
            neutral, target, faces, anchors=(fall == 0).all(axis=0), rigid_parts=parts, contact_pairs=pairs
        )
        built = time.perf_counter()
        transfer.transfer(offsets)
        build.append(built - start)
        run.append(time.perf_counter() - built)
    print(f"{platform.machine()}, {os.cpu_count()} cores; {len(neutral)} vertices, {len(faces)} triangles")
    print(f"build {np.median(build):.3f} s, {ACTIONS} actions {np.median(run):.3f} s (median of {RUNS})")


if __name__ == "__main__":
    main()
