# SPDX-License-Identifier: Apache-2.0
"""How real faces vary, in the shipped head's identity coefficients: `assets/identity_prior.safetensors`.

Run after the head and its ages: ``python -m scripts.build_head.identity_prior ICT_NPZ`` (about a minute on two cores).
ICT-FaceKit (MIT) holds 100 identity modes of Light Stage scans, one standard deviation each.  Its neutral is tied to
our mesh once: the landmark detector is shown renders of it, a warp through the landmarks carries our face over, and
smoothed closest points finish it.  The coefficients are linear in the modes, so that their covariance is exact.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from scipy.interpolate import RBFInterpolator
from scipy.spatial import KDTree
from tyro.conf import Positional, arg

from reenact.head.mesh import triangle_normals, vertex_normals
from reenact.head.open import OpenHead, open_head
from reenact.head.regions import region_ids
from reenact.media.arrays import read_arrays, write_arrays
from reenact.media.files import asset
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.tracking.landmark_check import cast_landmarks
from scripts.build_head.landmarks import LIGHTS, SIZE, YAWS_DEG, _render, _turn

OUTPUT = asset("identity_prior.safetensors")
FACE_VERTICES = 9409  # ICT-FaceKit's vertex order: face, then head and neck, mouth, eyes
EYES = (slice(21451, 23021), slice(23021, 24591))  # subject's left, right
LANDMARK_SMOOTHING_M2 = 1e-6  # of the thin plate; sightings scatter by 2 to 3 mm
SURFACE_ROUNDS = 6
REACH_M = 0.006  # displacements of closest points are averaged over this distance
RIDGE_M = 0.002  # what a coefficient of one standard deviation is weighed against, root mean square over the face


@dataclass(frozen=True)
class Registered:
    """ICT at our face vertices, canonical head space, metres."""

    rows: np.ndarray  # [N] our vertices
    mean: np.ndarray  # [N, 3]
    modes: np.ndarray  # [100, N, 3]
    gap_m: np.ndarray  # [N] from the carried vertex to the ICT surface before it was put on it


def register(head: OpenHead, npz: Path) -> Registered:
    """Tie our skin, lids and lips to the ICT surface and read its modes there."""
    data = np.load(npz)
    neutral = data["neutral"].astype(np.float64) * 0.01
    neutral -= 0.5 * (neutral[EYES[0]].mean(axis=0) + neutral[EYES[1]].mean(axis=0))
    quads = data["faces"].astype(np.int64)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    theirs = _landmarks(neutral, faces)
    known = np.flatnonzero(np.isfinite(theirs).all(axis=1))

    top = head.topology
    skin = top.region_vertices(*region_ids("skin", "eyelids", "lips"))
    rows = skin[top.face_weight[skin] > 0.5].numpy()
    base = head.base_neutral.double().numpy()
    ours = top.at_landmarks(head.base_neutral).double().numpy()
    warp = RBFInterpolator(ours[known], theirs[known], smoothing=LANDMARK_SMOOTHING_M2 * len(known), neighbors=None)
    carried = warp(base[rows])

    # Three points a corner and the middle of each triangle: 2 mm apart.
    face = faces[(faces < FACE_VERTICES).all(axis=1)]
    bary = np.asarray([(4, 1, 1), (1, 4, 1), (1, 1, 4), (2, 2, 2), (1, 2.5, 2.5), (2.5, 1, 2.5), (2.5, 2.5, 1)]) / 6.0
    samples = np.einsum("sk,fkc->fsc", bary, neutral[face]).reshape(-1, 3)
    flat = triangle_normals(neutral, face)
    flat = np.repeat(flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-15), len(bary), axis=0)
    tree, own = KDTree(samples), KDTree(base[rows])
    near = [np.asarray(n) for n in own.query_ball_point(base[rows], 2 * REACH_M)]
    found = np.zeros(len(rows), np.int64)
    gap = np.zeros(len(rows))
    for k in range(SURFACE_ROUNDS):
        normal = _normals(carried, rows, top.faces.numpy(), len(base))
        distance, index = tree.query(carried, k=12)
        facing = np.einsum("nkc,nc->nk", flat[index], normal) > 0.5
        pick = np.where(facing.any(axis=1), facing.argmax(axis=1), 0)
        found = np.asarray(index)[np.arange(len(rows)), pick]
        gap = np.asarray(distance)[np.arange(len(rows)), pick]
        if k == SURFACE_ROUNDS - 1:
            break
        step = samples[found] - carried
        step *= (gap < 0.01)[:, None]
        smooth = np.empty_like(step)
        for i, n in enumerate(near):
            w = np.exp(-0.5 * ((base[rows[n]] - base[rows[i]]) ** 2).sum(axis=1) / REACH_M**2)
            smooth[i] = w @ step[n] / w.sum()
        carried = carried + smooth
    corners, weights = face[found // len(bary)], bary[found % len(bary)]
    mean = np.einsum("nkc,nk->nc", neutral[corners], weights)
    raw = data["identity"].astype(np.float64) * 0.01
    modes = np.einsum("mnkc,nk->mnc", raw[:, corners], weights)
    return Registered(rows, mean, modes, gap)


def _landmarks(neutral: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[468, 3] where the detector sees its points on the ICT neutral; NaN for those seen fewer than three times."""
    centre = neutral[faces].mean(axis=1)
    colours = np.tile([0.85, 0.66, 0.56], (len(faces), 1))
    # The brow is painted where it is on our own head, see landmarks.py.
    arch = 0.020 + 0.004 * np.cos((np.abs(centre[:, 0]) - 0.032) / 0.018)
    side = np.abs(centre[:, 0])
    colours[(np.abs(centre[:, 1] - arch) < 0.0035) & (side > 0.012) & (side < 0.05) & (centre[:, 2] > 0)] = 0.15
    eyeball = np.asarray(((faces >= EYES[0].start) & (faces < EYES[1].stop)).all(axis=1))
    colours[eyeball] = 0.93
    for eye in EYES:
        middle = neutral[eye].mean(axis=0)
        aside = np.linalg.norm((centre - middle)[:, :2], axis=1)
        colours[eyeball & (aside < 0.006) & (centre[:, 2] > middle[2])] = 0.15
    shown = (faces < 24591).all(axis=1)  # what follows are lacrimal fluid, blends and lashes
    faces, colours, eyeball = faces[shown], colours[shown], eyeball[shown]
    found: list[list[np.ndarray]] = [[] for _ in range(478)]
    with closing(LandmarkNetwork(None, video=False)) as network:
        for light in LIGHTS:
            for yaw in YAWS_DEG:
                turned = neutral @ _turn(np.deg2rad(yaw)).T
                image, face, bary = _render(turned, faces, colours, light)
                if (detected := network(image)) is not None:
                    points = detected.points.astype(np.float64) * SIZE
                    cast_landmarks(points, face, bary, faces, eyeball, turned, neutral, found, reach_px=4.0)
    seen = [np.median(f, axis=0) if len(f) >= 3 else np.full(3, np.nan) for f in found[:468]]
    return np.asarray(seen)


def _normals(points: np.ndarray, rows: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """[N, 3] unit normals of the carried face."""
    full = np.zeros((count, 3))
    full[rows] = points
    inside = np.isin(faces, rows).all(axis=1)
    return vertex_normals(full, faces[inside])[rows]


@dataclass(frozen=True)
class Population:
    """ICT in our coefficients."""

    mean: np.ndarray  # [K]
    modes: np.ndarray  # [100, K]
    residual_m: np.ndarray  # [draws] median distance over the face of each draw to its fit


def population(head: OpenHead, registered: Registered, draws: int = 200) -> Population:
    """Ridge regression of shapes on coefficients and a rigid motion (where a head's origin lies is no identity)."""
    mean, basis = (x[..., registered.rows, :].double().numpy() for x in head.identity_basis())
    n, k = len(registered.rows), len(basis)
    moves = np.zeros((6, n, 3))
    for axis in range(3):
        moves[axis, :, axis] = 0.01
        moves[3 + axis] = np.cross(np.eye(3)[axis], registered.mean) * 0.1
    design = np.concatenate([basis, moves]).reshape(k + 6, -1)
    damping = np.concatenate([np.full(k, n * RIDGE_M**2 / k), np.zeros(6)])
    solve = np.linalg.solve(design @ design.T + np.diag(damping), design)
    offset = registered.mean - mean
    centre = solve @ offset.ravel()
    modes = registered.modes.reshape(len(registered.modes), -1) @ solve.T
    z = np.random.default_rng(0).standard_normal((draws, len(modes)))
    shapes = offset.ravel() + z @ registered.modes.reshape(len(modes), -1)
    left = shapes - (centre + z @ modes) @ design
    residual = np.median(np.linalg.norm(left.reshape(draws, n, 3), axis=2), axis=1)
    return Population(centre[:k], modes[:, :k], residual)


def age_statistics() -> tuple[np.ndarray, np.ndarray]:
    """Mean [K] and covariance [K, K] of the age- and sex-dependent *means* of anny's people, ages 0 to 90 evenly."""
    table = read_arrays(asset("people_by_age.safetensors"), "table of ages")[0]
    ages = np.linspace(0, 90, 181)
    lines = [[np.interp(ages, table["years"], c) for c in table["mean"][sex].T] for sex in range(2)]
    points = np.concatenate([np.asarray(x).T for x in lines]).astype(np.float64)
    return points.mean(axis=0), np.cov(points.T)


def ordered_factor(head: OpenHead, covariance: np.ndarray) -> np.ndarray:
    """[K, K] W with W W^T = covariance, columns by falling variance of the 478 landmarks."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    seen = head.topology.at_landmarks(head.identity_basis()[1]).flatten(1).numpy()
    gram = root.T @ (seen @ seen.T) @ root
    rotation = np.linalg.eigh(gram)[1][:, ::-1]
    return root @ rotation


FLOOR = 0.3


def pooled(people: Population, floor: float = FLOOR, real: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Moments of a pool: anny's people of all ages (standard normal), and real deviations about the mean of an age.

    floor: standard deviation added in every direction, for what 100 modes of adults do not hold.
    real: share of the second population in the pool.
    """
    age_mean, age_covariance = age_statistics()
    own = people.modes.T @ people.modes
    # The mean of real adults corrects that of anny's adults, and half as much that of the other ages.
    table = read_arrays(asset("people_by_age.safetensors"), "table of ages")[0]
    adult = table["mean"][:, (table["years"] >= 25) & (table["years"] <= 55)].mean(axis=(0, 1))
    shift = 0.5 * (people.mean - adult)
    centre = age_mean + shift
    covariance = age_covariance + own + np.outer(shift, shift) + floor**2 * np.eye(len(own))
    mean = real * centre
    both = real * covariance + (1 - real) * np.eye(len(own)) + real * (1 - real) * np.outer(centre, centre)
    return mean, both


@dataclass
class Args:
    """Learn the identity prior."""

    npz: Positional[Annotated[Path, arg(metavar="ICT_NPZ", help="neutral, identity, faces of ICT-FaceKit light.")]]
    output: Path = OUTPUT
    real: float = 0.5
    floor: float = FLOOR


def main(args: Args) -> None:
    head = open_head()
    registered = register(head, args.npz)
    people = population(head, registered)
    print(f"tied {len(registered.rows)} vertices; gap median {np.median(registered.gap_m) * 1e3:.2f} mm")
    print(f"draws: median distance to the fit {np.median(people.residual_m) * 1e3:.2f} mm")
    mean, covariance = pooled(people, args.floor, args.real)
    out = {"mean": mean, "factor": ordered_factor(head, covariance)}
    about = {"head": head.name, "source": "ICT-FaceKit light (MIT)", "floor": str(args.floor)}
    write_arrays(args.output, {k: v.astype(np.float32) for k, v in out.items()}, about)


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
