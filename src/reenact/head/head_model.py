# SPDX-License-Identifier: Apache-2.0
"""The head as one differentiable function of who it is, what the face does and where it is."""

from __future__ import annotations

from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from .deformation import DeformationSource, SourceMotion
from .eye_seat import BLINKS, eye_depth
from .levels import Levels, detailed_levels, refine
from .model import ParametricHead
from .mouth import Bite
from .pose import pose
from .regions import EYEBALL, region_ids
from .shape import HeadShape, eyeball_vertices

_STILL_M = 1e-5  # vertices that no action moves farther than this anchor the transfer


class HeadModel(nn.Module):
    """A parametric head: identity, expression, gaze, pose and offsets to vertices.

    Batched over frames, differentiable in every argument, of any float type, on any device. What belongs to one
    identity (its neutral, its own 52 actions by deformation transfer, where its lids, lips and teeth meet) is made once
    by `personalise`, which takes 0.3 s on a core; `forward` does so for each row of `shape` that differs.

    Args:
        basis: the linear head model: identity basis, and actions sculpted on one base person.
        level: of detail: 0 the basis' own mesh, 1 and 2 one and two rounds of Loop subdivision (of the open head
            5,376, 21,223 and 84,369 vertices).
    """

    mean: Tensor  # [V, 3]
    identity: Tensor  # [K, V, 3]
    joints_mean: Tensor  # [5, 3] neck, head, jaw, left eye, right eye
    joints_identity: Tensor  # [K, 5, 3]
    gaze_limits: Tensor  # [2, 4]
    head_weight: Tensor  # [V] at this level, see Topology

    def __init__(self, basis: ParametricHead, level: int = 0) -> None:
        super().__init__()
        self.name, self.topology, self.level = basis.name, basis.topology, level
        self._basis = basis
        mean, identity = basis.identity_basis()
        joints = _joints(basis, torch.zeros(basis.identity_size))
        buffers = {
            "mean": mean,
            "identity": identity,
            "joints_mean": joints,
            "joints_identity": torch.stack([_joints(basis, code) for code in torch.eye(basis.identity_size)]) - joints,
            "gaze_limits": basis.gaze_limits,
            "head_weight": self.levels[level].head_weight if level else self.topology.head_weight,
        }
        for name, value in buffers.items():
            self.register_buffer(name, value)
        self.eyeballs = eyeball_vertices(self.topology, basis.base_neutral)

    @cached_property
    def _actions(self) -> tuple[DeformationSource, SourceMotion, SourceMotion]:
        """Where actions are carried from, all 52 of them, and the two blinks."""
        source = action_source(self._basis)
        every = self._basis.base_actions
        return source, source.motion(every), source.motion(every[list(BLINKS)])

    @cached_property
    def levels(self) -> Levels:
        """The meshes of all levels of detail."""
        return detailed_levels(self.topology)

    def neutral(self, shape: Tensor, static_offset: Tensor | None = None) -> Tensor:
        """Neutral vertices before teeth and tongue are seated.

        Args:
            shape: [K] identity coefficients, in standard deviations.
            static_offset: [V, 3] metres, canonical.

        Returns:
            [V, 3] metres, canonical head space.
        """
        out = self.mean + torch.tensordot(shape, self.identity, 1)
        return out if static_offset is None else out + static_offset

    def joints(self, shape: Tensor, static_offset: Tensor | None = None) -> Tensor:
        """[5, 3] neck, head, jaw, left eye, right eye, metres; eyes turn about where the offset puts the eyeballs."""
        out = self.joints_mean + torch.tensordot(shape, self.joints_identity, 1)
        if static_offset is None:
            return out
        still = out.new_zeros(3)
        moved = [static_offset[rows].mean(0) if len(rows) else still for rows in self.eyeballs]
        return out + torch.stack([still, still, still, *moved])

    def personalise(self, shape: Tensor, static_offset: Tensor | None = None, *, adapted: bool = True) -> HeadShape:
        """Make the head of one identity: its neutral and its own actions.

        Adding the base adult's offsets to a baby tears its cheeks off; deformation transfer (Sumner and Popovic 2004,
        doi:10.1145/1015706.1015736) carries local stretch and rotation instead of displacement.

        Args:
            shape: [K] identity coefficients.
            static_offset: [V, 3] metres, canonical; None for none.
            adapted: False adds the base person's actions as they are, see `scaled_actions`; takes 0.03 s.

        Returns:
            The head as a function of expression and gaze, differentiable in both arguments.
        """
        neutral = self.neutral(shape, static_offset)
        joints = self.joints(shape, static_offset)
        if adapted:
            source, motion, _ = self._actions
            actions = source.onto(neutral).transfer(motion).to(neutral.dtype)
        else:
            actions = self.scaled_actions(neutral)
        if static_offset is not None:
            neutral, joints = self._seat_eyes(shape, neutral, actions, joints)
        neutral, actions = Bite(self.topology, neutral, joints[3:]).seat_at_rest(neutral, actions)
        return HeadShape(self.topology, neutral, actions, joints, self.gaze_limits, self.eyeballs)

    def _seat_eyes(self, shape: Tensor, neutral: Tensor, actions: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Neutral [V, 3] and joints [5, 3] with eyeballs behind the lids that a static offset has moved."""
        source, _, blinks = self._actions
        before, old_joints = self.neutral(shape), self.joints(shape)
        blinks_before = source.onto(before).transfer(blinks).to(neutral.dtype)
        skin = self.topology.region_vertices(*region_ids("skin", "eyelids"))
        left = self._basis.base_neutral[skin, 0] > 0
        for side, ball in enumerate(self.eyeballs):
            if not len(ball):  # a model without eyeballs
                continue
            eye, own, rows = joints[3 + side], skin[left == (side == 0)], ball.to(neutral.device)
            depth = eye_depth(
                neutral - eye,
                actions[BLINKS[side]],
                before - old_joints[3 + side],
                blinks_before[side],
                own,
                neutral[rows] - eye,
            )
            step = torch.stack([torch.zeros_like(depth), torch.zeros_like(depth), -depth])
            neutral = neutral.index_add(0, rows, step.expand(len(rows), 3))
            joints = joints.index_add(0, torch.tensor([3 + side], device=joints.device), step[None])
        return neutral, joints

    def scaled_actions(self, neutral: Tensor) -> Tensor:
        """[52, V, 3] the base person's actions for a neutral [V, 3], scaled by the size of its face.

        So at least a child's mouth does not open an adult's width.
        """
        rows = (self.topology.face_weight > 0.5).to(neutral.device)
        base = self._basis.base_neutral.to(neutral)
        size = neutral[rows].std(0, correction=0).norm() / base[rows].std(0, correction=0).norm()
        return self._basis.base_actions.to(neutral) * size

    def forward(
        self,
        shape: Tensor,
        expression: Tensor,
        gaze: Tensor,
        rotation: Tensor,
        translation: Tensor,
        static_offset: Tensor | None = None,
        dynamic_offset: Tensor | None = None,
        fine_offset: Tensor | None = None,
        torso: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Vertices in camera space, metres.

        Args:
            shape: [B, K] identity coefficients, or [1, K] for all frames alike.
            expression: [B, 52] ARKit activations; eyeLook follows from the gaze.
            gaze: [B, 2, 2] (yaw, pitch) radians, subject's left eye first.
            rotation: [B, 3, 3] R_cam_head.
            translation: [B, 3] metres.
            static_offset: [B or 1, V, 3] metres, canonical: who it is beyond the basis.
            dynamic_offset: [B, V, 3] metres, canonical: what the face does beyond the actions.
            fine_offset: [B or 1, W, 3] metres on the mesh of level 1: static offsets finer than the basis' mesh.
            torso: rotation [B or 1, 3, 3] and translation [B or 1, 3] of the shoulders; None: they go along with the
                head.

        Returns:
            [B, V, 3], or with the vertices of this model's level of detail.

        Raises:
            ValueError: rows of shape or offsets that are neither 1 nor B; a fine offset at level 0.
        """
        out = self.canonical(shape, expression, gaze, static_offset, dynamic_offset, fine_offset)
        return pose(out, rotation, translation, self.head_weight, *(torso or (rotation, translation)))

    def canonical(
        self,
        shape: Tensor,
        expression: Tensor,
        gaze: Tensor,
        static_offset: Tensor | None = None,
        dynamic_offset: Tensor | None = None,
        fine_offset: Tensor | None = None,
    ) -> Tensor:
        """`forward` before the pose: vertices in canonical head space, metres."""
        count = len(expression)
        for name, value in (("shape", shape), ("static_offset", static_offset), ("fine_offset", fine_offset)):
            if value is not None and len(value) not in (1, count):
                raise ValueError(f"{name} has {len(value)} rows; want 1 or {count}, as many as expression")
        if len(shape) == 1 and (static_offset is None or len(static_offset) == 1):
            own = self.personalise(shape[0], None if static_offset is None else static_offset[0])
            vertices = own(expression, gaze, dynamic_offset)
        else:
            rows = []
            for i in range(count):
                static = None if static_offset is None else static_offset[i % len(static_offset)]
                own = self.personalise(shape[i % len(shape)], static)
                dynamic = None if dynamic_offset is None else dynamic_offset[i : i + 1]
                rows.append(own(expression[i : i + 1], gaze[i : i + 1], dynamic))
            vertices = torch.cat(rows)
        return self.refine(vertices, fine_offset)

    def refine(self, vertices: Tensor, fine_offset: Tensor | None = None) -> Tensor:
        """[..., V, 3] of the basis' mesh -> vertices of this model's level of detail; see `forward`."""
        return refine(self.levels, vertices, self.level, fine_offset)


def action_source(basis: ParametricHead, neutral: Tensor | None = None) -> DeformationSource:
    """Make a person the source of deformation transfer: bone stays bone, what shuts on them shuts on others.

    neutral: [V, 3] canonical, metres; None for the base person, on whom the actions are sculpted.
    """
    top = basis.topology
    still = basis.base_actions.abs().amax((0, 2)) < _STILL_M
    # Upper teeth are bone: what little the sculptor moved them is a slip.  Eyeballs turn with the gaze instead.
    still[top.region_vertices(*region_ids("teeth_upper", *EYEBALL))] = True
    jaw_bone = top.region_vertices(*region_ids("teeth_lower"))
    return DeformationSource(
        basis.base_neutral if neutral is None else neutral,
        top.faces,
        anchors=still,
        rigid_parts=[jaw_bone] if len(jaw_bone) else [],  # models without teeth have none
        contact_pairs=torch.cat([top.lip_contacts, top.lid_contacts]),
    )


_MODELS: WeakKeyDictionary[ParametricHead, HeadModel] = WeakKeyDictionary()


def head_model(basis: ParametricHead) -> HeadModel:
    """The `HeadModel` of a basis at level 0, made once."""
    if basis not in _MODELS:
        _MODELS[basis] = HeadModel(basis)
    return _MODELS[basis]


def personalised(
    basis: ParametricHead, shape: ArrayLike | Tensor, static_offset: ArrayLike | Tensor | None = None
) -> HeadShape:
    """Make the head of one identity, without gradients: see `HeadModel.personalise`. Takes about a third of a second.

    shape: [K]. static_offset: [V, 3] metres, canonical.
    """
    with torch.no_grad():
        static = None if static_offset is None else torch.as_tensor(static_offset, dtype=torch.float32)
        return head_model(basis).personalise(torch.as_tensor(shape, dtype=torch.float32), static)


def _joints(basis: ParametricHead, identity: Tensor) -> Tensor:
    """[5, 3] neck, head, jaw, left eye, right eye."""
    joints = basis.joints(identity)
    return torch.stack([joints.neck, joints.head, joints.jaw, *joints.eyes])
