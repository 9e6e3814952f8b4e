# SPDX-License-Identifier: Apache-2.0
"""The protocol every parametric head obeys, and the mesh facts that its users need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .regions import in_regions

Float = NDArray[np.float32]
Int = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Topology:
    """What does not change from person to person.  V vertices, F triangles, 478 landmarks.

    Tensors are on the CPU: indices int64, weights and coordinates float32. All heads of a model share them, so they
    are not to be written to.
    """

    faces: Tensor  # [F, 3]
    regions: Tensor  # [F] uint8, index into head.regions.REGIONS
    uv: Tensor  # [T, 2] in [0, 1], v up
    uv_faces: Tensor  # [F, 3] into uv
    mirror: Tensor  # [V] the vertex on the other side of the face
    face_weight: Tensor  # [V] 1 on the face proper, soft to 0 on skull, ears and neck
    head_weight: Tensor  # [V] 1 turns with the head, 0 stays with the torso
    lip_contacts: Tensor  # [P, 2] (upper, lower) vertices that touch when the mouth is shut
    lid_contacts: Tensor  # [Q, 2] (upper, lower) vertices that touch when an eye is shut
    landmark_vertices: Tensor  # [478, 3] each landmark of the MediaPipe scheme is a mix of three vertices
    landmark_weights: Tensor  # [478, 3] non-negative, rows sum to 1
    _rows: dict[tuple[int, ...], Tensor] = field(default_factory=dict, init=False, repr=False)

    def region_faces(self, *ids: int) -> Tensor:
        """[F] bool: triangles whose region is one of `ids`."""
        return in_regions(self.regions, *ids)

    def region_vertices(self, *ids: int) -> Tensor:
        """Sorted vertices (int64) used by triangles of the regions `ids`; found once, so not to be written to."""
        if ids not in self._rows:
            self._rows[ids] = self.faces[self.region_faces(*ids)].unique()
        return self._rows[ids]

    def at_landmarks(self, values: Tensor) -> Tensor:
        """[..., V, C] of the vertices -> [..., 478, C] of the landmarks."""
        corners = values[..., self.landmark_vertices.to(values.device), :]
        return (corners * self.landmark_weights.to(values)[..., None]).sum(-2)


@dataclass(frozen=True, eq=False)
class Joints:
    """Turning points in canonical head space, metres, float32."""

    neck: Tensor  # [3] between collar and skull
    head: Tensor  # [3] where the skull sits on the neck
    jaw: Tensor  # [3]
    eyes: Tensor  # [2, 3] eyeball centres, subject's left then right


class ParametricHead(Protocol):
    """A linear head: neutral(identity) in canonical space (metres, x subject's left, y up, z out of the face,
    origin midway between the eyeballs of the neutral), and 52 ARKit actions sculpted on one base person.

    Identity coefficients are independent with unit variance over the population, so |identity|^2 / 2 is the
    negative log prior. Tensors are float32, on the CPU; what a property returns is not to be written to.
    """

    name: str
    topology: Topology

    @property
    def identity_size(self) -> int: ...

    @property
    def base_neutral(self) -> Tensor:
        """[V, 3] the person the actions were sculpted on."""
        ...

    @property
    def base_actions(self) -> Tensor:
        """[52, V, 3] offsets of each ARKit action on the base person (eyeballs excluded: they turn rigidly)."""
        ...

    @property
    def gaze_limits(self) -> Tensor:
        """[2, 4] radians an eyeball has turned at eyeLook In, Out, Up, Down = 1 (left eye, right eye)."""
        ...

    def neutral(self, identity: Tensor) -> Tensor:
        """[K] -> [V, 3]."""
        ...

    def joints(self, identity: Tensor) -> Joints:
        """Of identity coefficients [K]."""
        ...

    def identity_basis(self, vertices: Tensor | slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Mean [N, 3] and basis [K, N, 3] of some vertices, int64 [N]: what a fit needs without touching the rest."""
        ...
