# SPDX-License-Identifier: Apache-2.0
"""Subjects to move a performance onto, in pictures of nothing."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike

from reenact.head.camera import Camera
from reenact.head.landmarks import LANDMARKS
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Reference, Subject

_CAMERA = Camera(600.0, 256.0, 256.0, 512, 512)


def photographed(motion: Motion, shape: ArrayLike | None = None) -> Subject:
    """Somebody of the open head's kind in a photo that shows `motion`, of one frame. shape: [K]; None: the mean."""
    model = open_head()
    code = torch.zeros(model.identity_size) if shape is None else torch.as_tensor(shape, dtype=torch.float32)
    reference = Reference(torch.zeros(512, 512, 3, dtype=torch.uint8), motion, _CAMERA)
    return Subject(model, code, _CAMERA, torch.zeros(LANDMARKS, 3), references=(reference,))
