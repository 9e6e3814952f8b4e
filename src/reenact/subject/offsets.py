# SPDX-License-Identifier: Apache-2.0
"""The head with its offsets, as the fit moves it: V~(i) = B(V(i) + D_f(i)) + D_g, posed (paper, section 1).

D_g is a change of identity within the head model's basis, and fields beyond it. The tracked identity rests on
landmarks; dense maps see more of it, and what the basis can say it says with noses and lids as sharp as people's are.

What is moved of the rest is not the offset but a field that is smoothed into it: a step against the gradient then moves
a cheek and not one vertex of it (Nicolet et al. 2021, doi 10.1145/3478513.3480501, who do so by a linear solve).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_matrix, csr_matrix, diags
from torch import Tensor, nn

from reenact.head.head_model import head_model
from reenact.head.levels import Level
from reenact.head.pose import pose, small_rotation
from reenact.head.sparse import Sparse
from reenact.head.subject import Subject

from .followers import followers
from .observation import Observation


@dataclass(frozen=True)
class Spread:
    """Means over neighbours on one level, on skin only: what is rigid is no neighbour."""

    matrix: Sparse  # [N, N], rows of soft vertices sum to 1

    @staticmethod
    def of(level: Level) -> Spread:
        a, b, c = level.faces.numpy().T
        rows, columns = np.concatenate([a, b, c, b, c, a]), np.concatenate([b, c, a, a, b, c])
        soft = level.soft.numpy()
        graph = coo_matrix((soft[rows] * soft[columns], (rows, columns)), (len(level), len(level))).tocsr()
        graph.data[:] = np.minimum(graph.data, 1.0)
        total = np.asarray(graph.sum(axis=1)).ravel()
        return Spread(Sparse(csr_matrix(diags(1.0 / np.maximum(total, 1e-9)) @ graph)))

    def smooth(self, field: Tensor, rounds: int) -> Tensor:
        """[..., N, 3] -> the same, `rounds` times averaged half with its neighbours."""
        return self.matrix.smoothed(field, rounds)

    def mean(self, field: Tensor) -> Tensor:
        """[..., N, 3] means over the neighbours."""
        return self.matrix @ field


@dataclass(frozen=True)
class Identity:
    """A head model about a tracked identity: what it may still become, and what goes along with its skin."""

    subject: Subject  # as tracked, without static offsets
    follow: Sparse  # [V, V] see followers.py

    @staticmethod
    def of(subject: Subject) -> Identity:
        """Take the identity of a tracked subject."""
        return Identity(subject, followers(subject.model, subject.levels[0].soft))

    def change(self, by: Tensor) -> Tensor:
        """[K] change of the coefficients -> [V, 3] metres."""
        return torch.tensordot(by, head_model(self.subject.model).identity, 1)


@dataclass(frozen=True)
class Static:
    """D_g in its parts, metres."""

    coarse: Tensor  # [V, 3] on the control mesh's skin, beyond the basis
    followed: Tensor  # [V, 3] the same, with what is rigid and follows the skin
    fine: Tensor  # [W, 3] on the fit mesh
    identity: Tensor  # [V, 3] on the control mesh: another identity of the basis

    @property
    def control(self) -> Tensor:
        """[V, 3] all of it that is on the control mesh."""
        return self.followed + self.identity

    def still(self) -> Static:
        """The same without gradients."""
        return Static(self.coarse.detach(), self.followed.detach(), self.fine.detach(), self.identity.detach())


class Offsets(nn.Module):
    """Fields of F frames. Units: metres of a head whose face is `scale` base adults' large."""

    _COARSE, _FINE, _DYNAMIC = 24, 4, 3  # rounds of smoothing of each field

    def __init__(self, frames: int, scale: float, identity: Identity, person: Offsets | None = None) -> None:
        """person: the offsets whose static part and camera are known already (`adapt`ed), and stay."""
        super().__init__()
        self._known = None if person is None else person.static().still()
        self.levels, self.scale, self.person = identity.subject.levels, scale, identity
        control, fit, _ = self.levels
        if person is None:
            self._in_head, self.subject = torch.zeros(len(control), 3), identity.subject
        else:
            self._in_head, self.subject = person._in_head, person.subject
        self.spread = (Spread.of(control), Spread.of(fit)) if person is None else person.spread
        self.masks = tuple(m[:, None] for m in (control.soft, fit.soft, control.face))
        self.stiffness = tuple(level.stiffness[:, None] for level in (control, fit))
        self.identity = nn.Parameter(torch.zeros(len(identity.subject.shape)))
        self.static_coarse = nn.Parameter(torch.zeros(len(control), 3))
        self.static_fine = nn.Parameter(torch.zeros(len(fit), 3))
        self.dynamic_field = nn.Parameter(torch.zeros(frames, len(control), 3))
        self.rotation = nn.Parameter(torch.zeros(frames, 3))
        self.translation = nn.Parameter(torch.zeros(frames, 3))
        self.log_distance = nn.Parameter(torch.tensor(0.0) if person is None else person.log_distance.detach().clone())

    def adapt(self) -> None:
        """Adapt the actions to the static offsets that were found.

        Not between stages: a smile is partly explained by offsets that open the lips at rest, adapted actions would
        shut them again, and the next stage would open them further.
        """
        found = self.static().still().control
        if not torch.equal(found, self._in_head):
            self._in_head, self.subject = found, self.person.subject.replace(static_offset=found)

    def static(self) -> Static:
        """D_g."""
        if self._known is not None:
            return self._known
        soft, fine_soft, _ = self.masks
        coarse = self.scale * soft * self.spread[0].smooth(self.static_coarse, self._COARSE)
        return Static(
            coarse,
            self.person.follow @ coarse,
            self.scale * fine_soft * self.spread[1].smooth(self.static_fine, self._FINE),
            self.person.change(self.identity),
        )

    def dynamic(self, rows: Tensor) -> Tensor:
        """[n, V, 3] D_f of some frames on the control mesh, metres."""
        return self.scale * self.masks[2] * self.spread[0].smooth(self.dynamic_field[rows], self._DYNAMIC)

    def posed(self, observation: Observation, rows: Tensor, static: Static, dynamic: Tensor) -> Posed:
        """Pose the frames `rows`, which `observation` is about."""
        head = self.subject.head
        plain = head.deform(observation.expression, observation.gaze)
        control = head.meet(plain + (static.control - self._in_head) + dynamic, observation.expression)
        fine = self.levels[1].upsample(control) + static.fine
        rotation, translation = self._pose(observation, rows)
        away = self._away()
        moved = []
        for points, level in ((control, self.levels[0]), (fine, self.levels[1])):
            shoulders = observation.R_cam_torso, away * observation.t_cam_torso
            moved.append(pose(points, rotation, translation, level.head_weight, *shoulders))
        camera = torch.cat([observation.camera[:, :1] * self.log_distance.exp(), observation.camera[:, 1:]], 1)
        with torch.no_grad():
            hidden = head.inner_lips.hidden_depth(control)
        return Posed(moved[0], moved[1], rotation, camera, hidden)

    def poses(self, observation: Observation) -> tuple[Tensor, Tensor]:
        """R_cam_head [F, 3, 3] and t_cam_head [F, 3] of all frames."""
        rotation, translation = self._pose(observation, torch.arange(len(observation)))
        return rotation.detach(), translation.detach()

    def start_from(self, last: tuple[Tensor, Tensor, Tensor]) -> None:
        """Begin every frame as another chunk's last one ended (`last`)."""
        with torch.no_grad():
            for name, value in zip(("dynamic_field", "rotation", "translation"), last, strict=True):
                getattr(self, name).copy_(value.expand_as(getattr(self, name)))

    def last(self) -> tuple[Tensor, Tensor, Tensor]:
        """The last frame's fields."""
        return (
            self.dynamic_field[-1].detach().clone(),
            self.rotation[-1].detach().clone(),
            self.translation[-1].detach().clone(),
        )

    def _away(self) -> Tensor:
        return torch.stack([torch.ones_like(self.log_distance)] * 2 + [self.log_distance.exp()])

    def _pose(self, observation: Observation, rows: Tensor) -> tuple[Tensor, Tensor]:
        rotation = small_rotation(self.rotation[rows]) @ observation.R_cam_head
        return rotation, self._away() * (observation.t_cam_head + self.scale * self.translation[rows])


@dataclass(frozen=True)
class Posed:
    """Camera space, metres."""

    control: Tensor  # [n, V, 3]
    fine: Tensor  # [n, W, 3]
    rotation: Tensor  # [n, 3, 3] of the head
    camera: Tensor  # [n, 3] of the crops, see Observation; farther away and with a longer lens than the tracked one
    hidden_depth: Tensor  # [n, V] metres by which vertices are rendered deeper, see head.inner_lips
