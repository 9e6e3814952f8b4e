# SPDX-License-Identifier: Apache-2.0
"""Heads over made-up FLAME files against exact truth: ``python -m benchmarks.head_models [--people 5]``.

Each file is a person whom the open head's identity does not hold, in a mesh of another make
(tests/head/made_heads.py); no number of FLAME's is in it. What is measured is how well the open head's knowledge is
carried over.

landmarks: distance of the 468 skin landmarks from where they truly lie, mm; and of the open head's base adult, who
stands for not having looked. actions: what each of the 52 moves, against what it truly moves: root of the squared
error over the squared motion. detector: see tracking/sightings.py.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from benchmarks.common import OUT, provenance, write_json
from reenact.head.open import open_head
from reenact.head.registration import open_skin
from reenact.head.smplx import SuppliedHead, supplied_head
from reenact.tracking.sightings import landmarks_off_mm
from tests.head.made_heads import SKIN, MadeHead, made_head


@dataclass
class Args:
    """Measure heads over model files on made-up people."""

    people: int = 5
    out: Path = OUT / "head_models.json"


def measure(made: MadeHead, head: SuppliedHead) -> dict[str, float | None]:
    """One person's numbers."""
    model, skin, top = open_head(), open_skin(), open_head().topology
    known = np.isin(top.landmark_vertices, skin.rows).all(axis=1)
    corners = made.truth[skin.local(top.landmark_vertices[known])]
    origin = (made.arrays["J_regressor"][3:5] @ made.arrays["v_template"]).mean(axis=0)
    truth = np.einsum("lkc,lk->lc", corners, top.landmark_weights[known]) - origin
    off = 1e3 * np.linalg.norm(head.topology.landmarks(head.base_neutral)[known] - truth, axis=1)
    plain = 1e3 * np.linalg.norm(top.landmarks(model.base_neutral)[known] - truth, axis=1)
    own = head.base_actions[:, :SKIN]
    acts = np.linalg.norm(made.actions, axis=2) > 5e-4
    lost = [
        float(np.sqrt(((o - t)[m] ** 2).sum() / (t[m] ** 2).sum()))
        for o, t, m in zip(own, made.actions, acts, strict=True)
        if m.any()
    ]
    return {
        "landmarks_median_mm": float(np.median(off)),
        "landmarks_p90_mm": float(np.quantile(off, 0.9)),
        "base_adult_median_mm": float(np.median(plain)),
        "actions_median": float(np.median(lost)),
        "actions_worst": max(lost),
        "detector_mm": landmarks_off_mm(head),
    }


def main(args: Args) -> None:
    """Print a line a person, and write them."""
    rows = []
    for seed in range(3, 3 + args.people):
        made = made_head("flame", seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "made.npz"
            np.savez(path, **made.arrays)  # pyright: ignore[reportArgumentType]
            started = time.perf_counter()
            head = supplied_head(path)
            row = {"seed": seed, "load_s": time.perf_counter() - started, **measure(made, head)}
        rows.append(row)
        print("  ".join(f"{k} {v:.3g}" for k, v in row.items() if v is not None))
    write_json(args.out, {"provenance": provenance(), "people": rows})


if __name__ == "__main__":
    main(tyro.cli(Args))
