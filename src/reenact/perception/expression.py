# SPDX-License-Identifier: Apache-2.0
"""What a picture says of a face's expression: the sources of evidence, run and fused."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS
from reenact.media import torch_device
from reenact.media.files import asset

from .blendshapes import blendshape_evidence
from .efficientnet import fused
from .evidence import ExpressionEvidence, PoseEvidence, fuse
from .expression_network import CODES, DISTANCE, INPUT_PX, ROTATION, ExpressionOutput, load_expression
from .face_crop import crop_matrix, face_crop
from .landmark_network import FaceLandmarks

WEIGHTS: Final = asset("expression.safetensors")
_REAL: Final = 2.0
"""How much farther off codes are on real videos than on held-out synthetic and moved faces. Landmarks of four real
clips are met best with 2 to 3 (.62 .71 .65 1.84 px with 1; .58 .67 .63 1.82 with 2; .58 .68 .62 1.77 with 3); on
synthetic people codes err by .060, .063, .067."""


class _PixelExpression:
    """The expression network with its weights, for single faces."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        """Read weights of `reenact train expression`. Raises InputError."""
        net, spread = load_expression(weights)
        self._spread, self._device = spread.numpy(), device
        self._net = fused(net).to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] as in dense.py

    def __call__(self, image: NDArray[np.uint8], points: NDArray[np.floating]) -> ExpressionEvidence:
        """Look at the face with landmarks [478, 2] px in a picture [H, W, 3] sRGB; F = 1."""
        crop = torch.from_numpy(face_crop(image, points, INPUT_PX)).permute(2, 0, 1)[None].float() / 255.0
        with torch.inference_mode():
            out = self._net(crop.to(self._device).contiguous(memory_format=torch.channels_last))
        return evidence(ExpressionOutput(out.mean.cpu(), out.log_variance.cpu()), self._spread, points)


@lru_cache(maxsize=2)
def _pixel_expression(weights: Path, device: torch.device) -> _PixelExpression:
    """Read the shipped network, or one to compare with it, once."""
    return _PixelExpression(weights, device)


def evidence(out: ExpressionOutput, spread: NDArray[np.floating], points: NDArray[np.floating]) -> ExpressionEvidence:
    """One face's output as evidence.

    spread: [OUTPUTS] how many of the network's own standard deviations its errors have on people whom it has not seen.
    points: [478, 2] px, by which the face was cropped.
    """
    mean, sigma = out.mean[0].numpy(), torch.exp(0.5 * out.log_variance[0]).numpy() * spread.astype(np.float32)
    linear = crop_matrix(points, INPUT_PX)[:, :2]
    roll = np.arctan2(linear[1, 0], linear[0, 0])
    unroll = cv2.Rodrigues(np.asarray([0.0, 0.0, -roll]))[0]
    into_camera = np.diag([1.0, -1.0, -1.0])  # R_cam_head of a head that looks into the camera
    turn = unroll @ cv2.Rodrigues(mean[ROTATION].astype(np.float64))[0] @ into_camera
    pose = PoseEvidence(turn[None].astype(np.float32), sigma[None, ROTATION], mean[DISTANCE], sigma[DISTANCE])
    codes = _REAL * sigma[None, CODES]
    # Looking is the gaze's, and the tongue has a detector of its own (tongue.py).
    codes[:, [a.startswith(("eyeLook", "tongueOut")) for a in ACTIONS]] = np.inf
    return ExpressionEvidence(mean[None, CODES].clip(0.0, 1.5), codes, pose)


Source = Literal["blendshapes", "pixels"]


class ExpressionObserver:
    """Look at one face after another."""

    def __init__(
        self,
        sources: Collection[Source] = ("blendshapes", "pixels"),
        weights: Path = WEIGHTS,
        device: str | None = None,
    ) -> None:
        """Choose what to ask.

        sources: of the evidence; the expression network (pixels) also gives pose and distance.
        weights: of the expression network, the shipped ones or others to compare with them.
        device: of that network, see `torch_device`.
        """
        self._sources = sources
        self._pixels = _pixel_expression(weights, torch_device(device)) if "pixels" in sources else None

    def __call__(self, image: np.ndarray, face: FaceLandmarks) -> ExpressionEvidence:
        """Return the evidence (F = 1) about a face found in a picture [H, W, 3] uint8 sRGB."""
        found = []
        if "blendshapes" in self._sources:
            found.append(blendshape_evidence(face.blendshapes[None]))
        if self._pixels is not None:
            found.append(self._pixels(image, face.points))
        return fuse(found)
