# SPDX-License-Identifier: Apache-2.0
"""A person's own actions, by deformation transfer from the base head they were sculpted on."""

from __future__ import annotations

import numpy as np

from .deformation import DeformationTransfer
from .model import Float, HeadModel
from .regions import EYEBALL, region_ids
from .rig import Rig, base_rig

_MOVES = 1e-5  # metres: vertices that no action moves farther than this anchor the transfer


def personal_rig(model: HeadModel, identity: Float) -> Rig:
    """The rig of a person: their neutral, and each of the 52 actions carried over to their anatomy.

    Adding the base adult's offsets to a baby tears its cheeks off; deformation transfer (Sumner and Popovic 2004)
    carries local stretch and rotation instead of displacement.  Takes about half a second.
    """
    plain = base_rig(model, identity)
    transfer = transfer_between(model, model.base_neutral, plain.neutral)
    actions = transfer.transfer(model.base_actions).astype(np.float32)
    return Rig(model.topology, plain.neutral, actions, plain.joints, plain.gaze_limits, plain.eyeballs)


def transfer_between(model: HeadModel, source: Float, target: Float) -> DeformationTransfer:
    """From one head of the model [V, 3] to another: bone stays bone, lips and lids that shut there shut here."""
    top = model.topology
    still = np.abs(model.base_actions).max(axis=(0, 2)) < _MOVES
    # Upper teeth are bone: what little the sculptor moved them is a slip.  Eyeballs turn with the gaze instead.
    still[top.region_vertices(*region_ids("teeth_upper", *EYEBALL))] = True
    jaw_bone = top.region_vertices(*region_ids("teeth_lower"))
    return DeformationTransfer(
        source,
        target,
        top.faces,
        anchors=still,
        rigid_parts=[jaw_bone] if len(jaw_bone) else [],  # models without teeth have none
        contact_pairs=np.concatenate([top.lip_contacts, top.lid_contacts]),
    )
