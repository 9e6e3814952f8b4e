# SPDX-License-Identifier: Apache-2.0
"""The joint fit of a personal head against exact truth.

    python -m benchmarks.head_fit
    python -m benchmarks.head_fit --people 2 --maps network --without nothing normal depth

Synthetic people, partly outside the head model's basis, perform; the whole of `reenact head` is run on the video, once
with our network's maps and once with the true ones, which shows what a better network could gain. With --without, terms
are left out of the fit.

Error of a frame: distance of the fitted face from the true surface, mm of the true head, after the similarity that
makes it least (iterated closest points to planes): a camera does not tell how far away, and so how large, a head is.
Normals: angle between those of fitted and true vertices, degrees, turned by the same similarity.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from scipy.spatial import KDTree

from benchmarks.common import Recorded, record
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.head.subject import Subject
from reenact.lab.evaluation.mesh import mesh_parts
from reenact.lab.synthetic import (
    SyntheticFrames,
    performed_by,
    random_scene,
    render_portraits,
    synthetic_motion,
    synthetic_person,
)
from reenact.lab.training.data.portraits import class_table
from reenact.media import VideoWriter
from reenact.perception.dense.maps import DenseEstimator, DenseMaps, View
from reenact.perception.dense.shipped import shipped_estimator
from reenact.rendering import vertex_normals
from reenact.subject.fit import FRAMES, PERSON, Stage
from reenact.subject.head_fit import fit_head

_FIRST = 910_000  # seeds: people that no network has learnt from
_SIDE = 512
_EVERY = 5  # frames measured


Maps = Literal["network", "true"]
Term = Literal["nothing", "normal", "depth"]
SURFACES = ("coarse", "static", "both")


@dataclass(frozen=True)
class Arguments(Recorded):
    """Measure the personal head of synthetic people."""

    people: int = 6
    """How many."""
    frames: int = 20
    """Length of each video."""
    maps: tuple[Maps, ...] = ("network", "true")
    """Where normals and depth come from, one fit each."""
    without: tuple[Term, ...] = ("nothing",)
    """Terms left out, one fit each."""


class TrueMaps:
    """`DenseEstimator` that returns the truth."""

    name = "truth"

    def __init__(self, drawn: SyntheticFrames, distance_m: float) -> None:
        self._drawn, self._distance = drawn, distance_m

    def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
        return [self._maps(view) for view in views]

    def _maps(self, view: View) -> DenseMaps:
        drawn, crop = self._drawn, view.crop
        grid = np.arange(crop.output_px) + 0.5
        x, y = (np.clip((start + grid * crop.scale).astype(int), 0, _SIDE - 1) for start in (crop.x0, crop.y0))
        at = np.ix_(y, x)
        shown = np.isfinite(drawn.depth[view.frame][at])
        metres = np.where(shown, drawn.depth[view.frame][at], self._distance)
        sides = drawn.cameras[view.frame].focal_px / crop.size / self._distance
        depth = ((metres - self._distance) * sides).astype(np.float32)
        classes = np.where(shown, class_table()[drawn.labels[view.frame][at]], 0).astype(np.uint8)
        return DenseMaps(drawn.normals[view.frame][at], shown.astype(np.float32), depth, classes)


def measured(shapes: np.ndarray, truth: np.ndarray, face: np.ndarray) -> dict[str, float]:
    """Return distances of faces [F, V, 3], in any frame and scale, from the true heads [F, V, 3] in metres."""
    triangles = open_head().topology.faces
    normals = vertex_normals(torch.from_numpy(shapes), triangles, "torch").numpy()[:, face]
    true_normals = vertex_normals(torch.from_numpy(truth), triangles, "torch").numpy()
    away, angles = [], []
    # What is seen from outside only: the back of a lid is near a lid, and looks the other way.
    skin = open_head().topology.region_vertices(*region_ids("skin", "eyelids", "lips")).numpy()
    for shape, normal, real, real_normal, head in zip(
        shapes[:, face], normals, truth[:, skin], true_normals[:, skin], truth, strict=True
    ):
        tree = KDTree(real)
        x, turn = shape.astype(np.float64), np.eye(3)
        target = head[face]
        for _ in range(12):
            scale, more, shift = similarity(x, target)
            x, turn = scale * x @ more.T + shift, more @ turn
            _, near = tree.query(x)
            plane = real_normal[near]
            target = x - ((x - real[near]) * plane).sum(1, keepdims=True) * plane
        _, near = tree.query(x)
        away.append(1000.0 * np.abs(((x - real[near]) * real_normal[near]).sum(1)))
        cosine = ((normal @ turn.T) * real_normal[near]).sum(1)
        angles.append(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    every, angle = np.concatenate(away), np.concatenate(angles)
    return {
        "median_mm": float(np.median(every)), "p90_mm": float(np.quantile(every, 0.9)),
        "normals_deg": float(angle.mean()),
    }  # fmt: skip


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return scale, rotation and shift that carry [N, 3] to [N, 3] best (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.asarray([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / (a**2).sum())
    return scale, rotation, target.mean(0) - scale * rotation @ source.mean(0)


def stages(without: Term) -> tuple[list[Stage], Stage]:
    """Return the stages of the fit with a term left out."""
    if without == "nothing":
        return list(PERSON), FRAMES
    off = {without: 0.0}
    every = [replace(s, weights=replace(s.weights, **off)) for s in (*PERSON, FRAMES)]
    return every[:-1], every[-1]


def surfaces(subject: Subject, motion: Motion) -> dict[str, np.ndarray]:
    """Return the fitted surface [F, V, 3]: coarse, with static offsets, with static and dynamic ones."""
    bare = subject.replace(static_offset=None, fine_offset=None)
    still = motion.replace(landmark_offset=None, dynamic_offset=None)
    count = len(subject.head.neutral)
    return {
        "coarse": bare.surface(still)[:, :count].numpy(),
        "static": subject.surface(still)[:, :count].numpy(),
        "both": subject.surface(motion)[:, :count].numpy(),
    }


def fitted(video: Path, drawn: SyntheticFrames, distance_m: float, maps: Maps, without: Term) -> dict[str, float]:
    """Fit one person and return the errors of each surface, and the seconds that the fit took."""
    estimator: DenseEstimator = shipped_estimator() if maps == "network" else TrueMaps(drawn, distance_m)
    started = time.perf_counter()
    key, every = stages(without)
    subject = fit_head(open_head(), [video], estimator, stages=key, every_frame=every)
    out = {"seconds": time.perf_counter() - started}
    assert subject.motion is not None
    motion = subject.motion[::_EVERY]
    truth, face = drawn.vertices[motion.require_clip().frame.numpy()], mesh_parts()["face"]
    for name, shapes in surfaces(subject, motion).items():
        out |= {f"{name}_{key}": value for key, value in measured(shapes, truth, face).items()}
    return out


def main(arguments: Arguments) -> None:
    """Fit everybody by each way and record the means."""
    people: dict[tuple[Maps, Term], list[dict[str, float]]] = {
        (maps, without): [] for maps in arguments.maps for without in arguments.without
    }
    for seed in range(_FIRST, _FIRST + arguments.people):
        person, scene = synthetic_person(seed), random_scene(seed)
        states = performed_by(synthetic_motion(seed, arguments.frames), person, scene)
        drawn = render_portraits([person], states, [scene], _SIDE)
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "person.mp4"
            with VideoWriter(video, Fraction(25), _SIDE, _SIDE, crf=8) as writer:
                for image in drawn.images:
                    writer.write(image)
            for (maps, without), rows in people.items():
                rows.append({"age": person.age} | fitted(video, drawn, scene.distance_m, maps, without))
                print(f"{seed}, {maps}, without {without}:", {k: round(v, 2) for k, v in rows[-1].items()}, flush=True)
    means = [
        {"maps": maps, "without": without, "people": len(rows)}
        | {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        for (maps, without), rows in people.items()
    ]
    name = "head-fit" if arguments.without == ("nothing",) else "head-fit-terms"
    record(name, means, arguments, people={f"{m}, without {w}": rows for (m, w), rows in people.items()})


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
