# SPDX-License-Identifier: Apache-2.0
"""`Subject`: who a person is, and the pictures that show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from torch import Tensor

from .camera import Camera
from .head_model import head_model, personalised
from .levels import Levels, refine
from .mesh import rms_radius
from .model import ParametricHead
from .motion import Motion
from .shape import HeadShape
from .state import deformed

_HEAD = ("model", "shape", "static_offset")  # what `Subject.head` is made of


@dataclass(frozen=True, eq=False)
class Reference:
    """A picture of a subject, and the head in it."""

    image: Tensor
    """[H, W, 3] uint8 sRGB."""
    motion: Motion
    """Of one frame: expression, gaze and head pose in the picture."""
    camera: Camera
    """Of the picture: H x W px."""

    def __post_init__(self) -> None:
        shape = (self.camera.height, self.camera.width, 3)
        if tuple(self.image.shape) != shape:
            raise ValueError(f"image has shape {tuple(self.image.shape)}; its camera wants {shape}")


@dataclass(frozen=True, eq=False, repr=False)
class Subject:
    """Who a person is: coefficients of a head model, what they leave over, and pictures.

    Tensors are float32, on the CPU. Offsets are metres in canonical head space. V vertices of the head model's mesh,
    W of the mesh after one round of subdivision.
    """

    model: ParametricHead
    shape: Tensor
    """[K] identity coefficients of the model, in standard deviations."""
    camera: Camera
    """Of the first source."""
    placement: Tensor
    """[478, 3] metres from the place of each landmark on the mesh to where the detector sees it on this person."""
    static_offset: Tensor | None = None
    """[V, 3] the paper's D_g as far as the model's mesh holds it; None if it was not fitted."""
    fine_offset: Tensor | None = None
    """[W, 3] what of it is finer; see `HeadModel.forward`."""
    texture: Tensor | None = None
    """[H, W, 3] uint8 sRGB in the layout of `subject.atlas.head_atlas`; None if it was not baked."""
    references: tuple[Reference, ...] = ()
    """Pictures that a generator takes the appearance from, the first before all others."""
    motion: Motion | None = None
    """What the subject does in the first source, with dynamic offsets where they were fitted."""
    provenance: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """How it was made: plain types."""

    def __repr__(self) -> str:
        static = "no" if self.static_offset is None else "with"
        pictures = ", ".join(f"{r.camera.width} x {r.camera.height} px" for r in self.references) or "none"
        return f"Subject({self.model.name}, {static} static offsets, references: {pictures}, motion: {self.motion})"

    @cached_property
    def head(self) -> HeadShape:
        """The subject's head as a function of expression, gaze and dynamic offsets; made once."""
        return personalised(self.model, self.shape, self.static_offset)

    @property
    def levels(self) -> Levels:
        """The meshes of all levels of detail."""
        return head_model(self.model).levels

    def surface(self, motion: Motion, level: int = 2) -> Tensor:
        """[F, N, 3] the subject's surface in each frame, canonical, metres, at a level of detail from 0 to 2."""
        return refine(self.levels, deformed(self.head, motion), level, self.fine_offset if level else None)

    def neutral(self, level: int = 2) -> Tensor:
        """[N, 3] the subject's surface at rest: V_neutral = V^s + D_g (paper, section 2), canonical, metres."""
        return refine(self.levels, self.head.neutral, level, self.fine_offset if level else None)

    @property
    def face_size_m(self) -> float:
        """Root mean square radius of the neutral face's landmarks, metres."""
        neutral = head_model(self.model).neutral(self.shape, self.static_offset)
        return float(rms_radius(self.model.topology.at_landmarks(neutral).numpy()))

    def replace(self, **changes: Any) -> Subject:
        """Return the subject with other values of some fields."""
        out = dataclasses.replace(self, **changes)
        if "head" in self.__dict__ and not any(name in changes for name in _HEAD):
            out.__dict__["head"] = self.head  # the cached property: nothing that it depends on has changed
        return out

    def require_reference(self) -> Reference:
        """Return the first reference. Raises ValueError if there is none."""
        if not self.references:
            raise ValueError("the subject has no reference picture; want one that was fitted to a photo")
        return self.references[0]
