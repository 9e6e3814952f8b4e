# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera that every room shares: one focal length, square pixels, no distortion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """A pinhole camera and the picture it makes.

    Camera space has OpenCV axes: x right, y down, z away from the camera, metres. Pixel coordinates grow
    right and down, and the centre of the top-left pixel is (0.5, 0.5).

    Raises ValueError if the focal length or a side of the picture is not positive.
    """

    focal_px: float
    """Focal length in pixels, the same for both axes."""
    cx: float
    """Principal point, x in pixels; the middle of the picture is width / 2."""
    cy: float
    """Principal point, y in pixels; the middle of the picture is height / 2."""
    width: int
    """Picture width in pixels."""
    height: int
    """Picture height in pixels."""

    def __post_init__(self) -> None:
        if not self.focal_px > 0.0:
            raise ValueError(f"focal_px must be positive, got {self.focal_px}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a picture needs at least one pixel a side, got {self.width} x {self.height}")

    def project(self, X_cam: Tensor) -> Tensor:
        """Project points onto the picture and keep their depth beside them.

        X_cam: [..., V, 3] float, camera space, metres. Returns [..., V, 3]: x px, y px, z m. Nothing is
        clipped: what lies behind the camera (z <= 0) gets a meaningless x and y, and the rasteriser drops it
        by its z.
        """
        x, y, z = X_cam.unbind(-1)
        return torch.stack((x / z * self.focal_px + self.cx, y / z * self.focal_px + self.cy, z), dim=-1)

    def zoomed(self, factor: float) -> Camera:
        """The same picture's camera with another focal length, `factor` times as long."""
        return replace(self, focal_px=self.focal_px * factor)

    def scaled(self, factor: float) -> Camera:
        """The same view in a picture resized by `factor`; sides are rounded to whole pixels."""
        return Camera(
            focal_px=self.focal_px * factor,
            cx=self.cx * factor,
            cy=self.cy * factor,
            width=round(self.width * factor),
            height=round(self.height * factor),
        )

    def cropped(self, x0: float, y0: float, size: float, out: int) -> Camera:
        """The view of a square crop, resized.

        x0, y0: top-left corner of the crop, px of this picture (it may lie outside). size: side of the crop,
        px of this picture. out: side of the resulting picture, px.
        """
        factor = out / size
        return Camera(
            focal_px=self.focal_px * factor,
            cx=(self.cx - x0) * factor,
            cy=(self.cy - y0) * factor,
            width=out,
            height=out,
        )
