# SPDX-License-Identifier: Apache-2.0
"""Learn what the dynamic offsets of fitted people have in common, action by action: a ridge regression on their codes.

A head's own zero of D_f is its mean over the clip (paper, section 1), so that only differences within a clip count.
Everybody counts twice, once mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reenact.head.arkit import ACTIONS, OTHER_SIDE
from reenact.head.levels import open_levels
from reenact.head.model import Float, Int
from reenact.head.open import open_head
from reenact.head.state import codes_of
from reenact.head.subject import Subject
from reenact.lab.synthetic.own_deformation import ActionCorrections, corrected_rows, relative_face_size, vertex_frames
from reenact.media import InputError
from reenact.subject.texture import require_motion

CentredFrames = tuple[Float, Float]
"""Codes [F, 52] and dynamic offsets [F, n, 3] of F frames of one person, about their means. Offsets are in mm at the
base adult's size, in the frames of `corrected_rows`."""


def centred_frames(subject: Subject) -> CentredFrames:
    """Take codes and dynamic offsets of a fitted subject. Raises InputError if it has none."""
    rows = corrected_rows()
    motion, neutral = require_motion(subject), subject.head.neutral.numpy()
    if motion.dynamic_offset is None:
        raise InputError(f"{motion.source} was fitted without dynamic offsets; want a head made by `reenact head`")
    moved = motion.dynamic_offset[:, rows].numpy()
    offsets = np.einsum("nij,fni->fnj", vertex_frames(neutral)[rows], moved) * (1000.0 / relative_face_size(neutral))
    codes = codes_of(subject.head, motion).numpy()
    return codes - codes.mean(0), (offsets - offsets.mean(0)).astype(np.float32)


def learn_corrections(people: Sequence[CentredFrames]) -> ActionCorrections:
    """Solve for the offset of each vertex by each action that explains the frames of all people best."""
    gram, moment = np.zeros((len(ACTIONS), len(ACTIONS))), np.zeros((len(ACTIONS), 3 * len(corrected_rows())))
    for one in people:
        for codes, offsets in (one, mirrored(one)):
            gram += codes.T @ codes
            moment += codes.T @ offsets.reshape(len(codes), -1)
    # An action whose squared codes sum to 5 is corrected by half of what its frames ask for.
    offsets = np.linalg.solve(gram + 5.0 * np.eye(len(gram)), moment)
    return ActionCorrections(corrected_rows().astype(np.int32), offsets.reshape(len(gram), -1, 3).astype(np.float32))


def mirrored(one: CentredFrames) -> CentredFrames:
    """Exchange left and right."""
    places, paired = mirrored_rows()
    flip = np.asarray([-1.0, 1.0, 1.0], np.float32)  # of a vertex's frame: what goes to the left goes to the right
    codes, offsets = one
    return codes[:, list(OTHER_SIDE)], (offsets * flip)[:, places] * paired[:, None]


def mirrored_rows() -> tuple[Int, Float]:
    """Return the place of each vertex's counterpart among `corrected_rows` [n], and 1; 0 for the few without one."""
    rows, mirror = corrected_rows(), open_head().topology.mirror.numpy()
    paired = (mirror[mirror[rows]] == rows) & np.isin(mirror[rows], rows)
    return np.searchsorted(rows, np.where(paired, mirror[rows], rows)).astype(np.int32), paired.astype(np.float32)


def residual_share(corrections: ActionCorrections, one: CentredFrames) -> float:
    """Measure which share of a person's dynamic offsets corrections do not explain, on the face, rms."""
    weight = open_levels()[0].face.numpy()[corrected_rows()][:, None]
    codes, offsets = one
    rest = offsets - np.tensordot(codes, corrections.offsets_mm, axes=1)
    return float(np.sqrt((weight * rest**2).sum() / (weight * offsets**2).sum()))
