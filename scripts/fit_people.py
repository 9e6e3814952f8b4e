# SPDX-License-Identifier: Apache-2.0
"""Heads of people who show how faces move: ``python -m scripts.fit_people FOLDER FOLDER -o heads``.

Of each clip (lab/training/data/fitted_people.py), which is in one of the folders, at most 48 frames, evenly taken, are
fitted as `reenact head` does, without a texture; heads that exist already are kept. Then:
``reenact train landmark-bulge heads/*.head -o landmark_bulge.safetensors``, and the same of action-corrections.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional, arg

from reenact.head.open import open_head
from reenact.lab.training.data.fitted_people import CLIPS, MAX_FRAMES, shortened
from reenact.media import InputError
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.head_fit import fit_head
from reenact.subject.store import save_head


@dataclass
class Args:
    """Fit people."""

    folders: Positional[Annotated[tuple[Path, ...], arg(metavar="FOLDER", help="Hold the clips.")]]
    output: Annotated[Path, arg(aliases=["-o"], help="Folder of the heads.")]
    names: tuple[str, ...] = CLIPS


def main(args: Args) -> None:
    model, looks = open_head(), shipped_estimator()
    args.output.mkdir(exist_ok=True)
    for name in args.names:
        out = args.output / f"{Path(name).stem}.head"
        if out.exists():
            continue
        clip = next((folder / name for folder in args.folders if (folder / name).exists()), None)
        if clip is None:
            raise SystemExit(f"{name} is in none of {', '.join(map(str, args.folders))}")
        with tempfile.TemporaryDirectory() as folder:
            short = Path(folder) / f"{Path(name).stem}.mp4"
            shortened(clip, short)
            try:
                subject = fit_head(model, [short], looks, textured=False)
            except InputError as error:
                print(f"{name}: left out, {error}")
                continue
            about = {**subject.provenance, "sources": [name], "frames": MAX_FRAMES}
            save_head(subject.replace(provenance=about), out, references=False)
        print(f"{out}: {0 if subject.motion is None else len(subject.motion)} frames", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
