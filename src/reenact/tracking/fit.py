# SPDX-License-Identifier: Apache-2.0
"""The fit of a photo or a clip: one identity, one camera, and per frame pose, expression and gaze."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from reenact.head.model import ParametricHead
from reenact.head.motion import LANDMARKS, Clip, Motion
from reenact.head.personal import personal_rig
from reenact.head.rig import Rig, base_rig
from reenact.media import InputError
from reenact.perception.evidence import ExpressionEvidence
from reenact.rendering.camera import Camera

from .face_model import LandmarkModel, identity_landmarks, landmark_model
from .identity_prior import IdentityPrior, identity_prior
from .normal_equations import Observations
from .placement import mean_placement, placement_modes
from .solve import Shared, step_frames, step_jointly
from .stages import COARSE, FINE, FRAMES, FRAMES_WORTH, KEY_FRAMES, PERSONAL, JointStage
from .start import observations, starting_focal, starting_pose

Points = NDArray[np.float32]
_CHUNK = 88  # frames: their Jacobians take about 100 MB
_OVERLAP = 8
_SAME_SHAPE = 0.01  # two sizes of one picture differ by the rounding of their sides


@dataclass(frozen=True)
class Person:
    """Who is seen, and by which camera."""

    identity: NDArray[np.float32]  # [K]
    rig: Rig
    camera: Camera
    placement: Points = field(default_factory=lambda: np.zeros((LANDMARKS, 3), np.float32))
    """[478, 3] metres from the place of each landmark on the mesh to where the detector sees it on this person."""


# NumPy's threads wait busily after each product, in the way of torch's: the fit takes twice as long with both.
_one_pool = threadpool_limits.wrap(limits=1, user_api="blas")


@_one_pool
def fit_person(
    model: ParametricHead,
    points_px: Points,
    width: int,
    height: int,
    evidence: ExpressionEvidence | None = None,
    prior: IdentityPrior | None = None,
) -> Person:
    """Fit identity and camera to landmarks [F, 478, 2] px and expression evidence of one person (F = 1 for a photo).

    The frames used are chosen to differ in pose and mouth, see `key_frames`.

    prior: of the identity; None takes the model's own, see identity_prior.py.
    """
    prior = identity_prior(model) if prior is None else prior
    key = key_frames(points_px)
    known = None if evidence is None else evidence.rows(key)
    obs = observations(points_px[key], (width / 2, height / 2), known)
    rig = base_rig(model, prior.mean)
    mean = mean_placement(model)
    lm = landmark_model(rig, mean)
    focal = starting_focal(lm, obs, None if known is None else known.pose)
    p = starting_pose(lm, obs, focal)
    modes = placement_modes(lm)
    shared = Shared(torch.zeros(model.identity_size), torch.zeros(len(modes)), 0.0)
    for stage in (COARSE, FINE):
        p, shared = _joint(model, prior, base_rig, p, obs, focal, shared, mean, modes, stage)
    actions = personal_rig(model, prior.identity(shared.identity.numpy())).actions

    def adapted(model: ParametricHead, identity: NDArray[np.float32]) -> Rig:
        """The actions hardly change over the last small steps of the identity: they are made once."""
        plain = base_rig(model, identity)
        return Rig(plain.topology, plain.neutral, actions, plain.joints, plain.gaze_limits, plain.eyeballs)

    p, shared = _joint(model, prior, adapted, p, obs, focal, shared, mean, modes, PERSONAL)
    identity = prior.identity(shared.identity.numpy())
    camera = Camera(focal * float(np.exp(shared.log_focal)), width / 2, height / 2, width, height)
    return Person(identity, personal_rig(model, identity), camera, _placed(shared, mean, modes))


def tracked_person(model: ParametricHead, motion: Motion) -> Person:
    """The person of a motion's first shot, in its camera. Raises InputError for a motion of another head model."""
    clip = motion.require_clip()
    check_head(model, clip)
    identity = clip.identity[0].numpy()
    camera = Camera(float(clip.focal_px[0]), clip.width / 2, clip.height / 2, clip.width, clip.height)
    return Person(identity, personal_rig(model, identity), camera, clip.placement[0].numpy())


def check_head(model: ParametricHead, clip: Clip) -> None:
    """Raise InputError unless a clip was tracked with a head model."""
    if clip.head != model.name:
        raise InputError(f"{clip.source} was tracked with the head {clip.head}; want {model.name}: track it again")


def clip_of(
    model: ParametricHead,
    source: str,
    shots: Sequence[Person],
    frames: int,
    *,
    frame: NDArray[np.integer] | None = None,
    shot: NDArray[np.integer] | None = None,
    seen: NDArray[np.bool_] | None = None,
    residual_px: Points | None = None,
) -> Clip:
    """Put together a clip of F frames in which `shots` [S] were seen by their cameras, all of one size.

    Args:
        model: that their identities belong to.
        source: name of the file.
        shots: who was fitted to each.
        frames: F.
        frame: [F] numbers in the source; None: 0 to F - 1.
        shot: [F]; None: there is one.
        seen: [F]; None: in all frames.
        residual_px: [F]; None: not known.
    """
    camera = shots[0].camera
    return Clip(
        source=source,
        width=camera.width,
        height=camera.height,
        head=model.name,
        frame=torch.from_numpy(np.arange(frames, dtype=np.int32) if frame is None else frame.astype(np.int32)),
        shot=torch.from_numpy(np.zeros(frames, np.int32) if shot is None else shot.astype(np.int32)),
        seen=torch.ones(frames, dtype=torch.bool) if seen is None else torch.from_numpy(seen),
        residual_px=torch.full((frames,), torch.nan) if residual_px is None else torch.from_numpy(residual_px),
        identity=torch.from_numpy(np.stack([person.identity for person in shots])),
        focal_px=torch.tensor([person.camera.focal_px for person in shots], dtype=torch.float32),
        face_size_m=torch.tensor([landmark_model(person.rig).size for person in shots], dtype=torch.float32),
        placement=torch.from_numpy(np.stack([person.placement for person in shots])),
    )


def seen_again(person: Person, points_px: Points, width: int, height: int) -> Person:
    """A known person in other pictures, of width x height px: nothing of the head is fitted again.

    points_px: [F, 478, 2]. Pictures of the known camera's shape are taken to be its own, at another scale; for others
    the face is put at the usual distance.
    """
    known = person.camera
    focal = known.focal_px * width / known.width
    if not same_shape(width, height, known.width, known.height):
        focal = starting_focal(landmark_model(person.rig), observations(points_px, (width / 2, height / 2)))
    return replace(person, camera=Camera(focal, width / 2, height / 2, width, height))


def same_shape(width: int, height: int, other_width: int, other_height: int) -> bool:
    """Whether two pictures may be one at two scales."""
    return abs(width * other_height - height * other_width) <= _SAME_SHAPE * other_width * height


def _joint(
    model: ParametricHead,
    prior: IdentityPrior,
    make_rig: Callable[[ParametricHead, NDArray[np.float32]], Rig],
    p: Motion,
    obs: Observations,
    focal: float,
    shared: Shared,
    mean: Points,
    modes: torch.Tensor,
    stage: JointStage,
) -> tuple[Motion, Shared]:
    every = identity_landmarks(model, model.identity_size)
    basis = torch.einsum("ki,klc->ilc", torch.from_numpy(prior.factor[:, : stage.components]), every)
    for _ in range(stage.steps):
        lm = landmark_model(make_rig(model, prior.identity(shared.identity.numpy())), _placed(shared, mean, modes))
        p, shared = step_jointly(
            lm,
            p,
            obs,
            focal * float(np.exp(shared.log_focal)),
            shared,
            basis,
            modes if stage.placed else modes[:0],
            frames_worth=min(FRAMES_WORTH, len(p)),
            focal_sigma=stage.focal_sigma,
        )
    return p, shared


def _placed(shared: Shared, mean: Points, modes: torch.Tensor) -> Points:
    """[478, 3] shifts of the landmarks, metres: the mean of people plus this subject's own."""
    return mean + torch.einsum("m,mlc->lc", shared.placement, modes).numpy()


def key_frames(points: Points, count: int = KEY_FRAMES) -> NDArray[np.int64]:
    """Frames that differ most: farthest-point sampling of normalised landmarks, started at the median face."""
    if len(points) <= count:
        return np.arange(len(points))
    rows = np.linspace(0, len(points) - 1, min(len(points), 600)).astype(int)
    shape = points[rows] - points[rows].mean(axis=1, keepdims=True)
    shape /= np.sqrt((shape**2).sum(axis=(1, 2), keepdims=True))
    shape = shape.reshape(len(rows), -1)
    chosen = [int(np.argmin(((shape - np.median(shape, axis=0)) ** 2).sum(axis=1)))]
    distance = ((shape - shape[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count:
        # Every second choice is drawn evenly over time: the extremes alone would not know the ordinary face.
        new = int(np.argmax(distance)) if len(chosen) % 2 else int(len(rows) * len(chosen) / count)
        chosen.append(new)
        distance = np.minimum(distance, ((shape - shape[new]) ** 2).sum(axis=1))
    return np.unique(rows[chosen])


@_one_pool
def fit_frames(
    person: Person,
    points_px: Points,
    joined: NDArray[np.bool_],
    progress: Callable[[int, int], None] = lambda done, total: None,
    evidence: ExpressionEvidence | None = None,
) -> Motion:
    """Pose, expression and gaze of every frame.

    points_px: [F, 478, 2].  joined: [F - 1], whether frames i and i + 1 follow each other, without a cut, gap or jump.
    evidence: of F frames; None: only the landmarks and the general prior decide.
    """
    lm = landmark_model(person.rig, person.placement)
    camera = person.camera
    parts = []
    for start in range(0, len(points_px), _CHUNK):
        low, high = max(0, start - _OVERLAP), min(len(points_px), start + _CHUNK + _OVERLAP)
        known = None if evidence is None else evidence.rows(slice(low, high))
        obs = observations(points_px[low:high], (camera.cx, camera.cy), known)
        p = _chunk(lm, obs, camera.focal_px, torch.from_numpy(joined[low : high - 1]))
        parts.append(p[start - low : min(start + _CHUNK, len(points_px)) - low])
        progress(min(start + _CHUNK, len(points_px)), len(points_px))
    return Motion.joined(parts)


def _chunk(lm: LandmarkModel, obs: Observations, focal: float, joined: torch.Tensor) -> Motion:
    p = starting_pose(lm, obs, focal)
    for stage in FRAMES:
        for _ in range(stage.steps):
            p = step_frames(lm, p, obs, focal, joined=joined, smooth=stage.smooth)
    return p
