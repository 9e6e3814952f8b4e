# SPDX-License-Identifier: Apache-2.0
"""A person fitted to some frames of a clip, and how well that explains others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from reenact.head.model import HeadModel
from reenact.perception.dense.crops import BASE_FACE_M
from reenact.perception.dense.maps import DenseEstimator
from reenact.perception.dense.shipped import INPUT_PX
from reenact.rendering import interpolate_directions, rasterise, vertex_normals
from reenact.subject.detailed import Levels
from reenact.subject.energy import Energy, project
from reenact.subject.fit import fit_stages
from reenact.subject.frames_fit import Chunk, fitted_chunks
from reenact.subject.head_fit import observed
from reenact.subject.observation import Observation
from reenact.subject.offsets import Identity, Offsets, Posed, Static
from reenact.subject.source import Source
from reenact.subject.stages import FRAMES, KEY_FRAMES, PERSON


def quiet(stage: str, done: int, total: int | None) -> None:
    """No progress."""


def who_it_is(model: HeadModel, levels: Levels, source: Source, rows: np.ndarray, estimator: DenseEstimator) -> Offsets:
    """The first half of `reenact head`, from some rows of one source."""
    seen = observed(source, rows, estimator, quiet)
    identity = Identity.of(model, levels[0], source.person.identity)
    person = Offsets(levels, len(seen), source.face_size_m / BASE_FACE_M, identity)
    fit_stages(person, seen, model.topology, PERSON, quiet)
    return person


@dataclass(frozen=True)
class FittedPerson:
    """Who it is, from rows of one source, and what is done in those rows."""

    model: HeadModel
    levels: Levels
    source: Source
    rows: np.ndarray  # [F] that the fit has seen, rising
    person: Offsets
    moved: np.ndarray  # [F, V, 3] D_f
    turn: np.ndarray  # [F, 3, 3] R_cam_head
    shift: np.ndarray  # [F, 3] t_cam_head, metres

    @staticmethod
    def of(
        model: HeadModel, levels: Levels, source: Source, rows: np.ndarray, estimator: DenseEstimator
    ) -> FittedPerson:
        """As `reenact head` does it, with no look at other rows. Tracking has seen all of them."""
        key = rows[[int(np.argmin(np.abs(rows - r))) for r in source.key_rows(KEY_FRAMES)]]
        person = who_it_is(model, levels, source, np.unique(key), estimator)
        chunks: list[Chunk] = list(fitted_chunks(model, levels, source, rows, person, estimator, FRAMES, quiet))
        moved = np.concatenate([c.offsets.rows(np.arange(len(c.turn)), len(levels[0])) for c in chunks])
        turn, shift = (np.concatenate([getattr(c, name) for c in chunks]) for name in ("turn", "shift"))
        return FittedPerson(model, levels, source, rows, person, moved, turn, shift)

    def posed(self, seen: Observation, rows: np.ndarray) -> tuple[Posed, Posed, Posed]:
        """Rows as the tracker has them (coarse), with static offsets, and with both; what `seen` shows.

        Of a row that the fit has not seen, D_f and what the fit changed of the pose are between its neighbours'.
        """
        after = np.clip(np.searchsorted(self.rows, rows), 0, len(self.rows) - 1)
        before = np.where(self.rows[after] == rows, after, np.maximum(after - 1, 0))
        moved = torch.from_numpy(0.5 * (self.moved[before] + self.moved[after]).astype(np.float32))
        offsets = Offsets(self.levels, len(rows), self.person.scale, self.person.person, self.person)
        away = np.asarray([1.0, 1.0, float(self.person.dolly.detach().exp())])
        for i in range(len(rows)):
            turns, shifts = [], []
            for j in (before[i], after[i]):
                state = self.source.states[int(self.rows[j])]
                x, y, z, w = Rotation.from_matrix(self.turn[j] @ state.R_cam_head.T).as_quat()
                turns.append(2.0 * np.asarray([x, y, z]) / w)  # the inverse of offsets.small_rotation
                shifts.append((self.shift[j] / away - state.t_cam_head) / self.person.scale)
            offsets.turn.data[i] = torch.from_numpy(np.mean(turns, axis=0))
            offsets.shift.data[i] = torch.from_numpy(np.mean(shifts, axis=0))
        static = self.person.static().still()
        coarse = Offsets(self.levels, len(rows), self.person.scale, self.person.person)
        none = Static(*(torch.zeros_like(x) for x in (static.wide, static.along, static.narrow, static.within)))
        every = torch.arange(len(rows))
        with torch.no_grad():
            return (
                coarse.posed(seen, every, none, torch.zeros_like(moved)),
                offsets.posed(seen, every, static, torch.zeros_like(moved)),
                offsets.posed(seen, every, static, moved),
            )

    def unexplained(self, posed: Posed, seen: Observation) -> tuple[Tensor, Tensor]:
        """Of each row: mean angle to the estimator's normals where it sees skin, degrees; median distance of the
        landmarks, px of the 256 px crop.
        """
        energy = Energy(self.model.topology, self.levels[1], INPUT_PX)
        drawn = energy.draw(posed, seen)
        faces = torch.from_numpy(self.levels[1].faces)
        shown = interpolate_directions(vertex_normals(posed.fine, faces, "torch"), faces, drawn.fragments, "torch")
        angle = torch.rad2deg(torch.arccos((shown * seen.normals).sum(-1).clamp(-1.0, 1.0)))
        worth = drawn.evidence
        away = (energy.landmarks_px(posed, seen) - seen.landmarks).norm(dim=-1)
        return (worth * angle).sum((1, 2)) / worth.sum((1, 2)), away.nanmedian(dim=1).values

    def normal_maps(self, posed: Posed, side: int) -> np.ndarray:
        """[n, side, side, 3] uint8 pictures of the detailed surface's normals, light where it faces the camera."""
        surface, faces = self.levels[2].upsample(posed.fine), torch.from_numpy(self.levels[2].faces)
        drawn = rasterise(project(surface, posed.camera * (side / INPUT_PX)), faces, side, side, cull_back=True)
        return coloured(interpolate_directions(vertex_normals(surface, faces, "torch"), faces, drawn, "torch").numpy())


def coloured(normals: np.ndarray) -> np.ndarray:
    """[..., 3] camera-space normals, 0 where there are none -> uint8 as papers show them: blue faces the camera."""
    rgb = 0.5 + 0.5 * normals * np.asarray([1.0, -1.0, -1.0])
    shown = np.linalg.norm(normals, axis=-1, keepdims=True) > 0.5
    return (255.0 * np.where(shown, rgb, 1.0)).clip(0, 255).astype(np.uint8)
