# SPDX-License-Identifier: Apache-2.0
"""Measure what scores the blendshape network gives to known codes: ``python -m scripts.calibrate_blendshapes SHARDS``.

SHARDS: folder of shards of expression_portraits.py (exact codes) and expression_photographs.py (real skin). Both
sides of a face share a curve. Written are, in the order of heads.arkit.ACTIONS, the mean score at each of LEVELS
(isotonic regression), and how far a code that is read from a score lies from the true one, over those faces that act or
seem to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import tyro
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from reenact.head.arkit import ACTIONS
from reenact.media.arrays import read_arrays, write_arrays
from reenact.perception.blendshapes import CURVES, LEVELS

_LARGEST_ERROR: Final = 0.06  # of the landmarks, in face radii: beyond, the face was not found where it is
_ACTS: Final = 0.05  # a code above which a face acts
_CALM: Final = 0.55  # as in lab/training/expression.py


@dataclass(frozen=True)
class Arguments:
    """Calibrate the blendshape scores."""

    shards: Annotated[Path, tyro.conf.Positional]


def main(arguments: Arguments) -> None:
    """Write the curves and print them."""
    codes, scores = [], []
    for path in sorted(arguments.shards.glob("*.safetensors")):
        shard, _ = read_arrays(path, "shard")
        usable = np.isfinite(shard["scores"]).all(axis=1) & (shard["error"] < _LARGEST_ERROR)
        if "base" in shard:
            usable &= shard["base"].max(axis=1) < _CALM
        codes.append(shard["expression"][usable])
        scores.append(shard["scores"][usable])
    code, score = np.concatenate(codes), np.concatenate(scores)
    curves = np.zeros((len(ACTIONS), len(LEVELS)), np.float32)
    sigma = np.zeros(len(ACTIONS), np.float32)
    kinds = [a.removesuffix("Left").removesuffix("Right") for a in ACTIONS]
    for kind in sorted(set(kinds)):
        columns = [i for i, k in enumerate(kinds) if k == kind]
        curves[columns], sigma[columns] = curve(code[:, columns].ravel(), score[:, columns].ravel())
        print(f"{kind:18s} {np.round(curves[columns[0]], 2)} sigma {sigma[columns[0]]:.2f}")
    write_arrays(CURVES, {"scores": curves, "sigma": sigma})
    print(f"{CURVES}: {len(code)} faces")


def curve(code: NDArray[np.floating], score: NDArray[np.floating]) -> tuple[NDArray[np.floating], float]:
    """Mean score at LEVELS, strictly rising, and the standard deviation of codes read from scores."""
    order = np.argsort(code, kind="stable")
    code, score = code[order], score[order]
    fitted = isotonic_regression(score).x
    # The regression is a staircase; its values at the levels are means over a quarter of the range around each.
    half = (LEVELS[1] - LEVELS[0]) / 2
    at, last = [], 0.0
    for level in LEVELS:
        near = np.abs(code - level) <= (half if level > 0 else 0.03)
        last = max(last, float(fitted[near].mean())) if near.any() else last
        at.append(last)
    levels = np.asarray(at) + 1e-6 * np.arange(len(LEVELS))
    read = np.interp(score, levels, LEVELS)
    acts = np.maximum(code, read) > _ACTS
    return levels, float(np.sqrt(np.mean((read - code)[acts] ** 2)))


if __name__ == "__main__":
    main(tyro.cli(Arguments))
