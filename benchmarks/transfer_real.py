# SPDX-License-Identifier: Apache-2.0
"""The paper's ablation on surfaces of real people: ``python -m benchmarks.transfer_real [CLIP ...]``.

Each validation person's head is fitted (at most 48 frames, kept under --work). Then every frame is explained anew with
the same codes, poses and static offsets, and with dynamic offsets that are

none      (a) the personalised mesh without D_f
copied    (b) what the network says of another validation person's face, scaled to this one
ours      (c) what the network says of this face
fitted    this face's own, fitted to these very frames: what could be had

Printed: mean angle to our normal network's maps where it sees skin, degrees, and mean distance of the 478 landmarks,
px of the 256 px crop. The network that predicts D_f has learnt from none of these people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from tyro.conf import Positional

from benchmarks.common import OUT, SHARED, clip_file, provenance, sha256, write_json
from benchmarks.fitted_person import quiet
from reenact.head.open import open_head
from reenact.head.state import deformed
from reenact.lab.evaluation.protocol import validation_people
from reenact.lab.training.data.habit_clips import shortened
from reenact.perception.dense.shipped import INPUT_PX, shipped_estimator
from reenact.rendering import interpolate_directions, vertex_normals
from reenact.subject.detailed import open_levels
from reenact.subject.energy import Energy
from reenact.subject.head_fit import fit_head, observed
from reenact.subject.offsets import Posed
from reenact.subject.personal_head import PersonalHead
from reenact.subject.source import read_source
from reenact.subject.store import load_head, save_head
from reenact.transfer.habits import size_of
from reenact.transfer.own_motion import ASSET, OwnMotion
from reenact.transfer.receiver import face_rows

WAYS = ("none", "copied", "ours", "fitted")


@dataclass
class Args:
    """Explain real people's frames."""

    clips: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="CLIP")]] = ()
    """Names of development clips; none: those of the validation people."""
    frames: int = 16
    """Of each, measured."""
    shared: Path = SHARED
    work: Path = OUT / "transfer_real"


def main(args: Args) -> None:
    names = args.clips or tuple(clip for person in validation_people() for clip in person.clips)
    heads = [fitted(name, args) for name in names]
    energy = Energy(open_head().topology, open_levels()[1], INPUT_PX)
    rows_out: list[dict[str, Any]] = []
    print(f"| clip | {' | '.join(f'{w}: deg, px' for w in WAYS)} |\n|---|{'---|' * len(WAYS)}")
    for i, name in enumerate(names):
        found = explained(heads[i], heads[i - 1], args.work / name, args.frames, energy)
        rows_out.append({"clip": name} | {f"{w}_{u}": v for w, both in found.items() for u, v in both.items()})
        print(f"| {name} | {_cells(rows_out[-1])} |", flush=True)
    means = {key: float(np.mean([r[key] for r in rows_out])) for key in rows_out[0] if key != "clip"}
    print(f"| mean | {_cells(means)} |")
    units = "deg to the shipped normal network; px of the 256 px crop, mean of 478 landmarks"
    about = {**provenance(), "units": units, "weights": sha256(ASSET)}
    write_json(args.work / "transfer_real.json", {**about, "clips": rows_out, "mean": means})


def _cells(row: Mapping[str, float]) -> str:
    return " | ".join(f"{row[way + '_deg']:.2f}, {row[way + '_px']:.3f}" for way in WAYS)


def fitted(name: str, args: Args) -> PersonalHead:
    """As scripts.fit_people does it; kept."""
    args.work.mkdir(parents=True, exist_ok=True)
    clip, out = args.work / name, (args.work / name).with_suffix(".head")
    if not out.exists():
        shortened(clip_file(name, args.shared), clip)
        save_head(fit_head(open_head(), [clip], shipped_estimator(), textured=False), out, {"source": name})
    return load_head(out)[0]


def explained(
    head: PersonalHead, other: PersonalHead, clip: Path, count: int, energy: Energy
) -> dict[str, dict[str, float]]:
    """Degrees and px by each way; other: whose D_f is copied."""
    model, fit = open_head(), open_levels()[1]
    source = read_source(model, clip, 0, None, None, quiet)
    rows = np.unique(np.linspace(0, len(head.track) - 1, count).round().astype(int))
    seen = observed(source, rows, shipped_estimator(), quiet)
    states = [head.states()[row] for row in rows]
    rig, narrow = head.rig(model), torch.from_numpy(head.static_fit)
    control = torch.from_numpy(deformed(head.coarse_rig(model), states) + head.static_control)
    moved = torch.from_numpy(head.dynamic.rows(rows, control.shape[1]))
    own = _on_face(OwnMotion.of(rig, narrow).offsets(states))
    ratio = size_of(rig.neutral) / size_of(other.rig(model).neutral)
    theirs = ratio * _on_face(OwnMotion.of(other.rig(model), torch.from_numpy(other.static_fit)).offsets(states))
    zoom = float(head.track.focal_px[0]) / source.person.camera.focal_px
    camera = torch.cat([seen.camera[:, :1] * zoom, seen.camera[:, 1:]], 1)
    turn, shift = (torch.from_numpy(x[rows]) for x in (head.track.R_cam_head, head.track.t_cam_head))
    faces, out = torch.from_numpy(fit.faces), {}
    nothing = torch.zeros_like(own)
    for way, before, added in (
        ("none", control, nothing),
        ("copied", control, theirs),
        ("ours", control, own),
        ("fitted", control + moved, nothing),
    ):
        # The fit mesh begins with the control mesh's vertices, on which the landmarks lie.
        surfaces = before + added[:, : before.shape[1]], fit.upsample(before) + narrow + added
        coarse, fine = (x @ turn.transpose(1, 2) + shift[:, None] for x in surfaces)
        posed = Posed(coarse, fine, turn, camera)
        drawn = energy.draw(posed, seen)
        shown = interpolate_directions(vertex_normals(fine, faces, "torch"), faces, drawn.fragments, "torch")
        angle = torch.rad2deg(torch.arccos((shown * seen.normals).sum(-1).clamp(-1.0, 1.0)))
        away = (energy.landmarks_px(posed, seen) - seen.landmarks).norm(dim=-1)
        worth = drawn.evidence
        degrees = float(((worth * angle).sum((1, 2)) / worth.sum((1, 2))).mean())
        out[way] = {"deg": degrees, "px": float(away.nanmean())}
    return out


def _on_face(offsets: torch.Tensor) -> torch.Tensor:
    """[F, N, 3] of `face_rows` -> [F, W, 3]"""
    out = torch.zeros(len(offsets), len(open_levels()[1]), 3)
    out[:, torch.from_numpy(face_rows())] = offsets
    return out


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
