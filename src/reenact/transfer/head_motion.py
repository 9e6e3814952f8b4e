# SPDX-License-Identifier: Apache-2.0
"""Retarget head pose: the reference pose that motion is counted from, the motion modes, strength.

Poses are `R_cam_head` [F, 3, 3] and `t_cam_head` [F, 3] (metres): X_cam = R X_head + t, camera axes x right,
y down, z away; head axes x to the subject's left, y up, z out of the face. As in `motion_modes`, no frame is
taken for the neutral one and the order of the frames does not matter.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from .motion_modes import Mode

Float = NDArray[np.float64]

_FACING = np.diag([1.0, -1.0, -1.0])
"""R_cam_head of a head that looks into the camera."""
_REST_SHARE = 0.15
_ALIKE_SHARE = 0.05
"""Share of the frames whose median is the reference pose of neutral-based motion: one frame would carry its own noise
into the whole clip; twice as many let a clip that only passes the source's pose be counted from elsewhere."""


class HeadPose(NamedTuple):
    R_cam_head: NDArray[np.floating]  # [..., 3, 3]
    t_cam_head: NDArray[np.floating]  # [..., 3] metres


def rotation_median(rotations: ArrayLike) -> Float:
    """Rotation [3, 3] least far in sum from rotations [N, 3, 3], which up to half of them do not sway.

    Weiszfeld's iteration over chordal means (Hartley et al., "Rotation averaging", 2013).
    """
    stack = _rotations(rotations)
    median = nearest_rotation(stack.sum(axis=0))
    for _ in range(10):
        distance = np.linalg.norm(stack - median, axis=(1, 2))
        median = nearest_rotation((stack / np.maximum(distance, 1e-6)[:, None, None]).sum(axis=0))
    return median


def head_rest_of(R_cam_head: ArrayLike, t_cam_head: ArrayLike) -> HeadPose:
    """The driving person's resting pose ([3, 3], [3]) from a clip's poses ([F, 3, 3], [F, 3]).

    Median over the 15 % of the frames that face the camera most and are least far from the clip's usual pose:
    a driving person who sits askew rests askew, one who looks around rests in between. Raises ValueError for a
    wrong shape, no frame, or non-finite poses.
    """
    pose = _poses(R_cam_head, t_cam_head)
    unrest = _angle(pose.R_cam_head, _FACING) + _angle(pose.R_cam_head, rotation_median(pose.R_cam_head))
    rest = unrest <= np.quantile(unrest, _REST_SHARE)
    return HeadPose(rotation_median(pose.R_cam_head[rest]), np.median(pose.t_cam_head[rest], axis=0))


def most_alike(R_cam_head: ArrayLike, t_cam_head: ArrayLike, reference: HeadPose) -> HeadPose:
    """Return the pose ([3, 3], [3]) of those driving frames ([F, 3, 3], [F, 3]) nearest the reference's in rotation.

    Counting from there keeps the head of the source image where it is when the driving head is turned alike, and
    lets it turn no further than the driving head does. The frames' order does not matter.
    Raises ValueError for a wrong shape, no frame, or non-finite poses.
    """
    pose = _poses(R_cam_head, t_cam_head)
    away = _angle(pose.R_cam_head, _rotations(np.asarray(reference.R_cam_head)[None])[0])
    alike = away <= np.quantile(away, _ALIKE_SHARE)
    return HeadPose(rotation_median(pose.R_cam_head[alike]), np.median(pose.t_cam_head[alike], axis=0))


def translation_scale(driving_size: float, reference_size: float) -> float:
    """Metres that the subject's head moves per metre of the driving person's: one number for a whole clip.

    Sizes are physical, in metres (face height or inter-ocular distance of the two fitted heads), or, seen
    from the picture, pixels * depth / focal length. A move of dx seen by a camera of focal length f from
    depth z covers (f dx / z) / (f size / z) = dx / size face sizes, so their ratio makes the two pictures
    move alike whatever their cameras. Moves in depth keep the same metres: a distant camera sees less of
    them, as it would.
    """
    if not (driving_size > 0 and reference_size > 0):
        raise ValueError(f"face sizes are {driving_size} and {reference_size} m, wanted both positive")
    return reference_size / driving_size


def head_motion(
    mode: Mode, driving: HeadPose, driving_rest: HeadPose, reference: HeadPose, *, scale: float, strength: float
) -> HeadPose:
    """The subject's pose ([F, 3, 3], [F, 3]) in the reference's camera.

    The driving person's turn away from rest, R_driving R_rest^T, is about the camera's axes, and is applied about
    them to the reference's pose: a nod towards the camera stays one even if the reference is in profile. The
    translation is the reference's plus the driving person's from rest, in both modes: where the driving person sits in
    their picture is not taken.

    Args:
        mode: "neutral" and "relative": R = R_driving R_rest^T R_reference; "absolute": R = R_driving.
        driving: poses [F]. driving_rest: from `most_alike` (neutral) or `head_rest_of`, or of a frame that was named.
        reference: the reference's one pose ([3, 3], [3]).
        scale: from `translation_scale`.
        strength: scales rotation (along the geodesic from the reference's pose) and translation.
    """
    turns, places = _poses(*driving)
    own = _rotations(np.asarray(reference.R_cam_head)[None])[0]
    if mode != "absolute":
        turns = turns @ np.asarray(driving_rest.R_cam_head).T @ own
    away = Rotation.from_matrix(turns @ own.T).as_rotvec()
    rotation = Rotation.from_rotvec(strength * away).as_matrix() @ own
    place = np.asarray(reference.t_cam_head, np.float64)
    placed = place + strength * scale * (places - np.asarray(driving_rest.t_cam_head, np.float64))
    placed[:, 2] = np.maximum(placed[:, 2], 0.25 * place[2])  # no nearer to the camera, however far one leans
    return HeadPose(rotation, placed)


def _angle(rotations: NDArray[np.floating], reference: NDArray[np.floating]) -> Float:
    """Geodesic distances [N] in radians of rotations [N, 3, 3] from one [3, 3]."""
    return np.asarray(Rotation.from_matrix(rotations @ reference.T).magnitude())


def nearest_rotation(matrix: Float) -> Float:
    """Projection of matrices [..., 3, 3] onto the rotations."""
    u, _, vt = np.linalg.svd(matrix)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[..., None]
    return np.matmul(u, vt)


def _rotations(values: ArrayLike) -> Float:
    """Checked rotations [N, 3, 3], with the rounding of single precision taken out."""
    stack = np.asarray(values, np.float64)
    if stack.ndim != 3 or stack.shape[1:] != (3, 3) or not len(stack) or not np.isfinite(stack).all():
        raise ValueError(f"rotations have shape {stack.shape}, wanted finite [N, 3, 3] with N > 0")
    nearest = nearest_rotation(stack)
    if np.abs(nearest - stack).max() > 1e-3:
        raise ValueError("rotations are not orthonormal matrices of determinant 1")
    return nearest


def _poses(R_cam_head: ArrayLike, t_cam_head: ArrayLike) -> HeadPose:
    rotations, places = _rotations(R_cam_head), np.asarray(t_cam_head, np.float64)
    if places.shape != (len(rotations), 3) or not np.isfinite(places).all():
        raise ValueError(f"t_cam_head has shape {places.shape}, wanted finite [{len(rotations)}, 3]")
    return HeadPose(rotations, places)
