# SPDX-License-Identifier: Apache-2.0
"""A picture as a driving motion: from a neutral face into the picture's expression, in its head pose."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from reenact.head.arkit import index
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.media import read_image
from reenact.perception import ExpressionObserver, tongue_out

from .fit import clip_of, fit_frames, fit_person
from .flow import Shot
from .track import find_face

_FPS = Fraction(25)
_REST_S, _MOVE_S, _HOLD_S = 0.4, 0.6, 1.0


def track_image(model: ParametricHead, path: Path, *, face: int = 0, task: Path | None = None) -> Motion:
    """Track a picture: two seconds at 25 frames/s that end in its expression, in its head pose and gaze throughout.

    Raises InputError if the picture cannot be read or shows no such face.
    """
    image = read_image(path)
    height, width = image.shape[:2]
    detected = find_face(image, face, path, task)
    points, evidence = detected.points[None], ExpressionObserver()(image, detected)
    person = fit_person(model, points, width, height, evidence)
    fitted = fit_frames(person, points, np.zeros(0, bool), evidence=evidence)
    expression = fitted.expression.numpy().copy()
    expression[:, index("tongueOut")] = tongue_out(image, points[0])
    rest, move, hold = (round(s * float(_FPS)) for s in (_REST_S, _MOVE_S, _HOLD_S))
    ramp = np.linspace(0, 1, move + 2)[1:-1]
    amount = np.concatenate([np.zeros(rest), ramp**2 * (3 - 2 * ramp), np.ones(hold)])
    count = len(amount)
    residual = Shot(person, points, fitted, np.zeros(1, np.int64), evidence).residual_px
    return Motion(
        amount[:, None] * expression,
        fitted.gaze.repeat(count, 1, 1),
        fitted.rotation.repeat(count, 1, 1),
        fitted.translation.repeat(count, 1),
        fps=_FPS,
        clip=clip_of(
            model,
            path.name,
            [person],
            count,
            frame=np.zeros(count, np.int32),
            residual_px=np.repeat(residual, count),
        ),
    )
