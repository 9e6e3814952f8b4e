# SPDX-License-Identifier: Apache-2.0
"""Heads of people who show how faces move: ``python -m scripts.fit_people FOLDER -o heads``.

FOLDER holds the clips that are listed in lab/training/data/permitted.json. Of each at most 48 frames, evenly taken, are
fitted as `reenact head` does, without a texture; heads that exist already are kept. Then:
``reenact train action-corrections heads/*.head -o action_corrections.safetensors``.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional, arg

from reenact.head.open import open_head
from reenact.lab.training.data.fitted_people import MAX_FRAMES, shortened
from reenact.lab.training.data.scene_making import PERMITTED, clips_of
from reenact.media import InputError
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.head_fit import fit_head
from reenact.subject.store import save_head


@dataclass
class Args:
    """Fit people."""

    folder: Positional[Annotated[Path, arg(metavar="FOLDER", help="Holds the clips.")]]
    output: Annotated[Path, arg(aliases=["-o"], help="Folder of the heads.")]
    listing: Path = PERMITTED
    """Which clips, of whom, as `reenact train generator --listing` takes it."""


def main(args: Args) -> None:
    model, looks = open_head(), shipped_estimator()
    args.output.mkdir(exist_ok=True)
    for clip in clips_of(args.folder, args.listing):
        out = args.output / f"{clip.path.stem}.head"
        if out.exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            short = Path(folder) / f"{clip.path.stem}.mp4"
            shortened(clip.path, short)
            try:
                subject = fit_head(model, [short], looks, textured=False)
            except InputError as error:
                print(f"{clip.path.name}: left out, {error}")
                continue
            about = {**subject.provenance, "sources": [clip.path.name], "frames": MAX_FRAMES}
            save_head(subject.replace(provenance=about), out, references=False)
        print(f"{out}: {0 if subject.motion is None else len(subject.motion)} frames", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
