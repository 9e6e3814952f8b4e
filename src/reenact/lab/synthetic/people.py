# SPDX-License-Identifier: Apache-2.0
"""People who do not exist: any age, a shape outside the head model's own basis, and folds of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from reenact.head.head_model import personalised
from reenact.head.mesh import rms_radius
from reenact.head.model import Float, Int
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import EYEBALL, region_ids
from reenact.head.shape import HeadShape
from reenact.head.state import deformed, posed, torso_translation
from reenact.media.arrays import read_arrays
from reenact.media.files import asset
from reenact.rendering import vertex_normals

from .folds import fold_depths, fold_profiles, folds
from .noise import rng
from .surface import fine_surface

_GOLDEN = 0.6180339887498949  # its multiples fill 0..1 evenly, however many people are drawn
_WAVES = 24


@dataclass(frozen=True)
class SyntheticPerson:
    """One person. Vertices: W of the fine surface (see surface.py), the first V of them the open head's."""

    seed: int
    age: float  # years
    female: bool
    identity: Float  # [K] coefficients of the open head, without the offset
    offset: Float  # [V, 3] metres, what the identity basis does not hold
    fold_strength: Float  # [folds] around 1
    head: HeadShape = field(repr=False)

    def canonical(self, motion: Motion) -> torch.Tensor:
        """Deform the fine vertices [N, W, 3], head space, metres: expression, gaze and folds, no pose."""
        surface = fine_surface()
        fine = surface.refine(deformed(self.head, motion))
        depth = torch.from_numpy(fold_depths(motion.expression.numpy(), self.age, self.fold_strength) * self.size)
        height = depth @ torch.from_numpy(fold_profiles())  # [N, W]
        return fine + height[..., None] * vertex_normals(fine, surface.faces, "torch")

    def surface(self, motion: Motion, rest: Motion | None = None) -> Float:
        """Pose the fine vertices [N, W, 3], camera space, metres.

        rest: the frame in which the shoulders were last at ease; they follow the head's way from there in part
        (head/state.py). None takes the first frame, its head upright.
        """
        rest = _upright(motion[0]) if rest is None else rest
        weight = fine_surface().head_weight
        return posed(self.head, self.canonical(motion), motion, rest, weight).numpy()

    def torso(self, motion: Motion, rest: Motion | None = None) -> tuple[Float, Float]:
        """Return rotation [3, 3] and translations [N, 3] of the shoulders, canonical to camera space."""
        rest = _upright(motion[0]) if rest is None else rest
        return rest.rotation[0].numpy(), (rest.translation + torso_translation(self.head, rest, motion)).numpy()

    @property
    def size(self) -> float:
        """Size of the face as a share of the base adult's."""
        return _face_size(self.head.neutral) / _face_size(open_head().base_neutral)


def synthetic_person(seed: int, *, age: float | None = None) -> SyntheticPerson:
    """Make the person of a seed; `age` in years overrides the seed's.

    Ages of consecutive seeds are spread evenly over 0 to 90 years. Takes about half a second, for the actions.
    """
    draw = rng(seed, "person")
    female = bool(draw.random() < 0.5)
    age = 90.0 * ((seed * _GOLDEN + 0.37) % 1.0) if age is None else age
    head = open_head()
    mean, spread = _by_age(age, female)
    # All of an age's own spread makes one person in a handful odd, and small children, who differ less, most of them.
    share = np.interp(age, (0, 8, 18), (0.50, 0.60, 0.80))
    identity = mean + share * spread * np.clip(draw.standard_normal(len(mean)), -2.2, 2.2)
    identity = identity.astype(np.float32)
    size = _face_size(head.neutral(torch.from_numpy(identity))) / _face_size(head.base_neutral)
    offset = out_of_basis_offset(seed, float(draw.uniform(0.0010, 0.0018)) * size)
    strength = np.exp(0.35 * draw.standard_normal(len(folds()))).astype(np.float32)
    own = personalised(head, identity, offset)
    return SyntheticPerson(seed, age, female, identity, offset, strength, own)


def out_of_basis_offset(seed: int, rms_m: float) -> Float:
    """Sample a smooth random field [V, 3], partly asymmetric, without its part within the identity basis.

    rms_m: root mean square length over the face, metres. Waves in space, not over the surface: what touches moves
    together, so lips stay shut. The eyeballs keep their shape, and the lids stay near them.
    """
    head = open_head()
    top, base = head.topology, head.base_neutral.numpy()
    draw = rng(seed, "offset")
    ways = draw.standard_normal((_WAVES, 3))
    # Waves of 45 to 110 mm are shorter than the basis follows, and longer than two triangles.
    ways *= (2 * np.pi / draw.uniform(0.045, 0.110, _WAVES) / np.linalg.norm(ways, axis=1))[:, None]
    phases, gains = draw.uniform(0, 2 * np.pi, _WAVES), draw.standard_normal((_WAVES, 3))

    def waves(points: Float) -> Float:
        return (np.sin(points @ ways.T + phases) @ gains).astype(np.float32)

    flip = np.asarray([-1.0, 1.0, 1.0], np.float32)
    own, other = waves(base), waves(base * flip) * flip
    field_ = 0.5 * (own + other) + 0.18 * (own - other)
    left = head.joints(torch.zeros(head.identity_size)).eyes[0].numpy()
    centres = np.asarray([[1, 1, 1], [-1, 1, 1]], np.float32) * left
    near = np.min([np.linalg.norm(base - c, axis=1) for c in centres], axis=0)
    fade = 0.25 + 0.75 * np.clip((near - 0.013) / (0.024 - 0.013), 0.0, 1.0)  # metres from the eyeball's centre
    # Skull and neck get less: nothing that is looked at hangs on them.
    fade *= 0.35 + 0.65 * top.face_weight.numpy()
    field_ *= fade[:, None]
    field_ -= np.tensordot(_inverse_basis() @ field_[_face_rows()].ravel(), _basis(), axes=1) * fade[:, None]
    field_[top.region_vertices(*region_ids(*EYEBALL))] = 0.0
    return (field_ * (rms_m / np.sqrt((field_[_face_rows()] ** 2).sum(1).mean()))).astype(np.float32)


def _upright(state: Motion) -> Motion:
    """Return a motion in the same place, the head looking straight at the camera."""
    return state.replace(rotation=np.tile(np.diag([1.0, -1.0, -1.0]), (len(state), 1, 1)))


def _by_age(age: float, female: bool) -> tuple[Float, Float]:
    """Return mean and spread [K] of the identity coefficients at an age."""
    table = _age_table()
    sex = int(female)
    at = np.interp(age, table["years"], np.arange(len(table["years"])))
    low = min(int(at), len(table["years"]) - 2)
    mean, spread = (
        (1 - (at - low)) * table[n][sex, low] + (at - low) * table[n][sex, low + 1] for n in ("mean", "spread")
    )
    return mean, spread


@lru_cache(maxsize=1)
def _age_table() -> dict[str, Float]:
    return read_arrays(asset("people_by_age.safetensors"), "table of ages")[0]


@lru_cache(maxsize=1)
def _face_rows() -> Int:
    return np.flatnonzero(open_head().topology.face_weight.numpy() > 0.5)


@lru_cache(maxsize=1)
def _basis() -> Float:
    return open_head().identity_basis()[1].numpy()


@lru_cache(maxsize=1)
def _inverse_basis() -> Float:
    """Return the map [K, 3 N] from offsets of the face's N vertices to coefficients, by damped least squares.

    Undamped, the smallest components would be used for what they hardly hold, and roughen the rest.
    """
    basis = _basis()[:, _face_rows()].reshape(len(_basis()), -1).astype(np.float64)
    gram = basis @ basis.T
    return np.linalg.solve(gram + 1e-4 * np.trace(gram) / len(gram) * np.eye(len(gram)), basis).astype(np.float32)


def _face_size(vertices: Tensor) -> float:
    return float(rms_radius(vertices.numpy()[_face_rows()]))
