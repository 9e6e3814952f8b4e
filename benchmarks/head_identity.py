# SPDX-License-Identifier: Apache-2.0
"""Whether a head's neutral is who somebody is: ``python -m benchmarks.head_identity PERSON=CLIP,CLIP ...``.

Each clip (or photo) is fitted alone; the neutrals V_neutral = V^s + D_g of one person, whatever they do in the clips,
should be alike, and unlike other people's. Distance of two neutrals: median over the face's vertices of the distance
from the one surface to the other along its normal, mm of an adult's head, after the best similarity (head_fit):
pictures do not tell size. With --synthetic N, N made-up people give two performances each, and the truth is known.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from tyro.conf import Positional

from benchmarks.common import OUT, provenance, write_json
from benchmarks.head_fit import measured
from reenact.data.synthetic import made_up, random_scene, render_portraits, synthetic_person
from reenact.dense.crops import BASE_FACE_M
from reenact.dense.shipped import shipped_estimator
from reenact.evaluation.mesh import mesh_parts
from reenact.heads.open import open_head
from reenact.media import VideoWriter
from reenact.representation.detailed import open_levels
from reenact.representation.head_fit import fit_head
from reenact.representation.stages import FRAMES

_FIRST, _SIDE, _FRAMES = 915_000, 512, 20


@dataclass
class Args:
    """Distances of neutrals within and between people."""

    people: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="PERSON=CLIP,CLIP")]] = ()
    """Files of each person, at least two of one."""
    synthetic: int = 0
    """Made-up people to fit, from two performances each."""
    out: Path = OUT / "head_identity.json"


@dataclass(frozen=True)
class Neutral:
    """Of one clip, in an adult's metres."""

    person: str
    clip: str
    coarse: np.ndarray  # [V, 3] as tracked
    own: np.ndarray  # [V, 3] with static offsets
    seconds: float


def fitted(person: str, clip: Path) -> Neutral:
    """The neutral that one clip gives."""
    model, levels, started = open_head(), open_levels(), time.perf_counter()
    head = fit_head(model, [clip], shipped_estimator(), every_frame=FRAMES)
    rig = head.coarse_rig(model)
    count, grown = len(rig.neutral), BASE_FACE_M / float(head.track.face_size_m[0])
    own = head.neutral(rig, levels)[:count].numpy()
    return Neutral(person, clip.stem, rig.neutral * grown, own * grown, time.perf_counter() - started)


def drawn_clips(people: int, folder: Path) -> list[tuple[str, Path]]:
    """Two performances each of people who do not exist, in different scenes."""
    out = []
    for seed in range(_FIRST, _FIRST + people):
        person = synthetic_person(seed)
        for take in (0, 1):
            scene = random_scene(2 * seed + take)
            states = made_up(2 * seed + take, _FRAMES).by(person, scene)
            drawn = render_portraits([person], states, [scene], _SIDE)
            path = folder / f"{seed}-{take}.mp4"
            with VideoWriter(path, Fraction(25), _SIDE, _SIDE, crf=8) as writer:
                for image in drawn.images:
                    writer.write(image)
            out.append((str(seed), path))
    return out


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """mm between two neutrals [V, 3], both ways."""
    face = mesh_parts()["face"]
    return float(np.mean([measured(x[None], y[None], face)["median_mm"] for x, y in ((a, b), (b, a))]))


def main(args: Args) -> None:
    named = [(p.partition("=")[0], Path(c)) for p in args.people for c in p.partition("=")[2].split(",")]
    with tempfile.TemporaryDirectory() as folder:
        named += drawn_clips(args.synthetic, Path(folder))
        neutrals = []
        for person, clip in named:
            neutrals.append(fitted(person, clip))
            print(f"{person} {clip.name}: {neutrals[-1].seconds:.0f} s", flush=True)
    rows = []
    for a, b in combinations(neutrals, 2):
        far = {"coarse_mm": apart(a.coarse, b.coarse), "static_mm": apart(a.own, b.own)}
        rows.append({"a": a.clip, "b": b.clip, "same": a.person == b.person} | far)
    print("| neutrals | pairs | coarse mm | static mm |\n|---|---|---|---|")
    summary = {}
    for same in (True, False):
        mine = [r for r in rows if r["same"] is same]
        if mine:
            name = "same person" if same else "different people"
            summary[name] = {k: float(np.median([r[k] for r in mine])) for k in ("coarse_mm", "static_mm")}
            values = summary[name]
            print(f"| {name} | {len(mine)} | {values['coarse_mm']:.2f} | {values['static_mm']:.2f} |")
    units = "mm of an adult's head, median over the face's vertices, median over pairs, after the best similarity"
    write_json(args.out, {**provenance(), "units": units, "pairs": rows, "median": summary})


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
