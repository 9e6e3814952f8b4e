# SPDX-License-Identifier: Apache-2.0
"""A driving motion, moved onto the subject of a source image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from reenact.head.arkit import ACTIONS
from reenact.head.gaze import eye_rotations, with_gaze
from reenact.head.head_model import personalised
from reenact.head.motion import Motion
from reenact.head.subject import Subject
from reenact.media import InputError
from reenact.tracking.fit import check_head

from .dynamic_offsets import Detail, with_own_offsets
from .face_measurements import (
    STRETCH,
    codes_for_measurements,
    face_measurements,
    resting_measurements,
    target_measurements,
)
from .head_motion import HeadPose, head_motion, head_rest_of, most_alike, translation_scale
from .motion_modes import (
    Mode,
    expression_motion,
    gaze_motion,
    gaze_rest_of,
    lower_bounds,
    rest_of,
    with_strengths,
)
from .selection import Strengths


def retarget(
    motion: Motion,
    subject: Subject,
    mode: Mode = "neutral",
    strength: Mapping[str, float] | None = None,
    neutral: int | Motion | None = None,
    *,
    same_camera: bool = False,
    detail: Detail = "none",
    device: str | None = None,
) -> Motion:
    """Move a driving motion onto a subject: what they do in each of its frames, in the camera of their reference.

    Expression codes act on the subject's own actions (`HeadModel.personalise`), as much as shows on the driving face.

    Args:
        motion: of the driving face, with its clip; of the subject's head model.
        subject: with a reference: the picture that the motion starts from.
        mode: see `motion_modes`.
        strength: of parts of the motion, by the names of `selection.selected`; 1 where none is given.
        neutral: how the driving person looks when they look like the reference, to count from: a row of `motion`, for
            its shot, or one frame of another picture of them, where the head's place says nothing of its place in the
            driving video; None: the fitted neutral and the pose most like the reference's (neutral mode), or how the
            driving person rests.
        same_camera: the reference is a picture of the driving person by the driving camera: in neutral and absolute
            mode the head is put exactly where it is in the driving video.
        detail: "own" adds the dynamic offsets that the transfer network predicts, see `with_own_offsets`.
        device: of that network, see `reenact.media.torch_device`.

    Raises:
        InputError: an unknown name in `strength`, a motion of another head model, or no such row.
    """
    clip, model = motion.require_clip(), subject.model
    if isinstance(neutral, int) and not 0 <= neutral < len(motion):
        raise InputError(
            f"{clip.source} has {len(motion)} frames; want --neutral from 0 to {len(motion) - 1}, got {neutral}"
        )
    check_head(model, clip)
    own_state, own_size = subject.require_reference().motion, subject.face_size_m
    strengths = Strengths.of(strength or {})
    own_face, limits = face_measurements(subject.head), subject.head.gaze_limits
    reference_codes, reference_gaze = own_state.expression[0].numpy(), own_state.gaze[0].numpy()
    own_pose = _pose(own_state)
    parts: list[Motion] = []
    for rows in motion.shots():
        driving, shot = motion[rows], int(clip.shot[rows.start])
        # A shorter shot does not show how the driving person rests; the whole clip then has to.
        known = driving if len(driving) >= 12 else motion
        driving_face = face_measurements(personalised(model, clip.identity[shot]))
        driving_pose = HeadPose(driving.rotation.numpy(), driving.translation.numpy())
        given = neutral if isinstance(neutral, Motion) else None
        if isinstance(neutral, int) and rows.start <= neutral < rows.stop:
            given = motion[neutral]
            pose_rest = _pose(given)
        elif given is not None:
            given_pose = HeadPose(_pose(given).R_cam_head, np.zeros(3))
            pose_rest = HeadPose(given_pose.R_cam_head, most_alike(*driving_pose, given_pose).t_cam_head)
        elif mode == "neutral":
            pose_rest = most_alike(*driving_pose, own_pose)
        else:
            pose_rest = head_rest_of(*driving_pose)
        rest, gaze_rest = np.zeros(len(ACTIONS)), reference_gaze
        if given is not None:
            rest, gaze_rest = given.expression[0].double().numpy(), given.gaze[0].numpy()
        elif mode != "neutral":
            rest = rest_of(known.expression.numpy())
            gaze_rest = gaze_rest_of(known.gaze.numpy(), known.expression.numpy())
        exact = same_camera and mode != "relative"
        scale = own_size / float(clip.face_size_m[shot])
        pose = head_motion(
            mode,
            driving_pose,
            own_pose if exact else pose_rest,
            own_pose,
            scale=1.0 if exact else translation_scale(float(clip.face_size_m[shot]), own_size),
            strength=strengths.head,
        )
        if mode == "neutral" and given is None:  # as seen from the camera, which needs no reference
            driving_gaze = gaze_in_camera(driving.gaze.numpy(), driving_pose, pose)
            gaze = gaze_motion("absolute", driving_gaze, reference_gaze, reference_gaze, strengths.gaze)
        else:
            gaze_mode: Mode = "absolute" if mode == "absolute" else "relative"
            gaze = gaze_motion(gaze_mode, driving.gaze.numpy(), gaze_rest, reference_gaze, strengths.gaze)
        acted = with_gaze(known.expression.numpy(), known.gaze.numpy(), limits)
        expression = with_gaze(expression_motion(mode, driving.expression.numpy(), rest, reference_codes), gaze, limits)
        if mode == "relative":
            start = with_gaze(reference_codes[None], reference_gaze[None], limits)[0]
            calm = driving_face.measure(with_gaze(rest[None], gaze_rest[None], limits))[0]
            calm = calm if given is not None else resting_measurements(driving_face.measure(acted), calm)
            shown = None
        else:  # both faces count from their neutral
            start, calm = np.zeros(len(ACTIONS)), driving_face.measure(np.zeros(len(ACTIONS)))
            if mode == "neutral":  # of which a named frame knows better than the fit
                calm = driving_face.measure(rest)
            shown = own_face.measure(with_gaze(reference_codes[None], reference_gaze[None], limits))[0]
        measured = driving_face.measure(with_gaze(driving.expression.numpy(), driving.gaze.numpy(), limits))
        goal = target_measurements(measured, calm, own_face.measure(start), shown)
        expression = codes_for_measurements(own_face, expression, start, goal, lower_bounds())
        expression = with_strengths(expression, reference_codes, strengths.actions, STRETCH)
        calm_offset = given if isinstance(neutral, int) else None
        factor = scale * min(1.0, float(strengths.actions.min()))
        offset = _landmark_offset(driving, known if calm_offset is None else calm_offset, factor)
        parts.append(Motion(expression, gaze, *pose, offset, fps=motion.fps))
    target = Motion.joined(parts)
    if detail == "none":
        return target
    cuts = target.replace(clip=clip)  # what the network adds must not reach across them
    return with_own_offsets(subject, cuts, device).replace(clip=None)


def _pose(state: Motion) -> HeadPose:
    """Of one frame."""
    return HeadPose(state.rotation[0].numpy(), state.translation[0].numpy())


def _landmark_offset(driving: Motion, calm: Motion, factor: float) -> Tensor | None:
    """[F, 478, 3] metres that the driving frames do beyond the actions, counted from the median of `calm`.

    There is no telling which action an offset belongs to: where any is held back, all offsets are.
    """
    if driving.landmark_offset is None or calm.landmark_offset is None or factor == 0:
        return None
    usual = torch.from_numpy(np.median(calm.landmark_offset.numpy(), axis=0))
    return factor * (driving.landmark_offset - usual)


Float = NDArray[np.floating]


def gaze_in_camera(driving_gaze: Float, driving: HeadPose, target: HeadPose) -> Float:
    """Return gaze [F, 2, 2] (yaw, pitch; radians, relative to the target head) that looks where the driving eyes look.

    What a picture tells of the eyes is their direction in camera space: the iris moves across the eyeball. The angle
    relative to the head is that direction less the head's rotation, and inherits every error of the fitted pose.
    Carried in camera space, eye contact survives a head that is turned otherwise.

    Directions are relative to the line from the camera to each head, so that eyes that look into the driving camera
    look into the target's.

    Args:
        driving_gaze: [F, 2, 2] radians relative to the driving head, subject's left eye first.
        driving: driving poses ([F, 3, 3], [F, 3]).
        target: poses ([F, 3, 3], [F, 3]) of the head whose gaze is wanted.
    """
    forward = eye_rotations(np.asarray(driving_gaze, np.float32))[..., 2].astype(np.float64)  # [F, 2, 3] head space
    direction = np.einsum("fij,fej->fei", driving.R_cam_head, forward)
    direction = np.einsum("fij,fej->fei", _between(driving.t_cam_head, target.t_cam_head), direction)
    x, y, z = np.moveaxis(np.einsum("fji,fej->fei", target.R_cam_head, direction), -1, 0)
    return np.stack([np.arctan2(x, z), np.arcsin(np.clip(y, -1.0, 1.0))], axis=-1)


def _between(first: ArrayLike, second: ArrayLike) -> Float:
    """[F, 3, 3] smallest rotations that take the directions of [F, 3] to those of [F, 3]."""
    a, b = (np.asarray(v, np.float64) / np.linalg.norm(v, axis=-1, keepdims=True) for v in (first, second))
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (a * b).sum(axis=-1, keepdims=True))
    return Rotation.from_rotvec(axis / np.maximum(sine, 1e-12) * angle).as_matrix()
