# SPDX-License-Identifier: Apache-2.0
"""Fitted codes and head pose of synthetic people against the truth: ``python -m benchmarks.expression_synthetic``.

Each person's ten pictures are fitted as one clip, or (--photos) each by itself. Correlations are pooled over people and
sides. Distances are in sizes of the fitted and of the true face: pictures do not tell size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

from benchmarks.common import OUT, provenance, write_json
from benchmarks.expression_clips import kinds
from benchmarks.synthetic_expressions import PEOPLE, SIZE, synthetic_expressions
from reenact.head.arkit import ACTIONS
from reenact.head.open import open_head
from reenact.head.rig import base_rig
from reenact.perception import ExpressionEvidence, ExpressionObserver, detect_faces
from reenact.perception.expression import Source
from reenact.perception.pixels import WEIGHTS
from reenact.tracking import fit_frames, fit_person
from reenact.tracking.face_model import landmark_model

_LEVEL = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Arguments:
    """Fit and compare."""

    photos: bool = False
    """Fit each picture by itself."""
    evidence: tuple[Source, ...] = ("blendshapes", "pixels")
    """Sources of evidence that the fit is given; none: `--evidence` with nothing after it."""
    weights: Path = WEIGHTS
    """Of the expression network: a training's, to compare with the shipped ones."""
    fit: bool = True
    """Fit; without it, what the evidence itself says, its distance in sizes of the base adult's face."""
    people: int = PEOPLE
    """How many, spread over the ages."""
    out: Path = OUT / "expression_synthetic"
    """Where pictures are kept and tables go."""


def angles(rotations: np.ndarray) -> np.ndarray:
    """Yaw and pitch [N, 2] in degrees of R_cam_head [N, 3, 3]."""
    return np.degrees(Rotation.from_matrix(rotations @ _LEVEL).as_euler("YXZ"))[:, :2]


def main(arguments: Arguments) -> None:
    """Print and write the table."""
    if not arguments.fit and not arguments.evidence:
        raise SystemExit("without a fit and without evidence there is nothing to compare")
    truth, model = synthetic_expressions(arguments.out / "people"), open_head()
    observe = ExpressionObserver(arguments.evidence, arguments.weights) if arguments.evidence else None
    base_size = landmark_model(base_rig(model, np.zeros(model.identity_size, np.float32))).size
    found: dict[str, list[np.ndarray]] = {n: [] for n in ("codes", "turn", "distance", "is", "is_turn", "is_distance")}
    missed = 0
    for person in np.linspace(0, PEOPLE - 1, arguments.people).astype(int):
        faces = [(detect_faces(image) or [None])[0] for image in truth.images[person]]
        rows = [i for i, face in enumerate(faces) if face is not None]
        missed += len(faces) - len(rows)
        for group in [[r] for r in rows] if arguments.photos else [rows]:
            chosen = [(truth.images[person, i], face) for i in group if (face := faces[i]) is not None]
            points = np.stack([face.points for _, face in chosen])
            known = None
            if observe is not None:
                known = ExpressionEvidence.joined([observe(image, face) for image, face in chosen])
            if arguments.fit:
                fitted = fit_person(model, points, SIZE, SIZE, known)
                frames = fit_frames(fitted, points, np.zeros(len(group) - 1, bool), evidence=known)
                found["codes"].append(frames.expression)
                found["turn"].append(frames.R_cam_head)
                found["distance"].append(frames.t_cam_head[:, 2] / landmark_model(fitted.rig).size)
            elif known is not None:
                found["codes"].append(known.mean)
                pose, unknown = known.pose, np.full(len(group), np.nan)
                found["turn"].append(np.repeat(_LEVEL[None], len(group), axis=0) if pose is None else pose.R_ray_head)
                found["distance"].append(unknown if pose is None else np.exp(pose.log_distance) / base_size)
            found["is"].append(truth.expression[person, group])
            found["is_turn"].append(truth.R_cam_head[person, group])
            found["is_distance"].append(truth.distance_faces[person, group])
    values = {name: np.concatenate(parts) for name, parts in found.items()}
    acted = [i for i, a in enumerate(ACTIONS) if not a.startswith("eyeLook")]
    away = np.abs(values["codes"] - values["is"])
    summary: dict[str, float] = {"pictures": len(away), "missed": missed, "mae": float(away[:, acted].mean())}
    seen, true = angles(values["turn"]), angles(values["is_turn"])
    for k, name in enumerate(("yaw", "pitch")):
        summary[f"{name}_slope"] = float(np.polyfit(true[:, k], seen[:, k], 1)[0])
        summary[f"{name}_bias_deg"] = float((seen - true)[:, k].mean())
        summary[f"{name}_spread_deg"] = float((seen - true)[:, k].std())
    ratio = values["distance"] / values["is_distance"]
    summary["distance_ratio"] = float(np.median(ratio))
    summary["distance_within_25_percent"] = float((np.abs(np.log(ratio)) < np.log(1.25)).mean())
    for name, value in summary.items():
        print(f"{name} {value:.3f}")
    rows_out = {}
    print("| action | r | mean absolute error |\n|---|---|---|")
    for name, columns in kinds():
        a, b = values["codes"][:, columns].ravel(), values["is"][:, columns].ravel()
        if b.std() > 0:
            rows_out[name] = {"r": float(np.corrcoef(a, b)[0, 1]), "mae": float(np.abs(a - b).mean())}
            print(f"| {name} | {rows_out[name]['r']:.2f} | {rows_out[name]['mae']:.2f} |")
    how = "-".join(
        ["photos" if arguments.photos else "clips", *arguments.evidence, *([] if arguments.fit else ["alone"])]
    )
    write_json(arguments.out / f"{how}.json", {"provenance": provenance(), "summary": summary, "actions": rows_out})


if __name__ == "__main__":
    main(tyro.cli(Arguments))
