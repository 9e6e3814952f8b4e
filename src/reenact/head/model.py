# SPDX-License-Identifier: Apache-2.0
"""The protocol every parametric head obeys, and the mesh facts that its users need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Float = NDArray[np.float32]
Int = NDArray[np.int32]


@dataclass(frozen=True)
class Topology:
    """What does not change from person to person.  V vertices, F triangles, 478 landmarks."""

    faces: Int  # [F, 3]
    regions: NDArray[np.uint8]  # [F] index into heads.regions.REGIONS
    uv: Float  # [T, 2] in [0, 1], v up
    uv_faces: Int  # [F, 3] into uv
    mirror: Int  # [V] the vertex on the other side of the face
    face_weight: Float  # [V] 1 on the face proper, soft to 0 on skull, ears and neck
    head_weight: Float  # [V] 1 turns with the head, 0 stays with the torso
    lip_contacts: Int  # [P, 2] (upper, lower) vertices that touch when the mouth is shut
    lid_contacts: Int  # [Q, 2] (upper, lower) vertices that touch when an eye is shut
    landmark_vertices: Int  # [478, 3] each landmark of the MediaPipe scheme is a mix of three vertices
    landmark_weights: Float  # [478, 3] non-negative, rows sum to 1
    _rows: dict[tuple[int, ...], Int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def region_faces(self, *ids: int) -> NDArray[np.bool_]:
        """[F] triangles whose region is one of `ids`."""
        return np.isin(self.regions, ids)

    def region_vertices(self, *ids: int) -> Int:
        """Sorted vertices used by triangles of the regions `ids`; found once, so not to be written to."""
        if ids not in self._rows:
            rows = np.unique(self.faces[self.region_faces(*ids)]).astype(np.int32)
            rows.setflags(write=False)
            self._rows[ids] = rows
        return self._rows[ids]

    def landmarks(self, vertices: Float) -> Float:
        """[..., V, 3] -> [..., 478, 3] positions of the landmarks."""
        corners = vertices[..., self.landmark_vertices, :]
        return np.einsum("...lkc,lk->...lc", corners, self.landmark_weights)

    def at_landmarks(self, values: Tensor) -> Tensor:
        """[..., V, C] of the vertices -> [..., 478, C] of the landmarks."""
        corners = values[..., torch.from_numpy(self.landmark_vertices.astype("int64")).to(values.device), :]
        return (corners * torch.from_numpy(self.landmark_weights).to(values)[..., None]).sum(-2)


@dataclass(frozen=True)
class Joints:
    """Turning points in canonical head space, metres."""

    neck: Float  # [3] between collar and skull
    head: Float  # [3] where the skull sits on the neck
    jaw: Float  # [3]
    eyes: Float  # [2, 3] eyeball centres, subject's left then right


class ParametricHead(Protocol):
    """A linear head: neutral(identity) in canonical space (metres, x subject's left, y up, z out of the face,
    origin midway between the eyeballs of the neutral), and 52 ARKit actions sculpted on one base person.

    Identity coefficients are independent with unit variance over the population, so |identity|^2 / 2 is the
    negative log prior.
    """

    name: str
    topology: Topology

    @property
    def identity_size(self) -> int: ...

    @property
    def base_neutral(self) -> Float:
        """[V, 3] the person the actions were sculpted on."""
        ...

    @property
    def base_actions(self) -> Float:
        """[52, V, 3] offsets of each ARKit action on the base person (eyeballs excluded: they turn rigidly)."""
        ...

    @property
    def gaze_limits(self) -> Float:
        """[2, 4] radians an eyeball has turned at eyeLook In, Out, Up, Down = 1 (left eye, right eye)."""
        ...

    def neutral(self, identity: Float) -> Float:
        """[K] -> [V, 3]."""
        ...

    def joints(self, identity: Float) -> Joints: ...

    def identity_basis(self, vertices: Int) -> tuple[Float, Float]:
        """Mean [N, 3] and basis [K, N, 3] of some vertices: what a fit needs without touching the rest."""
        ...
