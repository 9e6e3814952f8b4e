# SPDX-License-Identifier: Apache-2.0
"""Synthetic portraits with exact truth: people of every age, each with an anatomy of their own, giving any performance.

Everything follows from seeds. No picture of any real person is in it, or was used to make it.
"""

from .layers import LABELS
from .looks import Looks, looks_of
from .people import SyntheticPerson, out_of_basis_offset, synthetic_person
from .performance import as_tracked, performance_of_track, performed_by, synthetic_motion
from .render import SyntheticFrames, render_portraits
from .scene import Scene, random_scene, still_state

__all__ = [
    "LABELS",
    "Looks",
    "Scene",
    "SyntheticFrames",
    "SyntheticPerson",
    "as_tracked",
    "looks_of",
    "out_of_basis_offset",
    "performance_of_track",
    "performed_by",
    "random_scene",
    "render_portraits",
    "still_state",
    "synthetic_motion",
    "synthetic_person",
]
