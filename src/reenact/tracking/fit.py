# SPDX-License-Identifier: Apache-2.0
"""The fit of a photo or a clip: one identity, one camera, and per frame pose, expression and gaze."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from reenact.head.camera import Camera
from reenact.head.head_model import head_model, personalised
from reenact.head.landmarks import LANDMARKS
from reenact.head.model import ParametricHead
from reenact.head.motion import Clip, Motion
from reenact.head.subject import Subject
from reenact.media import InputError
from reenact.perception.evidence import ExpressionEvidence

from .face_model import LandmarkModel, at_landmarks, identity_landmarks, landmark_model
from .identity_prior import IdentityPrior, identity_prior
from .normal_equations import Observations
from .placement import mean_placement, placement_modes
from .solve import Shared, Smoothness, step_frames, step_jointly
from .start import observations, starting_focal, starting_pose


@dataclass(frozen=True)
class _JointStage:
    """Key frames, identity and focal length together."""

    components: int
    """Leading identity components that move."""
    steps: int
    placed: bool = False
    """Whether the detector's points may move along the skin."""


_KEY_FRAMES: Final = 40
"""32 and 48 do alike on all of 83 clips; 24 take half as long and lose two of the fits (2.0, 0.7 % of face height)."""
_FRAMES_WORTH: Final = 4.0
"""Evidence of the key frames together, in frames, against the identity prior."""

_FOCAL_SIGMA: Final = 0.03
"""Prior standard deviation of the logarithm of the focal length about its start. The landmark network's points look as
if seen from nearer than they are, and would pull the camera there: twenty synthetic people of known distance, who start
where the expression network sees them, are put at 0.76 (median; 37 % within a quarter), 0.89 (53 %) and 0.97 (60 %) of
it with 0.1, 0.05 and 0.03. Residuals grow by 1 % on them, and not at all on twelve real clips."""

Points = NDArray[np.float32]
_CHUNK, _OVERLAP = 88, 8  # frames: the Jacobians of a chunk take about 100 MB


# NumPy's threads wait busily after each product, in the way of torch's: the fit takes twice as long with both.
_one_pool = threadpool_limits.wrap(limits=1, user_api="blas")


@_one_pool
def fit_identity(
    model: ParametricHead,
    points_px: Points,
    width: int,
    height: int,
    evidence: ExpressionEvidence | None = None,
    prior: IdentityPrior | None = None,
) -> Subject:
    """Fit identity and camera to landmarks [F, 478, 2] px and expression evidence of one person (F = 1 for a photo).

    The frames used are chosen to differ in pose and mouth, see `key_frames`.

    prior: of the identity; None takes the model's own, see identity_prior.py.
    """
    prior = identity_prior(model) if prior is None else prior
    key = key_frames(points_px)
    known = None if evidence is None else evidence.rows(key)
    obs = observations(points_px[key], (width / 2, height / 2), known)
    fit = _JointFit(model, prior)
    lm = fit.landmarks(torch.zeros(model.identity_size))
    focal = starting_focal(lm, obs, None if known is None else known.pose)
    p = starting_pose(lm, obs, focal)
    fit.modes = placement_modes(lm)
    shared = Shared(torch.zeros(model.identity_size), torch.zeros(len(fit.modes)), 0.0)
    for stage in (_JointStage(30, steps=6), _JointStage(140, steps=6)):
        p, shared = fit.run(stage, p, obs, focal, shared)
    # The actions hardly change over the last small steps of the identity: they are adapted once.
    fit.actions = personalised(model, prior.identity(shared.identity)).actions
    p, shared = fit.run(_JointStage(140, steps=4, placed=True), p, obs, focal, shared)
    camera = Camera(focal * float(np.exp(shared.log_focal)), width / 2, height / 2, width, height)
    return Subject(model, prior.identity(shared.identity), camera, fit.placement(shared.placement))


def tracked_subject(model: ParametricHead, motion: Motion, shot: int = 0) -> Subject:
    """The subject of one of a motion's shots, in its camera. Raises InputError for a motion of another head model."""
    clip = motion.require_clip()
    check_head(model, clip)
    camera = Camera(float(clip.focal_px[shot]), clip.width / 2, clip.height / 2, clip.width, clip.height)
    return Subject(model, clip.identity[shot], camera, clip.placement[shot])


def check_head(model: ParametricHead, clip: Clip) -> None:
    """Raise InputError unless a clip was tracked with a head model."""
    if clip.head != model.name:
        raise InputError(f"{clip.source} was tracked with the head {clip.head}; want {model.name}: track it again")


def clip_of(
    shots: Sequence[Subject],
    source: str,
    frames: int,
    *,
    frame: NDArray[np.integer] | None = None,
    shot: NDArray[np.integer] | None = None,
    seen: NDArray[np.bool_] | None = None,
    residual_px: Points | None = None,
) -> Clip:
    """Put together a clip of F frames in which `shots` [S] were seen by their cameras, all of one size.

    Args:
        shots: who was fitted to each, of one head model.
        source: name of the file.
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
        head=shots[0].model.name,
        frame=torch.from_numpy(np.arange(frames, dtype=np.int32) if frame is None else frame.astype(np.int32)),
        shot=torch.from_numpy(np.zeros(frames, np.int32) if shot is None else shot.astype(np.int32)),
        seen=torch.ones(frames, dtype=torch.bool) if seen is None else torch.from_numpy(seen),
        residual_px=torch.full((frames,), torch.nan) if residual_px is None else torch.from_numpy(residual_px),
        identity=torch.stack([subject.shape for subject in shots]),
        focal_px=torch.tensor([subject.camera.focal_px for subject in shots]),
        face_size_m=torch.tensor([subject.face_size_m for subject in shots]),
        placement=torch.stack([subject.placement for subject in shots]),
    )


def in_pictures(subject: Subject, points_px: Points, width: int, height: int) -> Subject:
    """Give a known subject the camera of other pictures, of width x height px: nothing of the head is fitted again.

    points_px: [F, 478, 2]. Pictures of the known camera's shape are taken to be its own, at another scale; for others
    the face is put at the usual distance.
    """
    known = subject.camera
    focal = known.focal_px * width / known.width
    if not same_shape(width, height, known.width, known.height):
        focal = starting_focal(landmark_model(subject.head), observations(points_px, (width / 2, height / 2)))
    return subject.replace(camera=Camera(focal, width / 2, height / 2, width, height))


def same_shape(width: int, height: int, other_width: int, other_height: int) -> bool:
    """Whether two pictures may be one at two scales: their sides' ratios differ by less than rounding makes of one."""
    return abs(width * other_height - height * other_width) <= 0.01 * other_width * height


class _JointFit:
    """The steps that move identity, placement, camera and all key frames together."""

    def __init__(self, model: ParametricHead, prior: IdentityPrior) -> None:
        self.model, self.prior = model, prior
        self.actions: torch.Tensor | None = None  # [52, V, 3] adapted to the identity; None: the base person's, scaled
        self.mean = mean_placement(model)
        self.modes = self.mean.new_zeros(0, LANDMARKS, 3)

    def placement(self, coefficients: torch.Tensor) -> torch.Tensor:
        """[478, 3] shifts of the landmarks, metres: the mean of people plus this subject's own."""
        return self.mean + torch.einsum("m,mlc->lc", coefficients, self.modes)

    def landmarks(self, z: torch.Tensor, placement: torch.Tensor | None = None) -> LandmarkModel:
        """Of the identity at z in the prior."""
        head, code = head_model(self.model), self.prior.identity(z)
        neutral = head.neutral(code)
        actions = head.scaled_actions(neutral) if self.actions is None else self.actions
        place = self.mean if placement is None else placement
        return at_landmarks(head.topology, neutral, actions, head.joints(code)[3:], head.gaze_limits, place)

    def run(
        self, stage: _JointStage, p: Motion, obs: Observations, focal: float, shared: Shared
    ) -> tuple[Motion, Shared]:
        """Step through a stage."""
        every = identity_landmarks(self.model, self.model.identity_size)
        basis = torch.einsum("ki,klc->ilc", self.prior.factor[:, : stage.components], every)
        for _ in range(stage.steps):
            p, shared = step_jointly(
                self.landmarks(shared.identity, self.placement(shared.placement)),
                p,
                obs,
                focal * float(np.exp(shared.log_focal)),
                shared,
                basis,
                self.modes if stage.placed else self.modes[:0],
                frames_worth=min(_FRAMES_WORTH, len(p)),
                focal_sigma=_FOCAL_SIGMA,
            )
        return p, shared


def key_frames(points: Points, count: int = _KEY_FRAMES) -> NDArray[np.int64]:
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
    subject: Subject,
    points_px: Points,
    joined: NDArray[np.bool_],
    progress: Callable[[int, int], None] = lambda done, total: None,
    evidence: ExpressionEvidence | None = None,
) -> Motion:
    """Pose, expression and gaze of every frame.

    points_px: [F, 478, 2].  joined: [F - 1], whether frames i and i + 1 follow each other, without a cut, gap or jump.
    evidence: of F frames; None: only the landmarks and the general prior decide.
    """
    lm = landmark_model(subject.head, subject.placement)
    camera = subject.camera
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
    for steps, smooth in ((6, None), (4, Smoothness())):  # every frame for itself first, then with its neighbours
        for _ in range(steps):
            p = step_frames(lm, p, obs, focal, joined=joined, smooth=smooth)
    return p
