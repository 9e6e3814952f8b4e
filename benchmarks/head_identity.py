# SPDX-License-Identifier: Apache-2.0
"""Whether a head's neutral is who somebody is: ``python -m benchmarks.head_identity PERSON=CLIP,CLIP ...``.

Each clip (or photo) is fitted alone; the neutrals V_neutral = V^s + D_g of one person, whatever they do in the clips,
should be alike, and unlike other people's. Distance of two neutrals: median over the face's vertices of the distance
from the one surface to the other along its normal, mm of an adult's head, after the best similarity (head_fit):
pictures do not tell size. With --synthetic N, N made-up people give three performances each, and the truth is known.
In the third they smile all the time: their neutral should still be nearer to their true neutral than to their smile.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from tyro.conf import Positional

from benchmarks.common import OUT, provenance, write_json
from benchmarks.fitted_person import quiet, who_it_is
from benchmarks.head_fit import measured
from reenact.head.arkit import ACTIONS
from reenact.head.open import open_head
from reenact.lab.evaluation.mesh import mesh_parts
from reenact.lab.synthetic import SyntheticPerson, made_up, random_scene, render_portraits, synthetic_person
from reenact.media import VideoWriter
from reenact.perception.dense.crops import BASE_FACE_M
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.detailed import open_levels
from reenact.subject.source import read_source
from reenact.subject.stages import KEY_FRAMES

_FIRST, _SIDE, _FRAMES = 915_000, 512, 20
_SMILE = {"mouthSmile": 0.8, "cheekSquint": 0.3, "eyeSquint": 0.2}
_TAKES = ("one", "another", "smiling")


@dataclass
class Args:
    """Distances of neutrals within and between people."""

    people: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="PERSON=CLIP,CLIP")]] = ()
    """Files of each person, at least two of one."""
    synthetic: int = 0
    """Made-up people to fit, from three performances each."""
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
    source = read_source(model, clip, 0, None, None, quiet)
    static = who_it_is(model, levels, source, source.key_rows(KEY_FRAMES), shipped_estimator()).static().still()
    coarse = torch.from_numpy(source.person.rig.neutral)
    fine = levels[2].upsample(levels[1].upsample(coarse + static.control) + static.narrow)
    grown = BASE_FACE_M / source.face_size_m
    own = fine[: len(coarse)].numpy() * grown
    return Neutral(person, clip.stem, coarse.numpy() * grown, own, time.perf_counter() - started)


def smile() -> np.ndarray:
    """[52] the constant one."""
    return np.asarray([next((v for k, v in _SMILE.items() if a.startswith(k)), 0.0) for a in ACTIONS], np.float32)


def drawn_clips(people: int, folder: Path) -> list[tuple[str, Path]]:
    """Three performances each of people who do not exist, in different scenes."""
    out = []
    for seed in range(_FIRST, _FIRST + people):
        person = synthetic_person(seed)
        for take, name in enumerate(_TAKES):
            scene = random_scene(3 * seed + take)
            performance = made_up(3 * seed + take, _FRAMES)
            if name == "smiling":
                quieter = np.where([a.startswith("mouth") for a in ACTIONS], 0.3, 1.0) * performance.expression
                performance = replace(performance, expression=np.clip(quieter + smile(), 0.0, 1.0).astype(np.float32))
            drawn = render_portraits([person], performance.by(person, scene), [scene], _SIDE)
            path = folder / f"{seed}-{name}.mp4"
            with VideoWriter(path, Fraction(25), _SIDE, _SIDE, crf=8) as writer:
                for image in drawn.images:
                    writer.write(image)
            out.append((str(seed), path))
    return out


def true_shapes(person: SyntheticPerson) -> tuple[np.ndarray, np.ndarray]:
    """[V, 3] their neutral and their constant smile, canonical, metres of an adult's head."""
    ahead = np.zeros((1, 2, 2), np.float32)
    shapes = [person.rig.deform(codes[None], ahead)[0] / person.size for codes in (np.zeros_like(smile()), smile())]
    return shapes[0], shapes[1]


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
    smiles = []
    for neutral in neutrals:
        if neutral.person.isdecimal() and args.synthetic:
            rest, smiling = true_shapes(synthetic_person(int(neutral.person)))
            row = {"take": neutral.clip, "to_true_neutral_mm": apart(neutral.own, rest)}
            row |= {"to_true_smile_mm": apart(neutral.own, smiling), "coarse_to_true_mm": apart(neutral.coarse, rest)}
            smiles.append(row)
            print(row)
    units = "mm of an adult's head, median over the face's vertices, median over pairs, after the best similarity"
    write_json(args.out, {**provenance(), "units": units, "pairs": rows, "median": summary, "truth": smiles})


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
