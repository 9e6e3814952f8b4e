# SPDX-License-Identifier: Apache-2.0
"""Retarget expression and gaze: the motion modes, the resting expression, strengths.

Neutral-based (the default) and absolute: the source person makes the driving expression, whatever the source image
shows; the two differ in head pose (`head_motion`). Relative: the source person keeps the expression of the source
image while the driving person rests, and leaves it as the driving person leaves their rest.

Nothing here depends on the order of the frames: no frame is taken for the neutral one, and permuting the
frames permutes the result. Expression codes are the 52 actions of `head.arkit.ACTIONS`, 0 not acted, 1 fully
acted, at most `head.arkit.action_bounds()`. Gaze is (yaw, pitch) in
radians relative to the head, subject's left eye first, yaw positive to the subject's left, pitch positive upwards.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reenact.head import arkit

Float = NDArray[np.float64]
Mode = Literal["neutral", "relative", "absolute"]

STRENGTHS: tuple[str, ...] = (*arkit.REGIONS, "head")
"""Regions with a strength of their own. 0: the reference's own, 1: the motion's, above 1: exaggerated."""
GAZE_BOUND = np.radians([35.0, 30.0])  # yaw, pitch either way

_BOUNDS = arkit.action_bounds()
_REST_SHARE = 0.15
_MAX_SLOPE = 2.0
_JAW_OPEN, _MOUTH_CLOSE = arkit.index("jawOpen"), arkit.index("mouthClose")
BELOW = -0.4
"""How far an action may be undone beyond its absence, relative to a reference that does not show it."""
_BLINKS = [arkit.index("eyeBlinkLeft"), arkit.index("eyeBlinkRight")]
_SEALS = np.isin(arkit.ACTIONS, ["jawOpen", "mouthClose", "tongueOut"])


def rest_of(expression: ArrayLike) -> Float:
    """The driving person's resting expression, [F, 52] -> [52]: how this face looks while it does nothing.

    Median over the quietest 15 % of the frames, those with the least squared activation; gaze does not count,
    for eyes wander on a resting face. Capped at 0.35 per action, so that a smile held through the whole clip
    is still a smile and not this face's neutral. The lids' rest is the lower quartile over the whole clip,
    capped at 0.5: the open state, which a blinker and a winker both return to, each eye by itself. The jaw's is no
    more than its lower decile: who talks through the whole clip rests with the lips they keep meeting with.

    Raises ValueError for a wrong shape, no frame, or non-finite codes.
    """
    codes = _codes(expression, "expression")
    if not len(codes):
        raise ValueError("expression has no frame to rest in")
    energy = (codes[:, ~arkit.region_mask("gaze")] ** 2).sum(axis=1)
    # A threshold, not a number of frames: ties must not be broken by the order of the frames.
    rest = np.median(codes[energy <= np.quantile(energy, _REST_SHARE)], axis=0)
    cap = np.full(len(rest), 0.35)
    rest[_BLINKS], cap[_BLINKS] = np.quantile(codes[:, _BLINKS], 0.25, axis=0), 0.5
    rest[_JAW_OPEN] = min(rest[_JAW_OPEN], np.quantile(codes[:, _JAW_OPEN], 0.1))
    return np.clip(rest, 0.0, cap)


def remap_relative(driving: ArrayLike, driving_rest: ArrayLike, reference: ArrayLike) -> Float:
    """Codes [F, 52] that leave the reference's expression as the driving person's leave their rest.

    Each action goes through its own monotone, piecewise linear map with rest -> reference. Above rest the slope is at
    least 1, so that nothing becomes timid, and more where a full action would else not be full: 1 -> 1 or more, a
    blink exactly 1. Below rest the jaw closes in proportion, 0 -> 0, where the lips meet; any other action goes on
    below the reference's, down to `BELOW`: a driving person whose brows rest high can lower them, one whose eyes rest
    half shut can open them, and so must the subject's. No slope exceeds 2, which would magnify the tracker's noise;
    0 -> 0 yields to that, so a reference whose mouth stands open keeps it open in relative mode where the driving
    person's lips meet. Choose absolute for speech on such a reference.

    `mouthClose` seals the lips over an open jaw and would push them through one another over a shut one: it
    gets no further ahead of the remapped `jawOpen` than it is of `jawOpen` in the motion or in the
    reference.

    Args:
        driving: [F, 52] the driving person's codes.
        driving_rest: [52] from `rest_of`, or of a frame that looks like the reference.
        reference: [52] codes of the reference.

    Returns:
        [F, 52] in [`lower_bounds()`, head.arkit.action_bounds()].
    """
    codes, rest, own = _codes(driving, "driving"), _code(driving_rest, "driving_rest"), _code(reference, "reference")
    full = np.maximum(rest, 1.0)  # a rest that somebody named may be more than fully acted
    rest, own = np.clip(rest, 0.0, 1.0), np.clip(own, 0.0, 1.0)
    rise = np.clip(_ratio(1.0 - own, 1.0 - rest), 1.0, _MAX_SLOPE)
    fall = np.where(_SEALS, np.minimum(_MAX_SLOPE, _ratio(own, rest)), 1.0)
    above = own + rise * (np.minimum(codes, 1.0) - rest) + np.maximum(codes - full, 0.0)
    above = np.minimum(above, np.maximum(np.maximum(codes, own), 1.0))  # two smiles do not make a torn mouth
    out = np.where(codes >= rest, above, own - fall * (rest - codes))
    out[:, _BLINKS] = np.minimum(out[:, _BLINKS], np.maximum(codes[:, _BLINKS], 1.0))
    lead = np.maximum(codes[:, _MOUTH_CLOSE] - codes[:, _JAW_OPEN], own[_MOUTH_CLOSE] - own[_JAW_OPEN])
    sealed = out[:, _JAW_OPEN] + np.maximum(lead, 0.0)
    out[:, _MOUTH_CLOSE] = np.minimum(out[:, _MOUTH_CLOSE], sealed)
    return np.clip(out, lower_bounds(), _BOUNDS)


def lower_bounds() -> Float:
    """[52] smallest activation in relative motion: 0 for jaw, tongue and gaze, else `BELOW`; lids less far."""
    out = np.where(_SEALS | arkit.region_mask("gaze"), 0.0, BELOW)
    out[_BLINKS] = -0.25
    return out


def expression_motion(mode: Mode, driving: ArrayLike, driving_rest: ArrayLike, reference: ArrayLike) -> Float:
    """Return the source person's codes [F, 52] at full strength.

    Args:
        mode: "relative": `remap_relative`; "neutral": the driving codes counted from `driving_rest`; "absolute": the
            driving codes as they are.
        driving: [F, 52].
        driving_rest: [52] from which motion is counted: the resting expression in relative mode; in neutral mode what
            the fit says of a driving frame that is known to be neutral, or zeros; unused in absolute mode.
        reference: [52] of the source image, unused but in relative mode.
    """
    if mode == "relative":
        return remap_relative(driving, driving_rest, reference)
    codes = _codes(driving, "driving")
    if mode == "absolute":
        return codes
    return np.clip(codes - _code(driving_rest, "driving_rest"), lower_bounds(), _BOUNDS)


def with_strengths(full: ArrayLike, reference: ArrayLike, share: Float, stretch: float = 1.0) -> Float:
    """Codes [F, 52], each scaled about the reference's [52] by its share.

    share: [52], see `selection.Strengths`. stretch: of the bounds above, for codes that need more to show as much.
    Returns codes in [`lower_bounds()`, head.arkit.action_bounds() * stretch].
    """
    own, codes = _code(reference, "reference"), _codes(full, "full")
    # This form, not reference + share * (full - reference), is exact at share 0 and 1.
    return np.clip((1.0 - share) * own + share * codes, lower_bounds(), stretch * _BOUNDS)


def gaze_rest_of(gaze: ArrayLike, expression: ArrayLike) -> Float:
    """Where each eye looks most of the time, [F, 2, 2] and codes [F, 52] -> [2, 2], closed eyes left out."""
    angles, codes = _gaze(gaze), _codes(expression, "expression")
    shut = codes[:, _BLINKS] > 0.5
    shut &= ~shut.all(axis=0)  # eyes shut throughout: what the tracker made of them is all there is
    return np.nanmedian(np.where(shut[:, :, None], np.nan, angles), axis=0)


def gaze_motion(
    mode: Mode, driving: ArrayLike, driving_rest: ArrayLike, reference: ArrayLike, strength: float
) -> Float:
    """The subject's gaze [F, 2, 2] relative to the head, within `GAZE_BOUND` or the reference's own.

    Args:
        mode: "relative": reference + (driving - driving_rest); "absolute": the driving's.
        driving: [F, 2, 2]. driving_rest, reference: [2, 2].
        strength: scales the motion about the reference's gaze.
    """
    own = np.asarray(reference, np.float64)
    full = _gaze(driving)
    if mode == "relative":
        full = own + (full - np.asarray(driving_rest, np.float64))
    bound = np.maximum(GAZE_BOUND, np.abs(own))
    return np.clip((1.0 - strength) * own + strength * full, -bound, bound)


def _ratio(over: Float, under: Float) -> Float:
    """over / under, 1 where there is nothing to divide by."""
    return np.divide(over, under, out=np.ones_like(over), where=under > 1e-12)


def _codes(values: ArrayLike, name: str) -> Float:
    codes = np.asarray(values, np.float64)
    if codes.ndim != 2 or codes.shape[1] != len(arkit.ACTIONS) or not np.isfinite(codes).all():
        raise ValueError(f"{name} has shape {codes.shape}, wanted finite [F, {len(arkit.ACTIONS)}]")
    return codes


def _code(values: ArrayLike, name: str) -> Float:
    return _codes(np.asarray(values, np.float64)[None], name)[0]


def _gaze(values: ArrayLike) -> Float:
    angles = np.asarray(values, np.float64)
    if angles.ndim != 3 or angles.shape[1:] != (2, 2) or not np.isfinite(angles).all():
        raise ValueError(f"gaze has shape {angles.shape}, wanted finite [F, 2, 2]")
    return angles
