# SPDX-License-Identifier: Apache-2.0
"""Expression codes against what is known of them.

    python -m benchmarks.expression synthetic     # synthetic people with exact codes, head pose and distance
    python -m benchmarks.expression clips         # development clips against blendshape scores
    python -m benchmarks.expression labelled      # real faces labelled by eye

`synthetic` fits each person's ten pictures as one clip. Correlations are pooled over people and sides; distances are
in sizes of the fitted and of the true face, since pictures do not tell size. The scores of `clips` are evidence of the
fit, so agreement is no proof of truth; disagreement shows where landmarks and identity outvote the evidence. `labelled`
fits each face as a photo; most are portraits that the expression network has seen, with other labels
(assets/expression.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from benchmarks.common import OUT, SHARED, Recorded, clip_file, record
from benchmarks.synthetic_expressions import PEOPLE, SIZE, Truth, synthetic_expressions
from reenact.head.arkit import ACTIONS
from reenact.head.head_model import head_model
from reenact.head.open import open_head
from reenact.lab.training.data.expression_labels import Split, picture_of, read_labels
from reenact.media.video import probe, read_frames
from reenact.perception import ExpressionEvidence, ExpressionObserver, VideoLandmarks, detect_faces
from reenact.perception.expression import WEIGHTS, Source
from reenact.tracking import TrackOptions, fit_frames, fit_identity, track
from reenact.tracking.face_model import landmark_model

_LEVEL: Final = np.diag([1.0, -1.0, -1.0])
_DONE: Final = 0.3  # label from which a face does an action
_BOTH: Final[tuple[Source, ...]] = ("blendshapes", "pixels")
_VARIANTS: Final[dict[str, tuple[tuple[Source, ...], bool]]] = {
    "network": (("pixels",), False),
    "landmarks": ((), True),
    "fitted": (_BOTH, True),
}
"""Column of the table -> sources of evidence, and whether the head is fitted."""
CLIPS: Final = (
    "liveportrait_d0", "liveportrait_d10", "liveportrait_d18", "hellomeme_tbh", "hellomeme_jgz", "hellomeme_qie",
    "dreamtalk_M030_front_angry_level3_001", "dreamtalk_M030_front_happy_level3_001",
    "dreamtalk_W009_front_disgusted_level3_001", "dreamtalk_W009_front_surprised_level3_001",
    "dreamtalk_W011_front_happy_level3_001", "video-retalking_face_4",
)  # fmt: skip


@dataclass(frozen=True)
class Synthetic(Recorded):
    """Fit synthetic people and compare with the truth."""

    photos: bool = False
    """Fit each picture by itself."""
    weights: Path = WEIGHTS
    """Of the expression network: another training's, to compare with the shipped ones."""
    people: int = PEOPLE
    """How many, spread over the ages."""
    work: Path = OUT / "synthetic_expressions"
    """Where the pictures are kept."""

    def run(self) -> None:
        """Compare three variants on the same pictures."""
        truth = synthetic_expressions(self.work, np.linspace(0, PEOPLE - 1, self.people).astype(int).tolist())
        found = {name: estimate(truth, *how, self) for name, how in _VARIANTS.items()}
        columns = {name: scores(each) for name, each in found.items()}
        rows = [{"what": what, **{name: s[what] for name, s in columns.items()}} for what in columns["fitted"]]
        record("expression-synthetic", rows, self, missed={name: each.missed for name, each in found.items()})


@dataclass(frozen=True)
class Clips(Recorded):
    """Track development clips and compare with the blendshape network's scores."""

    clips: tuple[str, ...] = CLIPS
    """Names of development clips, without suffix."""
    shared: Path = SHARED
    """Folder that holds data/dev/clips."""

    def run(self) -> None:
        """Correlate codes of all clips with the scores."""
        codes: list[NDArray] = []
        scored: list[NDArray] = []
        for name in self.clips:
            clip = clip_file(f"{name}.mp4", self.shared)
            motion = track(open_head(), clip, TrackOptions(refine="none")).motion
            tracked = motion.require_clip()
            score = scores_of(clip)[tracked.frame.numpy()]
            known = tracked.seen.numpy() & np.isfinite(score[:, 0])
            codes.append(motion[known].expression.numpy())
            scored.append(score[known])
            print(
                f"{name}: {known.sum()} frames, residual {np.nanmedian(tracked.residual_px.numpy()):.2f} px", flush=True
            )
        record("expression-clips", compared(np.concatenate(codes), np.concatenate(scored)), self)


@dataclass(frozen=True)
class Labelled(Recorded):
    """Fit labelled faces as photos and compare with their labels."""

    evidence: tuple[Source, ...] = _BOTH
    """Sources of evidence that the fit is given."""
    weights: Path = WEIGHTS
    """Of the expression network: another training's, to compare with the shipped ones."""
    fit: bool = True
    """Fit; without it, what the evidence itself says."""
    split: Split = "held"
    """Which faces; nothing has learnt from the labels of those that are held."""
    faces: int | None = None
    """How many; all by default."""
    shared: Path = SHARED
    """Folder that holds data."""

    def run(self) -> None:
        """Compare codes with labels; means are those of faces that do an action."""
        if not self.evidence and not self.fit:
            raise SystemExit("without a fit and without evidence there is nothing to compare")
        model = open_head()
        observe = ExpressionObserver(self.evidence, self.weights) if self.evidence else None
        codes, labels = [], []
        for face in [f for f in read_labels() if f.split == self.split][: self.faces]:
            image = picture_of(face, self.shared / "data")
            detected = detect_faces(image)[0]
            points = detected.points[None]
            evidence = None if observe is None else observe(image, detected)
            if self.fit:
                subject = fit_identity(model, points, image.shape[1], image.shape[0], evidence)
                codes.append(fit_frames(subject, points, np.zeros(0, bool), evidence=evidence).expression[0])
            elif evidence is not None:
                codes.append(evidence.mean[0])
            labels.append(face.codes)
        record("expression-labelled", labelled_rows(codes, labels), self, faces=len(codes))


@dataclass(frozen=True)
class Estimates:
    """Codes [N, 52], rotations [N, 3, 3] and distances [N] in sizes of the face, and the true ones."""

    codes: NDArray
    true_codes: NDArray
    rotation: NDArray
    true_rotation: NDArray
    distance: NDArray
    true_distance: NDArray
    missed: int


def kinds() -> list[tuple[str, list[int]]]:
    """Return actions without their sides, but for gaze, and their columns."""
    names = dict.fromkeys(a.removesuffix("Left").removesuffix("Right") for a in ACTIONS if not a.startswith("eyeLook"))
    return [(n, [i for i, a in enumerate(ACTIONS) if a in (n, f"{n}Left", f"{n}Right")]) for n in names]


def correlation(a: NDArray, b: NDArray) -> float | None:
    """Return Pearson's correlation; None where one of them is constant."""
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and a.std() > 1e-6 and b.std() > 1e-6 else None


def estimate(truth: Truth, sources: tuple[Source, ...], fit: bool, arguments: Synthetic) -> Estimates:
    """Read codes, head pose and distance off synthetic people by one variant."""
    model = open_head()
    observe = ExpressionObserver(sources, arguments.weights) if sources else None
    base_size = landmark_model(head_model(model).personalise(torch.zeros(model.identity_size), adapted=False)).size
    parts: list[tuple[NDArray, ...]] = []
    missed = 0
    for person in range(len(truth.images)):
        faces = [(detect_faces(image) or [None])[0] for image in truth.images[person]]
        rows = [i for i, face in enumerate(faces) if face is not None]
        missed += len(faces) - len(rows)
        for group in [[r] for r in rows] if arguments.photos else [rows]:
            chosen = [(truth.images[person, i], face) for i in group if (face := faces[i]) is not None]
            points = np.stack([face.points for _, face in chosen])
            evidence = None
            if observe is not None:
                evidence = ExpressionEvidence.joined([observe(image, face) for image, face in chosen])
            if fit:
                fitted = fit_identity(model, points, SIZE, SIZE, evidence)
                frames = fit_frames(fitted, points, np.zeros(len(group) - 1, bool), evidence=evidence)
                codes, rotation = frames.expression.numpy(), frames.rotation.numpy()
                distance = frames.translation[:, 2].numpy() / fitted.face_size_m
            else:
                assert evidence is not None, "without a fit and without evidence there is nothing to compare"
                codes, pose = evidence.mean, evidence.pose
                rotation = np.repeat(_LEVEL[None], len(group), axis=0) if pose is None else pose.R_ray_head
                distance = np.full(len(group), np.nan) if pose is None else np.exp(pose.log_distance) / base_size
            true = truth.expression[person, group], truth.R_cam_head[person, group], truth.distance_faces[person, group]
            parts.append((codes, true[0], rotation, true[1], distance, true[2]))
    codes, true_codes, rotation, true_rotation, distance, true_distance = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Estimates(codes, true_codes, rotation, true_rotation, distance, true_distance, missed)


def scores(found: Estimates) -> dict[str, float | None]:
    """Return errors of codes, head pose and distance, and correlations of the actions that somebody does."""
    acted = [i for i, a in enumerate(ACTIONS) if not a.startswith("eyeLook")]
    out: dict[str, float | None] = {
        "mean absolute error of the codes": float(np.abs(found.codes - found.true_codes)[:, acted].mean())
    }
    for name, columns in kinds():
        a, b = found.codes[:, columns].ravel(), found.true_codes[:, columns].ravel()
        if b.std() > 0:
            out[f"correlation of {name}"] = correlation(a, b)
    angles, true_angles = (
        np.degrees(Rotation.from_matrix(r @ _LEVEL).as_euler("YXZ"))[:, :2]
        for r in (found.rotation, found.true_rotation)
    )
    for k, name in enumerate(("yaw", "pitch")):
        out[f"slope of {name}"] = float(np.polyfit(true_angles[:, k], angles[:, k], 1)[0])
        out[f"constant error of {name}, degrees"] = float((angles - true_angles)[:, k].mean())
        out[f"scattered error of {name}, degrees"] = float((angles - true_angles)[:, k].std())
    ratio = found.distance / found.true_distance
    known = bool(np.isfinite(ratio).all())
    out["distance over the true one, median"] = float(np.median(ratio)) if known else None
    out["share of distances within 25 %"] = float((np.abs(np.log(ratio)) < np.log(1.25)).mean()) if known else None
    return out


def scores_of(clip: Path) -> NDArray[np.float32]:
    """Return blendshape scores [F, 52] of a clip, NaN where no face is found."""
    out = []
    with VideoLandmarks() as follow:
        for frame in read_frames(probe(clip)):
            face = follow(frame.image)
            out.append(np.full(len(ACTIONS), np.nan, np.float32) if face is None else face.blendshapes)
    return np.stack(out)


def compared(codes: NDArray, scored: NDArray) -> list[dict[str, str | float | None]]:
    """Rows of correlation and means by action, pooled over sides; both [N, 52]."""
    rows = []
    for name, columns in kinds():
        a, b = codes[:, columns].ravel(), scored[:, columns].ravel()
        rows.append({"action": name, "r": correlation(a, b), "codes": float(a.mean()), "scores": float(b.mean())})
    return rows


def labelled_rows(codes: Sequence[NDArray], labels: Sequence[NDArray]) -> list[dict[str, str | float | None]]:
    """Rows by action that some face does; labels are NaN where nobody labelled."""
    found, wanted = np.stack(codes), np.stack(labels)
    rows = []
    for name, columns in kinds():
        a, b = found[:, columns].mean(axis=1), wanted[:, columns].mean(axis=1)
        known = np.isfinite(b)
        done = known & (b >= _DONE)
        if done.any():
            rows.append(
                {
                    "action": name,
                    "done": int(done.sum()),
                    "r": correlation(a[known], b[known]),
                    "label": float(b[done].mean()),
                    "code": float(a[done].mean()),
                    "mae": float(np.abs(a - b)[known].mean()),
                }
            )
    return rows


if __name__ == "__main__":
    tyro.cli(Synthetic | Clips | Labelled, description=__doc__).run()
