# SPDX-License-Identifier: Apache-2.0
"""A rasteriser backend on a device, as one callable for the tests."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reenact.rendering import Backend, Fragments, rasterise


@dataclass(frozen=True)
class Drawer:
    """One backend on one device; results come back to the CPU."""

    backend: Backend
    device: str

    def __call__(
        self, vertices_px: Tensor, faces: Tensor, height: int, width: int, *, cull_back: bool = False
    ) -> Fragments:
        drawn = rasterise(
            vertices_px.to(self.device),
            faces.to(self.device),
            height,
            width,
            cull_back=cull_back,
            backend=self.backend,
        )
        return Fragments(drawn.face.cpu(), drawn.bary.cpu(), drawn.depth.cpu(), drawn.face_count)
