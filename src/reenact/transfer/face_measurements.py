# SPDX-License-Identifier: Apache-2.0
"""What a viewer reads off a face - gaps of lids and lips, heights of brows and corners - and codes that show as much.

The same codes do not show alike on two people: deformation transfer keeps local strain, so a small mouth opens less
than a large one, and opposing actions that cancel on one face do not on the other. What is carried over is therefore
the reading: its change in distances between the eyes, or, for a gap that closes, its share of the gap at rest, so
that shut is shut on both. The codes are changed as little as will do, those that act most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS, action_bounds, region_mask
from reenact.head.landmarks import EYE_CORNERS
from reenact.head.model import Int, Topology
from reenact.head.shape import HeadShape

Float = NDArray[np.floating]

_BROWS = (((336, 285), (334, 282), (300, 276)), ((107, 55), (105, 52), (70, 46)))  # inner, middle, outer; left first
_NOSE, _CORNERS = 2, (291, 61)
_GAPS, _LIPS = 3, 2  # the first readings are gaps: left lids, right lids, lips
_HEIGHTS = slice(3, 9)  # then come the brows
_BROW_GAIN = 1.4
"""MediaPipe's brows move 0.84 of what an independent detector trained on people's marks sees on the same clips (median
of 31 clips on which the two agree, quartiles 0.73 and 0.92), and the fit follows these to 0.88 (median of 5 clips)."""
_SHUT_READS = (0.05, 0.05, 0.0)  # share of the gap at rest that a detector still reads off shut lids: lashes
_LEAST_GAP = (0.08, 0.08, 0.02)  # a gap at rest that is smaller cannot be closed in proportion
STRETCH = 1.5
"""Of an action's bound, where that much is needed to show as much."""


def _means() -> Float:
    """[52, M] 1 where an action may be changed for the sake of a reading: that of its own part of the face."""
    eyes, brows = region_mask("eyes"), region_mask("brows")
    mouth = region_mask("mouth") | region_mask("jaw")
    out = np.repeat(mouth[:, None], _HEIGHTS.stop + 6, axis=1)
    out[:, :_LIPS] = eyes[:, None]
    out[:, _HEIGHTS] = brows[:, None]
    return out.astype(np.float64)


_MEANS = _means()


@dataclass(frozen=True)
class FaceMeasurements:
    """M measurements of one head, linear in the codes."""

    neutral: Float  # [M]
    actions: Float  # [52, M]

    def measure(self, codes: Float) -> Float:
        """[F, 52], the eyeLook entries those of the gaze (heads.gaze.with_gaze) -> [F, M]; gaps never below 0."""
        out = self.neutral + codes @ self.actions
        out[..., :_GAPS] = np.maximum(out[..., :_GAPS], 0.0)
        return out


def face_measurements(head: HeadShape) -> FaceMeasurements:
    """Measure a head in canonical head space: gaps of the lids in widths of that eye, all else in distances between the
    eyeballs.
    """
    neutral, actions = head.neutral.numpy(), head.actions.numpy()
    points, motion = (head.topology.at_landmarks(values).numpy() for values in (head.neutral, head.actions))
    eyes = float((head.eyes[0] - head.eyes[1]).norm())
    columns: list[tuple[float, Float]] = []

    def add(now: Float, by_action: Float, unit: float) -> None:
        """now: [N], by_action: [52, N] of N points whose mean is the reading."""
        columns.append((float(now.mean()) / unit, by_action.mean(axis=1) / unit))

    def add_gap(pairs: Int, unit: float) -> None:
        upper, lower = pairs.T
        add(neutral[upper, 1] - neutral[lower, 1], actions[:, upper, 1] - actions[:, lower, 1], unit)

    def add_height(above: tuple[int, ...], below: tuple[int, ...], axis: int = 1) -> None:
        a, b = list(above), list(below)
        now = points[a, axis].mean(keepdims=True) - points[b, axis].mean()
        by_action = motion[:, a, axis].mean(axis=1) - motion[:, b, axis].mean(axis=1)
        add(now, by_action[:, None], eyes)

    for pairs, (inner, outer) in zip(_lid_pairs(head.topology, neutral), EYE_CORNERS, strict=True):
        add_gap(pairs, float(np.linalg.norm(points[inner] - points[outer])))
    # Lips are shut where they touch, and as far apart as a detector sees them: it looks a little before their edges.
    contact = _lip_pairs(head.topology, neutral)
    above, below = [82, 13, 312], [87, 14, 317]  # along the inner lips
    add(
        neutral[contact[:, 0], 1] - neutral[contact[:, 1], 1],
        motion[:, above, 1] - motion[:, below, 1],
        eyes,
    )
    for side, corners in zip(_BROWS, EYE_CORNERS, strict=True):
        for part in side:
            add_height(part, corners)
    left, right = _CORNERS
    add_height((left,), (right,), axis=0)  # width of the mouth
    for corner in _CORNERS:
        add_height((corner,), (_NOSE,))
    add_height(_CORNERS, (_NOSE,), axis=0)  # the mouth to one side
    add_height((0, 13), (_NOSE,))  # the upper lip
    add_height((152,), (_NOSE,))  # the chin
    at_rest, by_action = zip(*columns, strict=True)
    return FaceMeasurements(np.asarray(at_rest), np.stack(by_action, axis=1).astype(np.float64))


def resting_measurements(measurements: Float, at_rest: Float) -> Float:
    """Measure a driving face at rest [M], from the measurements of a clip [F, M] and of its resting codes [M].

    Lips rest where they are nearest to one another, give or take a moment: few people rest with an open mouth.
    """
    out = at_rest.copy()
    out[_LIPS] = min(out[_LIPS], np.quantile(measurements[:, _LIPS], 0.1))
    return out


def target_measurements(
    driving: Float, driving_rest: Float, subject_rest: Float, reference: Float | None = None
) -> Float:
    """Find measurements [F, M] that leave the subject's at rest [M] as the driving face's [F, M] leave their rest [M].

    reference: [M] of the reference where that is not the subject's rest: its brows are raised by more than was
        measured, too.
    """
    change = driving - driving_rest
    already = 0.0 if reference is None else (reference - subject_rest)[_HEIGHTS]
    change[:, _HEIGHTS] = already + _BROW_GAIN * (change[:, _HEIGHTS] - already)
    out = subject_rest + change
    for gap in range(_GAPS):
        rest, own, floor = driving_rest[gap], subject_rest[gap], _SHUT_READS[gap] * driving_rest[gap]
        slope = min(own / max(rest - floor, _LEAST_GAP[gap]), 2.0)
        out[:, gap] = own + np.where(change[:, gap] < 0.0, slope, 1.0) * change[:, gap]
    out[:, :_GAPS] = np.maximum(out[:, :_GAPS], 0.0)
    return out


def codes_for_measurements(subject: FaceMeasurements, codes: Float, rest: Float, target: Float, lowest: Float) -> Float:
    """Find codes [F, 52] near `codes` whose measurements are those of `target` [F, M], as far as bounds allow.

    codes: with the eyeLook entries of the subject's gaze, which stay. rest: [52] codes of the reference, from which
    motion is counted. lowest: [52] bounds below; those above are `action_bounds()` times up to 1.5.
    """
    highest = np.maximum(STRETCH * action_bounds(), codes)
    fixed = region_mask("gaze") | np.isin(ACTIONS, ("tongueOut", "cheekPuff", "jawForward"))
    # [F, 52] standard deviation by which a code may move for it: at rest, and per unit of its motion.
    spread = np.where(fixed, 0.0, 0.05 + 0.6 * np.abs(codes - rest))
    out, free = codes.copy(), spread > 0.0
    for _ in range(3):
        lack = target - subject.neutral - out @ subject.actions
        # Lids and lips that are to be shut may press on one another.
        # (A gap of no more than 1e-6 is shut, whatever the last bits of its two ends say.)
        pressing = (target[:, :_GAPS] <= 1e-6) & (lack[:, :_GAPS] > 0.0)
        lack[:, :_GAPS][pressing] = 0.0
        pull = (spread**2 * free)[:, :, None] * (subject.actions * _MEANS)  # [F, 52, M]
        gram = np.einsum("am,fan->fmn", subject.actions, pull) + 0.004**2 * np.eye(lack.shape[1])
        out = out + np.einsum("fam,fm->fa", pull, np.linalg.solve(gram, lack[..., None])[..., 0])
        free &= (out > lowest) & (out < highest)
        out = np.clip(out, np.minimum(lowest, codes), highest)
    return out


def _lid_pairs(top: Topology, neutral: Float) -> tuple[Int, Int]:
    """Contacts of the left and right lids, without those near the corners."""
    pairs = top.lid_contacts.numpy()
    gap = neutral[pairs[:, 0], 1] - neutral[pairs[:, 1], 1]
    left = neutral[pairs[:, 0], 0] > 0
    own = [pairs[s & (gap > 0.6 * gap[s].max())] for s in (left, ~left)]
    return own[0], own[1]


def _lip_pairs(top: Topology, neutral: Float) -> Int:
    """Contacts in the middle third of the mouth."""
    pairs = top.lip_contacts.numpy()
    x = neutral[pairs, 0].mean(axis=1)
    return pairs[np.abs(x) < np.abs(x).max() / 3.0]
