# SPDX-License-Identifier: Apache-2.0
"""A picture as a driving motion: from a neutral face into the picture's expression, in its head pose."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from reenact.head.arkit import index
from reenact.head.model import HeadModel
from reenact.media import read_image
from reenact.perception import ExpressionObserver, tongue_out

from .coarse_track import CoarseTrack
from .face_model import landmark_model
from .fit import fit_frames, fit_person
from .track import find_face

_FPS = Fraction(25)
_REST_S, _MOVE_S, _HOLD_S = 0.4, 0.6, 1.0


def track_image(model: HeadModel, path: Path, *, face: int = 0, task: Path | None = None) -> CoarseTrack:
    """Track a picture: two seconds at 25 frames/s that end in its expression, in its head pose and gaze throughout.

    Raises InputError if the picture cannot be read or shows no such face.
    """
    image = read_image(path)
    height, width = image.shape[:2]
    detected = find_face(image, face, path, task)
    points, evidence = detected.points[None], ExpressionObserver()(image, detected)
    person = fit_person(model, points, width, height, evidence)
    fitted = fit_frames(person, points, np.zeros(0, bool), evidence=evidence)
    fitted.expression[:, index("tongueOut")] = tongue_out(image, points[0])
    rest, move, hold = (round(s * float(_FPS)) for s in (_REST_S, _MOVE_S, _HOLD_S))
    ramp = np.linspace(0, 1, move + 2)[1:-1]
    amount = np.concatenate([np.zeros(rest), ramp**2 * (3 - 2 * ramp), np.ones(hold)])
    count = len(amount)
    return CoarseTrack(
        fps=_FPS,
        width=width,
        height=height,
        head=model.name,
        expression=(amount[:, None] * fitted.expression).astype(np.float32),
        gaze=np.repeat(fitted.gaze, count, axis=0),
        R_cam_head=np.repeat(fitted.R_cam_head, count, axis=0),
        t_cam_head=np.repeat(fitted.t_cam_head, count, axis=0),
        residual_px=np.repeat(fitted.residual_px, count),
        seen=np.ones(count, bool),
        shot=np.zeros(count, np.int32),
        frame=np.zeros(count, np.int32),
        identity=person.identity[None],
        focal_px=np.asarray([person.camera.focal_px], np.float32),
        face_size_m=np.asarray([landmark_model(person.rig).size], np.float32),
        placement=person.placement[None],
        source=path.name,
    )
