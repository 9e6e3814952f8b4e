# SPDX-License-Identifier: Apache-2.0
"""A track as a glTF animation: weights of the morph targets, pose of the head, turn of the eyes, and the camera.

The camera of the track has OpenCV's axes (x right, y down, z away); a camera of glTF looks along its -z, y up. The
change is C = diag(1, -1, -1), a half turn about x, so X_gltf = C (R X_head + t): the head's node turns by C R and
stands at C t, metres, in front of a camera at the origin. The head's own axes need no change.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from reenact.head.gaze import gaze_rotations, with_look_activations
from reenact.head.motion import Motion

from .glb_writer import GlbWriter

_FLIP = np.asarray([1.0, -1.0, -1.0])  # C
_NEAR_M = 0.01


def _frame_times(track: Motion) -> NDArray[np.float32]:
    """[F] seconds: number of the frame in its source, divided by the exact frame rate, rounded once."""
    return np.asarray([float(int(frame) / track.fps) for frame in track.require_clip().frame], np.float32)


def add_animation(out: GlbWriter, track: Motion, gaze_limits: Tensor, head: int, eyes: list[int]) -> None:
    """Add the animation of F frames. head, eyes: indices of the nodes, the subject's left eye first."""
    times = out.samples(_frame_times(track), bounds=True)
    codes = with_look_activations(track.expression, track.gaze, gaze_limits).numpy()
    moves = [
        (head, "weights", codes.ravel()),
        (head, "rotation", _quaternions(_FLIP[:, None] * track.rotation.numpy())),
        (head, "translation", _FLIP * track.translation.numpy()),
    ]
    moves += [(node, "rotation", _quaternions(gaze_rotations(track.gaze[:, i]).numpy())) for i, node in enumerate(eyes)]
    samplers, channels = [], []
    for node, path, values in moves:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": out.samples(values), "interpolation": "LINEAR"})
    out.add("animations", {"name": "performance", "samplers": samplers, "channels": channels})


def add_camera(out: GlbWriter, track: Motion) -> int:
    """Node of the camera that saw the first shot, at the origin."""
    clip = track.require_clip()
    lens = {
        "aspectRatio": clip.width / clip.height,
        "yfov": 2.0 * math.atan(0.5 * clip.height / float(clip.focal_px[0])),
        "znear": _NEAR_M,
    }
    camera = out.add("cameras", {"name": "camera", "type": "perspective", "perspective": lens})
    return out.add("nodes", {"name": "camera", "camera": camera})


def _quaternions(rotations: NDArray[np.floating]) -> NDArray[np.float64]:
    """[F, 3, 3] -> [F, 4] x, y, z, w; of the two that mean the same, the one nearer to the frame before."""
    found = Rotation.from_matrix(rotations).as_quat()
    turned = (found[1:] * found[:-1]).sum(axis=1) < 0.0
    found[1:] *= np.where(np.cumsum(turned) % 2 == 1, -1.0, 1.0)[:, None]
    return found
