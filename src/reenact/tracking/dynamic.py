# SPDX-License-Identifier: Apache-2.0
"""What a face does beyond its 52 actions, frame by frame, as flow saw it: the paper's dynamic offsets, at landmarks.

Fitted to landmarks that the video's pixels have corrected (flow.py), a head still leaves something over: no sum of
actions makes this very cheek, and a pose is off by what the shape is off. How far the pixels are from the fit is kept,
within the picture plane, where they say anything; the rest of a performance stays what it was.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from reenact.head.landmarks import INNER_LIPS, IRIS, LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS

from .fit import Points
from .flow import Shot

_MOST_M: Final = 0.005  # longer ones are shortened to come near it: no skin slips so far, a wrong match does
_STEADY: Final = 0.4  # frames, standard deviation

Float = NDArray[np.float32]


def dynamic_offsets(shot: Shot, found: Points, trust: Float) -> Float:
    """[N, 478, 3] metres in head space, apart from their median over the shot.

    shot: as fitted, without offsets. found: [N, 478, 2] px where flow has the landmarks. trust: [N, 478] 0 to 1; where
    it is 0, nothing is offset. Eyes and the inner lips open and close by their actions alone: they are
    carried along by the skin around them.
    """
    away = found - shot.predicted
    away -= np.median(away, axis=0)
    away *= trust[..., None]
    offsets = np.concatenate([_in_head(shot, away[rows], rows) for rows in shot.parts()])
    gaussian_filter1d(offsets, _STEADY, axis=0, mode="nearest", output=offsets)
    return offsets


def _in_head(shot: Shot, away: Float, rows: slice) -> Float:
    """Ways [R, 478, 2] px in the pictures of some frames as [R, 478, 3] metres in head space."""
    depth = shot.depth(rows)[..., None]
    in_camera = np.concatenate([away * depth / shot.subject.camera.focal_px, np.zeros_like(depth)], axis=2)
    offsets = in_camera @ shot.fitted.rotation[rows].numpy()  # R^T v, row by row
    for lids, iris in zip((LEFT_LIDS, RIGHT_LIDS), IRIS, strict=True):
        offsets[:, [*lids, *iris]] = offsets[:, list(lids)].mean(axis=1, keepdims=True)
    offsets[:, list(INNER_LIPS)] = offsets[:, list(OUTER_LIPS)].mean(axis=1, keepdims=True)
    length = np.linalg.norm(offsets, axis=-1, keepdims=True)
    return (offsets / np.sqrt(1.0 + (length / _MOST_M) ** 2)).astype(np.float32)
