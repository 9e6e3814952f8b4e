# SPDX-License-Identifier: Apache-2.0
"""Expression transfer against exact truth: ``python -m benchmarks.transfer [--receivers 50] [--performances 10]``.

Receivers and drivers are people who do not exist, whose own way of moving is known (lab/synthetic/receivers.py); they
have not been learnt from. The driver's codes are known. Error: distance of each vertex of the fit mesh from where the
receiver's own face has it, mm.

linear      the base adult's actions, scaled by the size of the face, added to the receiver's neutral
copied      the same, plus what the driver's face does beyond its own linear actions, scaled
transferred deformation transfer (Sumner and Popovic 2004, with contacts) of the driver's moving mesh, plus the driver's
            folds, scaled
adapted     the receiver's own actions by deformation transfer, made once, added up: what ours adds to
ours        that, plus the transfer network's D_f
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from safetensors.torch import load_file

from benchmarks.common import OUT, provenance, sha256, write_json
from reenact.head.deformation import DeformationTransfer
from reenact.head.model import Float
from reenact.head.open import open_head
from reenact.head.personal import transfer_between
from reenact.head.regions import region_ids
from reenact.head.rig import Rig, base_rig
from reenact.head.state import HeadState
from reenact.lab.synthetic.noise import rng
from reenact.lab.synthetic.receivers import OwnDeformation, linear
from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, performance, still
from reenact.rendering import vertex_normals
from reenact.subject.detailed import open_levels
from reenact.transfer.network import TransferNet
from reenact.transfer.own_motion import ASSET, OwnMotion

_DRIVERS = HELD_OUT_SEED + 10_000
_SHUT_MM = 0.3  # a line of lips or lids whose pairs are nearer, in the middle, is shut
METHODS: tuple[str, ...] = ("linear", "copied", "transferred", "adapted", "ours")


@dataclass
class Args:
    """Measure expression transfer."""

    receivers: int = 50
    performances: int = 10
    frames: int = 12
    """Of each performance, consecutive."""
    weights: Path = ASSET
    out: Path = OUT / "transfer.json"


def parts() -> dict[str, np.ndarray]:
    """Vertices of the fit mesh: the face, and of it the mouth and the eyes."""
    fit = open_levels()[1]
    base = fit.upsample(torch.from_numpy(open_head().base_neutral)).numpy()
    face = np.flatnonzero(fit.face > 0.5)

    def near(region: str, reach: float) -> np.ndarray:
        own = base[np.unique(fit.faces[np.isin(fit.regions, region_ids(region))])]
        away = np.min([np.linalg.norm(base[face] - p, axis=1) for p in own[::4]], axis=0)
        return face[away < reach]

    return {"face": face, "mouth": near("lips", 0.010), "eyes": near("eyelids", 0.006)}


@dataclass
class Contact:
    """Lips and lids that are shut on the receiver's own face, and triangles turned inside out."""

    gaps: dict[str, list[np.ndarray]]
    inverted: int = 0
    triangles: int = 0

    @staticmethod
    def none() -> Contact:
        return Contact({"lips": [], "lids": []})

    def add(self, shapes: torch.Tensor, truth: torch.Tensor, rest: torch.Tensor) -> None:
        """[F, W, 3] found and true, [W, 3] at rest."""
        top, fit = open_head().topology, open_levels()[1]
        for name, pairs in (("lips", top.lip_contacts), ("lids", top.lid_contacts)):
            sides = (
                [pairs] if name == "lips" else [pairs[(rest[pairs[:, 0], 0].numpy() > 0) ^ s] for s in (False, True)]
            )
            for own in sides:
                found, true = (1000.0 * (x[:, own[:, 0], 1] - x[:, own[:, 1], 1]).numpy() for x in (shapes, truth))
                shut = np.median(np.abs(true), axis=1) < _SHUT_MM
                self.gaps[name].append(found[shut].ravel())
        faces = fit.faces[(fit.face[fit.faces] > 0).all(1)]
        self.inverted += int((_turned(shapes, faces) & ~_turned(rest[None], faces)).sum())
        self.triangles += len(faces) * len(shapes)

    def summary(self) -> dict[str, float]:
        """mm; `inverted` is a count."""
        out: dict[str, float] = {"inverted": self.inverted, "triangles": self.triangles}
        for name, found in self.gaps.items():
            gap = np.concatenate(found)
            if len(gap):
                out[f"{name}_gap_median_mm"] = float(np.median(np.abs(gap)))
                out[f"{name}_through_p99_mm"] = float(np.quantile(np.maximum(-gap, 0.0), 0.99))
                out[f"{name}_pairs"] = len(gap)
        return out


def _turned(shapes: torch.Tensor, faces: np.ndarray) -> np.ndarray:
    """[F, T] triangles that look the other way than the skin around them."""
    around = vertex_normals(shapes, torch.from_numpy(open_levels()[1].faces), "torch")
    a, b, c = (shapes[:, faces[:, i]] for i in range(3))
    own = torch.linalg.cross(b - a, c - a)
    return ((own * around[:, faces].sum(2)).sum(-1) < 0).numpy()


def plain_rig(own: OwnDeformation) -> Rig:
    """The base adult's actions on this person's neutral."""
    return replace(base_rig(open_head(), own.person.identity), neutral=own.rig.neutral)


def main(args: Args) -> None:
    net = TransferNet()
    net.load_state_dict({k: v.float() for k, v in load_file(args.weights).items()})
    net.eval().requires_grad_(False)
    where, fit = parts(), open_levels()[1]
    errors: dict[str, dict[str, list[np.ndarray]]] = {m: {p: [] for p in where} for m in METHODS}
    people = []
    contact = {name: Contact.none() for name in ("truth", "transferred", "adapted", "ours")}
    for number in range(args.receivers):
        own = OwnDeformation.of(HELD_OUT_SEED + number)
        rest = own.neutral()
        kept = rest - fit.upsample(torch.from_numpy(own.rig.neutral))  # folds that stay
        motion = OwnMotion.of(own.rig, kept, net)
        draw = rng(HELD_OUT_SEED + number, "driven by")
        mine: dict[str, list[np.ndarray]] = {m: [] for m in METHODS}
        for _ in range(args.performances):
            driver = OwnDeformation.of(_DRIVERS + int(draw.integers(200)))
            states = performance(draw, args.frames)
            truth = own.shapes(states)
            contact["truth"].add(truth, truth, rest)
            for name, shapes in predictions(own, kept, driver, motion, states).items():
                if name in contact:
                    contact[name].add(shapes, truth, rest)
                away = 1000.0 * (shapes - truth).norm(dim=-1).numpy()
                mine[name].append(away[:, where["face"]])
                for part, rows in where.items():
                    errors[name][part].append(away[:, rows].astype(np.float16))
        people.append(
            {"seed": own.person.seed, "age": own.person.age}
            | {m: float(np.sqrt(np.mean(np.square(np.concatenate(mine[m]))))) for m in METHODS}
        )
    table = {}
    print("| method | face median, p95 mm | mouth | eyes | rms face |\n|---|---|---|---|---|")
    for name in METHODS:
        row: dict[str, float] = {}
        for part in where:
            every = np.concatenate([e.ravel() for e in errors[name][part]]).astype(np.float32)
            row |= {f"{part}_median_mm": float(np.median(every)), f"{part}_p95_mm": float(np.quantile(every, 0.95))}
            row |= {f"{part}_rms_mm": float(np.sqrt(np.mean(every.astype(np.float64) ** 2)))}
        table[name] = row
        numbers = [f"{row[f'{p}_median_mm']:.3f}, {row[f'{p}_p95_mm']:.2f}" for p in where]
        print(f"| {name} | {' | '.join(numbers)} | {row['face_rms_mm']:.3f} |", flush=True)
    touching = {name: found.summary() for name, found in contact.items()}
    for name, found in touching.items():
        print(f"{name}: {found}")
    worst = sorted(people, key=lambda p: -p["ours"])[:5]
    print("worst receivers, rms mm:", worst)
    units = "mm from the receiver's own face, fit mesh"
    about = {**provenance(), "units": units, "weights": sha256(args.weights), "receivers": args.receivers}
    write_json(args.out, {**about, "methods": table, "contact": touching, "people": people})


def predictions(
    own: OwnDeformation,
    kept: torch.Tensor,
    driver: OwnDeformation,
    motion: OwnMotion,
    states: list[HeadState],
) -> dict[str, torch.Tensor]:
    """[F, W, 3] by each method."""
    out = {}
    ratio = own.person.size / driver.person.size
    performed, performer = driver.shapes(states), driver.neutral()
    out["linear"] = linear(plain_rig(own), states) + kept
    beyond = performed - performer - (linear(plain_rig(driver), states) - linear(plain_rig(driver), [still()]))
    out["copied"] = out["linear"] + ratio * beyond
    control, control_rest = driver.control(states), driver.rig.neutral
    folds = performed - performer - open_levels()[1].upsample(torch.from_numpy(control - control_rest))
    carried = carry(driver.rig, own.rig, control)
    out["transferred"] = open_levels()[1].upsample(torch.from_numpy(carried)) + kept + ratio * folds
    out["adapted"] = linear(own.rig, states) + kept
    out["ours"] = torch.cat(list(motion.surfaces(states)))
    return out


def carry(source: Rig, target: Rig, shapes: Float) -> Float:
    """[F, V, 3] shapes of one rig -> another's, frame by frame."""
    transfer: DeformationTransfer = transfer_between(open_head(), source.neutral, target.neutral)
    moved = target.neutral + transfer.transfer(shapes - source.neutral).astype(np.float32)
    eyes = np.concatenate(target.eyeballs)
    moved[:, eyes] = target.neutral[eyes] + (shapes - source.neutral)[:, eyes]
    return moved


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
