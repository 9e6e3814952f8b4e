# SPDX-License-Identifier: Apache-2.0
"""What the 52 actions do on people beyond what a sculptor gave them: learnt from the fitted heads of real people.

It is what the dynamic offsets of many people have in common, so it is nobody's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.levels import open_levels
from reenact.head.mesh import rms_radius
from reenact.head.model import Float, Int
from reenact.head.open import open_head
from reenact.media.arrays import read_arrays
from reenact.media.files import asset
from reenact.rendering import vertex_normals

from .receiver import tangent_frames

ASSET = asset("habits.safetensors")


@dataclass(frozen=True)
class Habits:
    """Of n vertices of the open head's control mesh."""

    vertices: Int  # [n]
    answers: Float  # [52, n, 3] mm a unit of code on a face of the base adult's size, in `frames_on` of each vertex

    def on(self, neutral: Float) -> Float:
        """neutral: [V, 3] of somebody, canonical, metres -> [52, V, 3] metres a unit of code."""
        out = np.zeros((len(self.answers), *neutral.shape), np.float32)
        frames = frames_on(neutral)[self.vertices]
        out[:, self.vertices] = np.einsum("nij,anj->ani", frames, self.answers) * (0.001 * size_of(neutral))
        return out


@lru_cache(maxsize=1)
def shipped_habits() -> Habits:
    """Loaded once a process."""
    found, _ = read_arrays(ASSET, "file of habits")
    return Habits(found["vertices"], found["answers"].astype(np.float32))


@lru_cache(maxsize=1)
def habit_rows() -> NDArray[np.int64]:
    """[n] control vertices that dynamic offsets move."""
    return np.flatnonzero(open_levels()[0].face > 0.0)


def frames_on(neutral: Float) -> Float:
    """[V, 3] control mesh -> [V, 3, 3] frames of its vertices, see `tangent_frames`."""
    faces = torch.from_numpy(open_head().topology.faces.astype(np.int64))
    return tangent_frames(vertex_normals(torch.from_numpy(neutral)[None], faces, "torch")[0]).numpy()


def size_of(neutral: Float) -> float:
    """Of a face, as a share of the base adult's."""
    face = open_head().topology.face_weight > 0.5
    own, base = (rms_radius(x[face]) for x in (neutral, open_head().base_neutral))
    return float(own / base)
