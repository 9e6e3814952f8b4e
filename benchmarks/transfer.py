# SPDX-License-Identifier: Apache-2.0
"""Expression transfer: against exact truth, and on frames of real people.

    python -m benchmarks.transfer synthetic
    python -m benchmarks.transfer real

`synthetic`: targets and drivers are synthetic people whose own way of moving is known
(lab/synthetic/own_deformation.py); they have not been learnt from. The driver's codes are known. Error: distance of
each vertex of the fit mesh from where the target's own face has it, mm.

linear      the base adult's actions, scaled by the size of the face, added to the target's neutral
copied      the same, plus what the driver's face does beyond its own linear actions, scaled
transferred deformation transfer (Sumner and Popovic 2004, with contacts) of the driver's moving mesh, plus the driver's
            folds, scaled
adapted     the target's own actions by deformation transfer, made once, added up: what the network adds to
predicted   that, plus the transfer network's D_f

`real`: each validation person's head is fitted (at most 48 frames, kept under --work). Every frame is explained with
the same codes, poses and static offsets, and with dynamic offsets that are none (a), those by which skin follows the
landmarks that the tracker saw (followed, b), those and what the network predicts of this face (own, c), or fitted to
these very frames, which no prediction can exceed. Errors: mean angle to the normal network's maps where it sees skin,
degrees, and mean distance of the 478 landmarks, px of the 256 px crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import torch
import tyro
from tyro.conf import Positional

from benchmarks.common import OUT, SHARED, Recorded, clip_file, record
from reenact.head.head_model import action_source, head_model
from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import in_regions, region_ids
from reenact.head.shape import HeadShape
from reenact.head.state import deformed
from reenact.head.subject import Subject
from reenact.lab.evaluation.protocol import validation_people
from reenact.lab.synthetic.noise import rng
from reenact.lab.synthetic.own_deformation import OwnDeformation, linear
from reenact.lab.training.data.fitted_people import shortened
from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, performance, still
from reenact.perception.dense.shipped import INPUT_PX, shipped_estimator
from reenact.rendering import PixelInterpolation, vertex_normals
from reenact.subject.energy import Energy
from reenact.subject.head_fit import fit_head, observed
from reenact.subject.offsets import Posed
from reenact.subject.source import read_source
from reenact.subject.store import load_head, save_head
from reenact.tracking import TrackOptions, silent
from reenact.transfer.dynamic_offsets import ASSET, DynamicOffsets, load_transfer
from reenact.transfer.subject_features import face_rows

_DRIVERS: Final = HELD_OUT_SEED + 10_000
_SHUT_MM: Final = 0.3  # a line of lips or lids whose pairs are nearer, in the middle, is shut
METHODS: Final = ("linear", "copied", "transferred", "adapted", "predicted")


@dataclass(frozen=True)
class Synthetic(Recorded):
    """Transfer between synthetic people and compare with the truth."""

    receivers: int = 50
    """Target faces."""
    performances: int = 10
    """Of each target, each by another driver."""
    frames: int = 12
    """Of each performance, consecutive."""
    weights: Path = ASSET
    """Of the transfer network: another training's, to compare with the shipped ones."""

    def run(self) -> None:
        """Measure all methods on the same performances."""
        net = load_transfer(self.weights)
        where, fit = parts(), open_levels()[1]
        errors: dict[str, dict[str, list[np.ndarray]]] = {m: {p: [] for p in where} for m in METHODS}
        contact = {name: Contact.none() for name in ("truth", "transferred", "adapted", "predicted")}
        people = []
        for number in range(self.receivers):
            own = OwnDeformation.of(HELD_OUT_SEED + number)
            rest = own.neutral()
            kept = rest - fit.upsample(own.head.neutral)  # folds that stay
            offsets = DynamicOffsets.of(own.head, kept, net)
            draw = rng(HELD_OUT_SEED + number, "driven by")
            mine: dict[str, list[np.ndarray]] = {m: [] for m in METHODS}
            for _ in range(self.performances):
                driver = OwnDeformation.of(_DRIVERS + int(draw.integers(200)))
                states = performance(draw, self.frames)
                truth = own.shapes(states)
                contact["truth"].add(truth, truth, rest)
                for name, shapes in predictions(own, kept, driver, offsets, states).items():
                    if name in contact:
                        contact[name].add(shapes, truth, rest)
                    away = 1000.0 * (shapes - truth).norm(dim=-1).numpy()
                    mine[name].append(away[:, where["face"]])
                    for part, rows in where.items():
                        errors[name][part].append(away[:, rows].astype(np.float16))
            rms = {m: float(np.sqrt(np.mean(np.square(np.concatenate(mine[m]))))) for m in METHODS}
            people.append({"seed": own.person.seed, "age": own.person.age} | rms)
        table = [{"method": name} | distances(errors[name]) for name in METHODS]
        record("transfer", table, self, people=people)
        record("transfer-contact", [{"method": name} | found.summary() for name, found in contact.items()], self)


@dataclass(frozen=True)
class Real(Recorded):
    """Explain frames of real people with each kind of dynamic offsets."""

    clips: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="CLIP")]] = ()
    """Names of development clips, at least two; none: those of the validation people."""
    frames: int = 16
    """Of each clip, measured."""
    shared: Path = SHARED
    """Folder that holds data/dev/clips."""
    work: Path = OUT / "transfer_real"
    """Where shortened clips and fitted heads are kept."""

    def run(self) -> None:
        """Fit, explain, record."""
        names = self.clips or tuple(clip for person in validation_people() for clip in person.clips)
        heads = {name: fitted(name, self) for name in names}
        energy = Energy(open_head().topology, open_levels()[1], INPUT_PX)
        rows: list[dict[str, str | float]] = []
        for name, head in heads.items():
            rows.append({"clip": name} | explained(head, self.work / name, self.frames, energy))
            print(rows[-1], flush=True)
        means = {key: float(np.mean([float(row[key]) for row in rows])) for key in rows[0] if key != "clip"}
        record("transfer-real", [*rows, {"clip": "mean"} | means], self)


def distances(errors: dict[str, list[np.ndarray]]) -> dict[str, float]:
    """Summarise the distances of each part of the face, mm."""
    row: dict[str, float] = {}
    for part, found in errors.items():
        every = np.concatenate([e.ravel() for e in found]).astype(np.float32)
        row |= {f"{part}_median_mm": float(np.median(every)), f"{part}_p95_mm": float(np.quantile(every, 0.95))}
        row |= {f"{part}_rms_mm": float(np.sqrt(np.mean(every.astype(np.float64) ** 2)))}
    return row


def parts() -> dict[str, np.ndarray]:
    """Return vertices of the fit mesh: the face, and of it the mouth and the eyes."""
    fit = open_levels()[1]
    base = fit.upsample(open_head().base_neutral).numpy()
    face = np.flatnonzero(fit.face.numpy() > 0.5)

    def near(region: str, reach: float) -> np.ndarray:
        own = base[fit.faces[in_regions(fit.regions, *region_ids(region))].unique().numpy()]
        away = np.min([np.linalg.norm(base[face] - p, axis=1) for p in own[::4]], axis=0)
        return face[away < reach]

    return {"face": face, "mouth": near("lips", 0.010), "eyes": near("eyelids", 0.006)}


@dataclass
class Contact:
    """Lips and lids that are shut on the target's own face, and triangles turned inside out."""

    gaps: dict[str, list[np.ndarray]]
    inverted: int = 0
    triangles: int = 0

    @staticmethod
    def none() -> Contact:
        return Contact({"lips": [], "lids": []})

    def add(self, shapes: torch.Tensor, truth: torch.Tensor, rest: torch.Tensor) -> None:
        """Add frames: shapes [F, W, 3], the true ones, and the shape at rest [W, 3]."""
        top, fit = open_head().topology, open_levels()[1]
        for name, pairs in (("lips", top.lip_contacts), ("lids", top.lid_contacts)):
            sides = [pairs] if name == "lips" else [pairs[(rest[pairs[:, 0], 0] > 0) ^ s] for s in (False, True)]
            for own in sides:
                found, true = (1000.0 * (x[:, own[:, 0], 1] - x[:, own[:, 1], 1]).numpy() for x in (shapes, truth))
                shut = np.median(np.abs(true), axis=1) < _SHUT_MM
                self.gaps[name].append(found[shut].ravel())
        faces = fit.faces[(fit.face[fit.faces] > 0).all(1)]
        self.inverted += int((_turned(shapes, faces) & ~_turned(rest[None], faces)).sum())
        self.triangles += len(faces) * len(shapes)

    def summary(self) -> dict[str, float]:
        """Return distances in mm, and the triangles turned inside out of a million."""
        out: dict[str, float] = {"inverted_ppm": 1e6 * self.inverted / max(self.triangles, 1)}
        for name, found in self.gaps.items():
            gap = np.concatenate(found)
            if len(gap):
                out[f"{name}_gap_median_mm"] = float(np.median(np.abs(gap)))
                out[f"{name}_through_p99_mm"] = float(np.quantile(np.maximum(-gap, 0.0), 0.99))
                out[f"{name}_pairs"] = len(gap)
        return out


def _turned(shapes: torch.Tensor, faces: torch.Tensor) -> np.ndarray:
    """Return which triangles [F, T] look the other way than the skin around them."""
    around = vertex_normals(shapes, open_levels()[1].faces, "torch")
    a, b, c = (shapes[:, faces[:, i]] for i in range(3))
    own = torch.linalg.cross(b - a, c - a)
    return ((own * around[:, faces].sum(2)).sum(-1) < 0).numpy()


def plain_head(own: OwnDeformation) -> HeadShape:
    """Return the base adult's actions on this person's neutral."""
    base = head_model(open_head()).personalise(torch.from_numpy(own.person.identity), adapted=False)
    head = own.head
    return HeadShape(base.topology, head.neutral, base.actions, head.joints, base.gaze_limits, head.eyeballs)


def predictions(
    own: OwnDeformation,
    kept: torch.Tensor,
    driver: OwnDeformation,
    offsets: DynamicOffsets,
    states: Motion,
) -> dict[str, torch.Tensor]:
    """Return shapes [F, W, 3] by each method."""
    out, fit = {}, open_levels()[1]
    ratio = own.person.size / driver.person.size
    performed, performer = driver.shapes(states), driver.neutral()
    out["linear"] = linear(plain_head(own), states) + kept
    plain = plain_head(driver)
    beyond = performed - performer - (linear(plain, states) - linear(plain, still()))
    out["copied"] = out["linear"] + ratio * beyond
    control = driver.control(states)
    folds = performed - performer - fit.upsample(control - driver.head.neutral)
    out["transferred"] = fit.upsample(carry(driver.head, own.head, control)) + kept + ratio * folds
    out["adapted"] = linear(own.head, states) + kept
    out["predicted"] = surface(offsets, states, kept)
    return out


def surface(offsets: DynamicOffsets, states: Motion, fine_offset: torch.Tensor | None = None) -> torch.Tensor:
    """Return the fit mesh [F, W, 3] with the network's D_f, canonical, metres; fine_offset: [W, 3] static ones."""
    fine = linear(offsets.head, states)
    if fine_offset is not None:
        fine = fine + fine_offset
    return fine.index_add(1, face_rows(), offsets(states))


def carry(source: HeadShape, target: HeadShape, shapes: torch.Tensor) -> torch.Tensor:
    """Carry shapes [F, V, 3] of one head to another by deformation transfer, frame by frame."""
    transfer = action_source(open_head(), source.neutral).onto(target.neutral)
    offsets, eyes = shapes - source.neutral, torch.cat(target.eyeballs)
    moved = target.neutral + transfer.transfer(offsets).float()
    return moved.index_copy(1, eyes, target.neutral[eyes] + offsets[:, eyes])


def fitted(name: str, arguments: Real) -> Subject:
    """Fit a head to a shortened clip as scripts.fit_people does, or read the one that is kept."""
    arguments.work.mkdir(parents=True, exist_ok=True)
    clip, out = arguments.work / name, (arguments.work / name).with_suffix(".head")
    if not out.exists():
        shortened(clip_file(name, arguments.shared), clip)
        subject = fit_head(open_head(), [clip], shipped_estimator(), textured=False)
        save_head(subject, out, references=False)
    return load_head(out)


def explained(subject: Subject, clip: Path, count: int, energy: Energy) -> dict[str, float]:
    """Return degrees and px of each kind of offsets."""
    head, narrow, motion = subject.head, subject.fine_offset, subject.motion
    assert narrow is not None and motion is not None and motion.landmark_offset is not None
    fit = open_levels()[1]
    source = read_source(subject.model, clip, TrackOptions(), silent)
    rows = np.unique(np.linspace(0, len(motion) - 1, count).round().astype(int))
    seen = observed(source, rows, shipped_estimator(), silent)
    away = motion.landmark_offset - motion.landmark_offset.median(0).values
    followed = motion[rows].replace(landmark_offset=away[rows], dynamic_offset=None)
    states = followed.replace(landmark_offset=None)
    own = _on_face(DynamicOffsets.of(head, narrow)(states))
    zoom = subject.camera.focal_px / source.subject.camera.focal_px
    camera = torch.cat([seen.camera[:, :1] * zoom, seen.camera[:, 1:]], 1)
    turn, shift = states.rotation, states.translation
    faces, out = fit.faces, {}
    nothing = torch.zeros_like(own)
    for kind, moving, added in (
        ("none", states, nothing),
        ("followed", followed, nothing),
        ("own", followed, own),
        ("fitted", motion[rows], nothing),
    ):
        before = deformed(head, moving)
        # The fit mesh begins with the control mesh's vertices, on which the landmarks lie.
        shapes = before + added[:, : before.shape[1]]
        coarse, fine = (
            x @ turn.transpose(1, 2) + shift[:, None] for x in (shapes, fit.upsample(before) + narrow + added)
        )
        posed = Posed(coarse, fine, turn, camera, head.inner_lips.hidden_depth(shapes))
        drawn = energy.rasterise(posed, seen)
        pixels = PixelInterpolation(faces, drawn.fragments, fine.shape[1])
        shown = torch.nn.functional.normalize(pixels(vertex_normals(fine, faces, "torch")), dim=-1)
        angle = torch.rad2deg(torch.arccos((shown * seen.normals).sum(-1).clamp(-1.0, 1.0)))
        missed = (energy.landmarks_px(posed, seen) - seen.landmarks).norm(dim=-1)
        worth = drawn.evidence
        degrees = float(((worth * angle).sum((1, 2)) / worth.sum((1, 2))).mean())
        out |= {f"{kind}_deg": degrees, f"{kind}_px": float(missed.nanmean())}
    return out


def _on_face(offsets: torch.Tensor) -> torch.Tensor:
    """Spread offsets [F, N, 3] of `face_rows` over the fit mesh, [F, W, 3]."""
    out = torch.zeros(len(offsets), len(open_levels()[1]), 3)
    out[:, face_rows()] = offsets
    return out


if __name__ == "__main__":
    tyro.cli(Synthetic | Real, description=__doc__).run()
