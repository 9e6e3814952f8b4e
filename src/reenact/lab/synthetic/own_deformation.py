# SPDX-License-Identifier: Apache-2.0
"""People who do not exist whose own way of moving is known: what expression transfer learns from and is measured on.

A person's own deformation is more than the 52 actions carried over to their anatomy (`HeadModel.personalise`). It has
the corrections that the heads of fitted people have in common. And thick tissue slides less and bulges more than thin,
slack skin slides further, and skin folds where it has folded all life long: that shows in the face at rest, but is a
rule. On fitted people it correlates with nothing, so it is kept small enough to do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS
from reenact.head.levels import open_levels
from reenact.head.mesh import rms_radius
from reenact.head.model import Float, Int
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.shape import HeadShape
from reenact.head.state import codes_of, deformed
from reenact.media.arrays import read_arrays
from reenact.media.files import asset
from reenact.rendering import vertex_normals

from ...transfer.subject_features import tangent_frames
from . import SyntheticPerson, synthetic_person
from .folds import fold_depths, profiles_on

_FOLDS = 0.4  # of the depth that folds have in a synthetic portrait
# Where tissue is thick or thin: landmark on the subject's right and left, and how far it reaches, metres.
_PADS = {
    "cheek": ((205, 425), 0.020),
    "jowl": ((136, 365), 0.016),
    "temple": ((139, 368), 0.018),
    "brow": ((69, 299), 0.016),
    "chin": ((199, 199), 0.012),
}
_OFF_CONTACT_M = (0.004, 0.012)  # distance from lips and lids over which the tissue begins


@dataclass(frozen=True)
class OwnDeformation:
    """One person. W vertices of the fit mesh, the first V the open head's own."""

    person: SyntheticPerson
    tissue: Float  # [V] 0: as the base adult's
    rest_depths: Float  # [K] metres of each fold at rest

    @staticmethod
    def of(seed: int, *, age: float | None = None) -> OwnDeformation:
        """Make the person of a seed; age as in `synthetic_person`."""
        person = synthetic_person(seed, age=age)
        # From thirty on folds begin to stay; at eighty half of each does.
        stays = np.interp(person.age, (30.0, 50.0, 80.0), (0.0, 0.15, 0.5))
        full = _FOLDS * fold_depths(np.ones((1, len(ACTIONS)), np.float32), person.age, person.fold_strength)[0]
        return OwnDeformation(person, _tissue(person), (stays * person.size * full).astype(np.float32))

    @property
    def head(self) -> HeadShape:
        return self.person.head

    def neutral(self) -> torch.Tensor:
        """Return the neutral [W, 3], canonical, metres, with the folds that stay."""
        return self._folded(self.head.neutral[None], torch.from_numpy(self.rest_depths)[None])[0]

    def shapes(self, motion: Motion) -> torch.Tensor:
        """Deform the face by a motion [F, W, 3], canonical, metres."""
        control = self.control(motion)
        depths = fold_depths(motion.expression.numpy(), self.person.age, self.person.fold_strength) * (
            _FOLDS * self.person.size
        )
        return self._folded(control, torch.from_numpy(np.maximum(depths, self.rest_depths)))

    def control(self, motion: Motion) -> torch.Tensor:
        """Deform the control mesh by a motion [F, V, 3], without folds."""
        head, expression = self.head, motion.expression
        plain = head.deform(expression, motion.gaze)
        jaw = torch.tensordot(expression * torch.tensor([name.startswith("jaw") for name in ACTIONS]), head.actions, 1)
        soft = plain - head.neutral - jaw
        normal = vertex_normals(head.neutral[None], _faces(), "torch")[0]
        along = soft - (soft * normal).sum(-1, keepdim=True) * normal
        far = along.norm(dim=-1, keepdim=True)
        tissue = torch.from_numpy(self.tissue)[:, None]
        own = plain - 0.07 * tissue * along + 0.10 * tissue * far * normal  # thick tissue slides less and bulges more
        corrections = torch.from_numpy(shipped_corrections().on(head.neutral.numpy()))
        own = own + torch.tensordot(codes_of(head, motion), corrections, 1)
        return head.meet(own, expression)

    def _folded(self, control: torch.Tensor, depths: torch.Tensor) -> torch.Tensor:
        fit = open_levels()[1]
        fine = fit.upsample(control)
        height = depths @ torch.from_numpy(_profiles())
        return fine + height[..., None] * vertex_normals(fine, fit.faces, "torch")


def linear(head: HeadShape, motion: Motion) -> torch.Tensor:
    """Deform a head without a person's own deformation, lids made to meet, on the fit mesh [F, W, 3]."""
    return open_levels()[1].upsample(deformed(head, motion))


def _tissue(person: SyntheticPerson) -> Float:
    """Return the fullness of tissue [V]: each pad's, a child's cheeks, slack skin of the old."""
    base, own = open_head().base_neutral, person.head.neutral / person.size
    normal = vertex_normals(base[None], _faces(), "torch")[0]
    face = open_head().topology.face_weight.numpy() > 0.5
    rise = ((own - base) * normal).sum(-1).numpy()
    rise -= rise[face].mean()
    young = np.interp(person.age, (0.0, 8.0, 20.0, 60.0, 90.0), (0.8, 0.5, 0.0, 0.0, -0.6))
    out = np.zeros(len(base), np.float32)
    for name, mask in _pads().items():
        # A cheek that rises 2.5 mm over the base adult's, at one size, counts as one.
        full = np.clip((rise * mask).sum() / mask.sum() / 0.0025, -1.2, 1.2)
        out += mask * (full + (young if name in ("cheek", "jowl") else 0.5 * young))
    return out


@lru_cache(maxsize=1)
def _pads() -> dict[str, Float]:
    """Make the masks of pads, [V] each, 1 in its middle."""
    model = open_head()
    top, base = model.topology, model.base_neutral.numpy()
    marks = top.at_landmarks(model.base_neutral).numpy()
    edges = base[torch.cat([top.lip_contacts, top.lid_contacts]).unique().numpy()]
    away = np.linalg.norm(base[:, None] - edges[None], axis=-1).min(1)
    clear = np.clip((away - _OFF_CONTACT_M[0]) / np.ptp(_OFF_CONTACT_M), 0.0, 1.0) * open_levels()[0].face.numpy()

    def reach(point: Float, radius: float) -> NDArray[np.floating]:
        return np.exp(-((base - point) ** 2).sum(-1) / (2.0 * radius**2))

    return {
        name: (clear * np.max([reach(marks[n], radius) for n in numbers], axis=0)).astype(np.float32)
        for name, (numbers, radius) in _PADS.items()
    }


@lru_cache(maxsize=1)
def _profiles() -> Float:
    """Return the profiles of folds on the fit mesh [K, W]."""
    fit = open_levels()[1]
    base = fit.upsample(open_head().base_neutral).numpy()
    return profiles_on(base, fit.faces.numpy(), fit.regions.numpy())


def _faces() -> torch.Tensor:
    return open_head().topology.faces


@dataclass(frozen=True)
class ActionCorrections:
    """What the 52 actions do on real people beyond what a sculptor gave them, on n vertices of the control mesh.

    It is what the dynamic offsets of many fitted people have in common, so it is nobody's own.
    """

    vertices: Int  # [n]
    offsets_mm: Float  # [52, n, 3] a unit of code on a face of the base adult's size, in `vertex_frames` of each vertex

    def on(self, neutral: Float) -> Float:
        """Fit the corrections to a subject's neutral [V, 3], canonical metres: [52, V, 3] metres a unit of code."""
        out = np.zeros((len(self.offsets_mm), *neutral.shape), np.float32)
        frames = vertex_frames(neutral)[self.vertices]
        out[:, self.vertices] = np.einsum("nij,anj->ani", frames, self.offsets_mm) * (
            0.001 * relative_face_size(neutral)
        )
        return out


@lru_cache(maxsize=1)
def shipped_corrections() -> ActionCorrections:
    """Load the shipped corrections, once a process."""
    found, _ = read_arrays(asset("action_corrections.safetensors"), "file of action corrections")
    return ActionCorrections(found["vertices"], found["answers"].astype(np.float32))


@lru_cache(maxsize=1)
def corrected_rows() -> NDArray[np.int64]:
    """Find the control vertices that dynamic offsets move [n]."""
    return np.flatnonzero(open_levels()[0].face.numpy() > 0.0)


def vertex_frames(neutral: Float) -> Float:
    """Return the frames [V, 3, 3] of a control mesh's vertices [V, 3], see `tangent_frames`."""
    return tangent_frames(vertex_normals(torch.from_numpy(neutral)[None], _faces(), "torch")[0]).numpy()


def relative_face_size(neutral: Float) -> float:
    """Measure a face [V, 3] as a share of the base adult's."""
    face = open_head().topology.face_weight.numpy() > 0.5
    own, base = (rms_radius(x[face]) for x in (neutral, open_head().base_neutral.numpy()))
    return float(own / base)
