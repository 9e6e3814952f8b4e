# SPDX-License-Identifier: Apache-2.0
"""A head over the user's own SMPL-X or FLAME file, for who holds the licence and wants the paper's set-up.

Everything is derived from that file as it is loaded; no number of either model comes with this package. What neither
model says (which vertices are lips, where landmarks lie, what the 52 ARKit actions are) is carried over from the open
head, whose skin is laid on the model's template.

Experimental: what it does is tested on models of the same form, never on the released files. It may change without
notice, and only `head` and `track` take such a file. SMPL-X: Pavlakos et al. 2019, arXiv 1904.05866. FLAME: Li et al.
2017, doi 10.1145/3130800.3130813.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor

from .arkit import ACTIONS
from .carry import laid, topology
from .model import Joints, ParametricHead
from .model_file import SHAPES, ModelFile, read_model_file
from .open import open_head
from .registration import lay_on, open_skin
from .skinning import SkinnedModel
from .supplied_actions import own_actions
from .supplied_parts import parts_of

log = logging.getLogger(__name__)


class SuppliedHead:
    """`ParametricHead` over a model file (see head/model.py for the contract). It has no teeth, tongue or lashes.

    Args:
        file: the model.

    Raises:
        InputError: the template is no face that the open head can be laid on.
    """

    def __init__(self, file: ModelFile) -> None:
        model: ParametricHead = open_head()
        parts = parts_of(file)
        self.name = f"{file.kind}-{file.digest[:16]}"
        self._at = file.layout.at
        self.skinned = SkinnedModel(file, torch.from_numpy(parts.rows))
        """The model itself: shape, expression and pose to the vertices of the topology, in the file's space."""
        joints, joint_basis = self.skinned.joints, self.skinned.joint_basis[:SHAPES]
        eyes = [self._at["eye_left"], self._at["eye_right"]]
        # Every neutral has its own origin, midway between its eyes: linear in the coefficients, as they are.
        origin, drift = joints[eyes].mean(0), joint_basis[:, eyes].mean(1)
        self._joints, self._joint_basis = joints - origin, joint_basis - drift[:, None]
        self._mean = self.skinned.template - origin
        self._identity = self.skinned.basis[:SHAPES] - drift[:, None]
        skin = open_skin()
        on = laid(skin, lay_on(parts.neutral, parts.skin_faces, parts.eyes), parts)
        self.topology = topology(model, on, parts)
        self._actions = own_actions(model, on, parts, self.topology, self.skinned)
        error = self._actions.error_mm
        worst = f"{ACTIONS[int(error.argmax())]} by {float(error.max()):.2f} mm"
        log.info("%s misses its actions by %.2f mm (median), %s", self.name, float(error.median()), worst)
        self._gaze_limits = model.gaze_limits

    @property
    def identity_size(self) -> int:
        return SHAPES

    @property
    def base_neutral(self) -> Tensor:
        return self._mean

    @property
    def base_actions(self) -> Tensor:
        return self._actions.offsets

    @property
    def gaze_limits(self) -> Tensor:
        return self._gaze_limits

    def neutral(self, identity: Tensor) -> Tensor:
        return self._mean + torch.tensordot(identity, self._identity, 1)

    def joints(self, identity: Tensor) -> Joints:
        p = self._joints + torch.tensordot(identity, self._joint_basis, 1)
        at = self._at
        return Joints(p[at["neck"]], p[at["head"]], p[at["jaw"]], p[[at["eye_left"], at["eye_right"]]])

    def identity_basis(self, vertices: Tensor | slice = slice(None)) -> tuple[Tensor, Tensor]:
        return self._mean[vertices], self._identity[:, vertices]

    def coefficients(self, expression: Tensor) -> tuple[Tensor, Tensor]:
        """ARKit codes [F, 52] as the model's own: psi [F, 100] and the jaw's rotation vector omega [F, 3], radians.

        Of one action they are what `base_actions` was made with; of several, their sum.
        """
        return expression @ self._actions.expression, expression @ self._actions.jaw


def supplied_head(path: Path) -> SuppliedHead:
    """The head of a user's model file, made anew in some seconds. Raises InputError if it is none."""
    return SuppliedHead(read_model_file(path))
