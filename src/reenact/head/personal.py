# SPDX-License-Identifier: Apache-2.0
"""A person's own actions, by deformation transfer from the base head they were sculpted on."""

from __future__ import annotations

import numpy as np
import torch

from .head_model import head_model
from .model import Float, Joints, ParametricHead
from .rig import Rig


def personal_rig(model: ParametricHead, identity: Float, static_offset: Float | None = None) -> Rig:
    """The rig of a person as arrays: see `HeadModel.personalise`. Takes about a third of a second.

    identity: [K]. static_offset: [V, 3] metres, canonical, added to the model's neutral.
    """
    head = head_model(model)
    with torch.no_grad():
        shape = torch.from_numpy(np.ascontiguousarray(identity, np.float32))
        static = None if static_offset is None else torch.from_numpy(np.ascontiguousarray(static_offset, np.float32))
        own = head.personalise(shape, static)
        neck, skull, jaw, left, right = head.joints(shape, static).numpy()
    joints = Joints(neck, skull, jaw, np.stack([left, right]))
    rig = Rig(head.topology, own.neutral.numpy(), own.actions.numpy(), joints, model.gaze_limits, head.eyeballs)
    rig.__dict__["shape"] = own  # the cached property: made already
    return rig
