# SPDX-License-Identifier: Apache-2.0
"""The square that the expression network sees: upright and of one size, by the landmarks."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.head.landmarks import EYE_CORNERS, FACE_LANDMARKS
from reenact.head.mesh import rms_radius

SIDE_PER_RADIUS: Final = 3.8
"""Side of the square in root mean square radii of the landmarks: from above the brows' folds to below the chin of an
open mouth. At 3.6 a dropped jaw leaves the square, at 5.2 a third of the pixels shows hair and background."""


def crop_matrix(points: NDArray[np.floating], side: int, wider: float = 1.0) -> NDArray[np.float64]:
    """Similarity [2, 3] from picture px to px of a crop of side x side.

    points: [478, 2] px. The crop is centred on the mean of the landmarks; the line through the eyes is level in it.
    wider: how many times the square's side it shows.
    """
    face = points[:FACE_LANDMARKS].astype(np.float64)
    centre, radius = face.mean(axis=0), rms_radius(face)
    left, right = (face[list(corners)].mean(axis=0) for corners in EYE_CORNERS)
    along = left - right
    cosine, sine = along / max(float(np.linalg.norm(along)), 1e-9)
    scale = side / (wider * SIDE_PER_RADIUS * max(float(radius), 1e-6))
    linear = scale * np.asarray([[cosine, sine], [-sine, cosine]])
    return np.concatenate([linear, (side / 2 - linear @ centre)[:, None]], axis=1)


def face_crop(
    image: NDArray[np.uint8], points: NDArray[np.floating], side: int, wider: float = 1.0
) -> NDArray[np.uint8]:
    """Cut the face out of a picture.

    Args:
        image: [H, W, 3] RGB.
        points: [478, 2] px of the picture.
        side: of the crop, px.
        wider: how many times the square's side it shows.

    Returns:
        [side, side, 3] RGB, edges replicated outside the picture.
    """
    matrix = crop_matrix(points, side, wider)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if scale < 0.5:  # bilinear sampling would alias: shrink first, and only what the crop shows
        corners = np.asarray([[0, 0], [side, 0], [0, side], [side, side]]) - matrix[:, 2]
        seen = corners @ np.linalg.inv(matrix[:, :2]).T
        x0, y0 = np.clip(np.floor(seen.min(axis=0)).astype(int) - 2, 0, None)
        x1, y1 = np.ceil(seen.max(axis=0)).astype(int) + 2
        image = image[y0:y1, x0:x1]
        factor = 2 * scale
        size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
        shrunk = np.asarray([size[0] / image.shape[1], size[1] / image.shape[0]])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = np.concatenate([matrix[:, :2] / shrunk, (matrix[:, :2] @ [x0, y0] + matrix[:, 2])[:, None]], axis=1)
    out = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)
