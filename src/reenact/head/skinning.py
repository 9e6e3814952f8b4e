# SPDX-License-Identifier: Apache-2.0
"""Linear blend skinning, as SMPL-X and FLAME are posed: batched and differentiable, in torch.

Pavlakos et al. 2019 (arXiv 1904.05866), section 3.1, after SMPL (Loper et al. 2015, doi 10.1145/2816795.2818013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .model_file import EXPRESSIONS, SHAPES, ModelFile
from .pose import rotations


def chained(turns: Tensor, joints: Tensor, parents: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Where joints take their surroundings.

    Args:
        turns: [B, J, 3, 3] each joint's rotation relative to its parent.
        joints: [B, J, 3] at rest.
        parents: [J], the root's negative, each before its children.

    Returns:
        [B, J, 3, 3] rotations and [B, J, 3] positions of the joints.
    """
    turn, place = [turns[:, 0]], [joints[:, 0]]
    for joint, parent in enumerate(parents[1:], start=1):
        bone = (joints[:, joint] - joints[:, parent])[..., None]
        place.append(place[parent] + (turn[parent] @ bone)[..., 0])
        turn.append(turn[parent] @ turns[:, joint])
    return torch.stack(turn, 1), torch.stack(place, 1)


class SkinnedModel:
    """A model file as a function: shape, expression and pose to vertices. Differentiable in all three.

    vertices: rows [N] of the file's vertices to make; None makes all of them.
    """

    def __init__(self, file: ModelFile, vertices: Tensor | None = None) -> None:
        self.parents, self.at = file.parents, file.layout.at
        rows = torch.arange(len(file.template)) if vertices is None else vertices
        self.template, self.basis = file.template[rows], torch.cat([file.shapes[:, rows], file.expressions[:, rows]])
        """[N, 3] at rest, metres; [400, N, 3] metres by each coefficient of shape, then of expression."""
        self._correctives = file.pose_correctives[:, rows].flatten(1)
        self._weights = file.weights[rows]
        # Joints are linear in the vertices, and so in the coefficients: the body they are regressed from is not needed.
        self.joints = file.joint_regressor @ file.template
        self.joint_basis = torch.cat([file.joint_regressor @ file.shapes, file.joint_regressor @ file.expressions])
        """[J, 3] and [400, J, 3] the same of the joints."""

    def rest(self, shape: Tensor, expression: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 300] and [B, 100] -> vertices [B, N, 3] and joints [B, J, 3] before any pose, metres.

        Raises ValueError for other shapes.
        """
        if shape.shape[1:] != (SHAPES,) or expression.shape != (len(shape), EXPRESSIONS):
            found = f"{tuple(shape.shape)} and {tuple(expression.shape)}"
            raise ValueError(f"got shape and expression of {found}; want [B, {SHAPES}] and [B, {EXPRESSIONS}]")
        codes = torch.cat([shape, expression], 1)
        vertices = self.template + torch.einsum("bk,kvc->bvc", codes, self.basis)
        return vertices, self.joints + torch.einsum("bk,kjc->bjc", codes, self.joint_basis)

    def posed(self, shape: Tensor, expression: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
        """turns: [B, J, 3] rotation vector of each joint relative to its parent, radians.

        Returns vertices [B, N, 3] and joints [B, J, 3], metres. Raises ValueError for other shapes.
        """
        rest, joints = self.rest(shape, expression)
        if turns.shape != joints.shape:
            raise ValueError(f"got turns of {tuple(turns.shape)}; want {tuple(joints.shape)}")
        turn = rotations(turns)
        bent = (turn[:, 1:] - torch.eye(3).to(turn)).flatten(1) @ self._correctives
        rest = rest + bent.reshape(rest.shape)
        turn, place = chained(turn, joints, self.parents)
        shift = place - (turn @ joints[..., None])[..., 0]
        blended = torch.einsum("vj,bjik->bvik", self._weights, turn)
        vertices = (blended @ rest[..., None])[..., 0] + torch.einsum("vj,bji->bvi", self._weights, shift)
        return vertices, place

    def __call__(self, shape: Tensor, expression: Tensor, turns: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The same with the head's own joints by name, each [B, 3]; all others at rest.

        Raises ValueError for a joint that a head has not.
        """
        unknown = sorted(set(turns) - set(self.at))
        if unknown:
            raise ValueError(f"got a turn of {unknown[0]}; want {', '.join(self.at)}")
        every = shape.new_zeros(len(shape), len(self.parents), 3)
        for name, turn in turns.items():
            # A new tensor a joint, not a write into one: gradients have to pass.
            every = every.index_add(1, torch.tensor([self.at[name]]), turn[:, None])
        return self.posed(shape, expression, every)
