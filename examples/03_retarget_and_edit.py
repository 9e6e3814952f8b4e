# SPDX-License-Identifier: Apache-2.0
"""Retarget one driving motion in three modes, and edit it before it is retargeted.

    python examples/03_retarget_and_edit.py

Writes 03_filmstrip.png: a row for each motion, six moments of each, as normals of the subject's head. The modes are
those of docs/motion-modes.md, the edits those of `reenact edit`.
"""

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure

import reenact
from reenact.media import read_image
from reenact.media.files import asset
from reenact.rendering import normals_to_picture
from reenact.transfer.edit import mirror, mix, scale


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    subject = reenact.fit_subject(read_image(asset("demo/astronaut.jpg"))[:240, 106:346])  # head and collar
    motion, looking = reenact.track("laughing"), reenact.track("looking-around")
    targets = {
        "neutral mode": reenact.retarget(motion, subject, "neutral"),
        "relative mode": reenact.retarget(motion, subject, "relative"),
        "absolute mode": reenact.retarget(motion, subject, "absolute"),
        "mouth and jaw x 0.3": reenact.retarget(scale(scale(motion, "mouth", 0.3), "jaw", 0.3), subject),
        "mirrored": reenact.retarget(mirror(motion), subject),
        "head and gaze of another": reenact.retarget(mix(motion, looking, ["head", "gaze"]), subject),
    }
    moments = torch.linspace(0, 90, 6).long()  # frames

    figure = Figure(figsize=(10, 10), layout="constrained")
    grid = figure.subplots(len(targets), len(moments))
    for row, (name, target) in zip(grid, targets.items(), strict=True):
        maps = reenact.render(subject, target[moments], size=192, level=1)
        for axes, normals in zip(row, maps.normals, strict=True):
            axes.imshow(normals_to_picture(normals))
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, fontsize="small")
    for axes, moment in zip(grid[0], moments.tolist(), strict=True):
        axes.set_title(f"{moment / float(motion.fps):.1f} s", fontsize="small")
    figure.savefig(out / "03_filmstrip.png", dpi=100)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder to write into")
    main(parser.parse_args().out)
