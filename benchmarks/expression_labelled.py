# SPDX-License-Identifier: Apache-2.0
"""Codes read from real faces against labels made by eye: ``python -m benchmarks.expression_labelled``.

Faces whose labels no training has seen (expression_labels.csv, split held), each fitted as a photo. Most are
portraits that the expression network has seen, with other labels (assets/expression.md). r is pooled over faces; the
means are those of faces on which the action is done by 0.3 or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from benchmarks.common import OUT, SHARED, provenance, write_json
from benchmarks.expression_clips import kinds
from reenact.head.open import open_head
from reenact.lab.training.data.expression_labels import Split, picture_of, read_labels
from reenact.perception import ExpressionObserver, detect_faces
from reenact.perception.expression import Source
from reenact.perception.pixels import WEIGHTS
from reenact.tracking import fit_frames, fit_person

_DONE = 0.3


@dataclass(frozen=True)
class Arguments:
    """Read and compare."""

    evidence: tuple[Source, ...] = ("blendshapes", "pixels")
    """Sources of evidence that the fit is given."""
    weights: Path = WEIGHTS
    """Of the expression network: a training's, to compare with the shipped ones."""
    fit: bool = True
    """Fit; without it, what the evidence itself says."""
    split: Split = "held"
    """Which faces."""
    shared: Path = SHARED
    """Folder that holds data."""
    out: Path = OUT / "expression_labelled"
    """Where tables go."""


def main(arguments: Arguments) -> None:
    """Print and write the table."""
    if not arguments.evidence:
        raise SystemExit("got no evidence; want at least one source")
    model = open_head()
    observe = ExpressionObserver(arguments.evidence, arguments.weights)
    codes, labels = [], []
    for face in read_labels():
        if face.split != arguments.split:
            continue
        image = picture_of(face, arguments.shared / "data")
        detected = detect_faces(image)[0]
        evidence, points = observe(image, detected), detected.points[None]
        if arguments.fit:
            person = fit_person(model, points, image.shape[1], image.shape[0], evidence)
            codes.append(fit_frames(person, points, np.zeros(0, bool), evidence=evidence).expression[0])
        else:
            codes.append(evidence.mean[0])
        labels.append(face.codes)
    found, wanted = np.stack(codes), np.stack(labels)
    rows = {}
    print(f"{len(found)} faces")
    print("| action | done | r | mean label | mean code | mean absolute error |\n|" + "---|" * 6)
    for name, columns in kinds():
        a, b = found[:, columns].mean(axis=1), wanted[:, columns].mean(axis=1)
        said = np.isfinite(b)
        done = said & (b >= _DONE)
        if not done.any():
            continue
        r = float(np.corrcoef(a[said], b[said])[0, 1])
        label, code, mae = float(b[done].mean()), float(a[done].mean()), float(np.abs(a - b)[said].mean())
        rows[name] = {"done": int(done.sum()), "r": r, "label": label, "code": code, "mae": mae}
        print(f"| {name} | {done.sum()} | {r:.2f} | {label:.2f} | {code:.2f} | {mae:.2f} |")
    how = "-".join([arguments.split, *arguments.evidence, *([] if arguments.fit else ["alone"])])
    write_json(arguments.out / f"{how}.json", {"provenance": provenance(), "actions": rows})


if __name__ == "__main__":
    main(tyro.cli(Arguments))
