# SPDX-License-Identifier: Apache-2.0
"""Whether the neutral of a personal head is the subject's identity.

    python -m benchmarks.head_identity ANN=a.mp4,b.mp4 BOB=c.mp4 --name clips
    python -m benchmarks.head_identity --synthetic 4 --name synthetic

Each clip (or photo) is fitted alone; the neutrals V_neutral = V^s + D_g of one person, whatever they do in the clips,
should be alike, and unlike other people's. Distance of two neutrals: median over the face's vertices of the distance
from the one surface to the other along its normal, mm of an adult's head, after the best similarity (head_fit):
pictures do not tell size. With --synthetic N, N synthetic people give three performances each, and the truth is known.
In the third they smile all the time: their neutral should still be nearer to their true neutral than to their smile.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from tyro.conf import Positional

from benchmarks.common import Recorded, record
from benchmarks.head_fit import measured
from reenact.head.arkit import ACTIONS
from reenact.head.open import open_head
from reenact.lab.evaluation.mesh import mesh_parts
from reenact.lab.synthetic import (
    SyntheticPerson,
    performed_by,
    random_scene,
    render_portraits,
    synthetic_motion,
    synthetic_person,
)
from reenact.media import VideoWriter
from reenact.perception.dense.maps import BASE_FACE_M
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.head_fit import fit_head

_FIRST, _SIDE, _FRAMES = 915_000, 512, 20
_SMILE = {"mouthSmile": 0.8, "cheekSquint": 0.3, "eyeSquint": 0.2}
_TAKES = ("one", "another", "smiling")


@dataclass(frozen=True)
class Arguments(Recorded):
    """Measure distances of neutrals within and between people."""

    people: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="PERSON=CLIP,CLIP")]] = ()
    """Files of each person, at least two of one."""
    synthetic: int = 0
    """Synthetic people to fit, from three performances each."""
    name: str = "people"
    """What to call this set of people; the result is head-identity-NAME."""


@dataclass(frozen=True)
class Neutral:
    """Of one clip, in an adult's metres."""

    person: str
    clip: str
    coarse: np.ndarray  # [V, 3] as tracked
    static: np.ndarray  # [V, 3] with static offsets
    seconds: float


def fitted(person: str, clip: Path) -> Neutral:
    """Fit the static offsets of one clip or photo, the first half of `reenact head`, and return the neutral."""
    started = time.perf_counter()
    found = fit_head(open_head(), [clip], shipped_estimator(), every_frame=None)
    tracked = found.replace(static_offset=None, fine_offset=None)
    coarse, grown = tracked.neutral(0), BASE_FACE_M / tracked.face_size_m
    detailed = found.neutral()[: len(coarse)].numpy() * grown
    return Neutral(person, clip.stem, coarse.numpy() * grown, detailed, time.perf_counter() - started)


def smile() -> np.ndarray:
    """Return the codes [52] of the constant smile."""
    return np.asarray([next((v for k, v in _SMILE.items() if a.startswith(k)), 0.0) for a in ACTIONS], np.float32)


def drawn_clips(people: int, folder: Path) -> list[tuple[str, Path]]:
    """Render three performances each of synthetic people, in different scenes."""
    out = []
    for seed in range(_FIRST, _FIRST + people):
        person = synthetic_person(seed)
        for take, name in enumerate(_TAKES):
            scene = random_scene(3 * seed + take)
            performance = synthetic_motion(3 * seed + take, _FRAMES)
            if name == "smiling":
                quieter = np.where([a.startswith("mouth") for a in ACTIONS], 0.3, 1.0) * performance.expression.numpy()
                performance = performance.replace(expression=np.clip(quieter + smile(), 0.0, 1.0))
            drawn = render_portraits([person], performed_by(performance, person, scene), [scene], _SIDE)
            path = folder / f"{seed}-{name}.mp4"
            with VideoWriter(path, Fraction(25), _SIDE, _SIDE, crf=8) as writer:
                for image in drawn.images:
                    writer.write(image)
            out.append((str(seed), path))
    return out


def true_shapes(person: SyntheticPerson) -> tuple[np.ndarray, np.ndarray]:
    """Return neutral and constant smile [V, 3], canonical, metres of an adult's head."""
    codes = torch.from_numpy(np.stack([np.zeros_like(smile()), smile()]))
    rest, smiling = person.head.deform(codes, torch.zeros(2, 2, 2)).numpy() / person.size
    return rest, smiling


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Return the distance of two neutrals [V, 3], mm, mean of both ways."""
    face = mesh_parts()["face"]
    return float(np.mean([measured(x[None], y[None], face)["median_mm"] for x, y in ((a, b), (b, a))]))


def main(arguments: Arguments) -> None:
    """Fit everybody and record the medians over pairs of neutrals."""
    named = [(p.partition("=")[0], Path(c)) for p in arguments.people for c in p.partition("=")[2].split(",")]
    with tempfile.TemporaryDirectory() as folder:
        named += drawn_clips(arguments.synthetic, Path(folder))
        neutrals = []
        for person, clip in named:
            neutrals.append(fitted(person, clip))
            print(f"{person} {clip.name}: {neutrals[-1].seconds:.0f} s", flush=True)
    pairs = [
        {"a": a.clip, "b": b.clip, "same": a.person == b.person}
        | {"coarse_mm": apart(a.coarse, b.coarse), "static_mm": apart(a.static, b.static)}
        for a, b in combinations(neutrals, 2)
    ]

    def median(key: str, same: bool) -> float | None:
        values = [float(pair[key]) for pair in pairs if pair["same"] is same]
        return float(np.median(values)) if values else None

    row: dict[str, str | int | float | None] = {"set": arguments.name, "neutrals": len(neutrals)}
    for key, name in (("static_mm", ""), ("coarse_mm", "coarse_")):
        same, different = median(key, True), median(key, False)
        row |= {f"{name}same_mm": same, f"{name}different_mm": different}
        row[f"{name}ratio"] = None if same is None or different is None else same / different
    record(f"head-identity-{arguments.name}", [row], arguments, pairs=pairs, truth=list(against_truth(neutrals)))


def against_truth(neutrals: list[Neutral]) -> Iterator[dict[str, str | float]]:
    """Compare the neutrals of synthetic people with their true neutral and their constant smile."""
    for neutral in neutrals:
        if neutral.person.isdecimal():
            rest, smiling = true_shapes(synthetic_person(int(neutral.person)))
            row: dict[str, str | float] = {"take": neutral.clip, "to_true_neutral_mm": apart(neutral.static, rest)}
            row |= {"to_true_smile_mm": apart(neutral.static, smiling), "coarse_mm": apart(neutral.coarse, rest)}
            print(row, flush=True)
            yield row


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
