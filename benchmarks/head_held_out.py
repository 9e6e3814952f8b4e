# SPDX-License-Identifier: Apache-2.0
"""Whether a personal head explains frames that it was not fitted to.

    python -m benchmarks.head_held_out

The first 120 frames of each validation person's clip are parted in two: every second frame, or first and second half.
A head is fitted to the one part, without dynamic offsets, and then given to a tracking of either part. Errors are those
of `benchmarks.transfer real`: mean angle to the dense network's normals where it sees skin, degrees, and mean distance
of the 478 landmarks, px of the 256 px crop; 16 frames of each part; means over people. The coarse head of each part
stands beside it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
import tyro

from benchmarks.common import SHARED, Recorded, clip_file, record
from benchmarks.generator_ablation import written
from benchmarks.transfer import explained
from reenact.head.levels import open_levels
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.lab.evaluation.protocol import validation_people
from reenact.media import probe, read_frames
from reenact.perception.dense.shipped import INPUT_PX, shipped_estimator
from reenact.subject.energy import Energy
from reenact.subject.fit_subject import fit_subject
from reenact.subject.head_fit import fit_head

_LONGEST: Final = 120
_MEASURED: Final = 16
_SPLITS: Final = {"every second frame": (slice(0, None, 2), slice(1, None, 2)), "half of the clip": None}


@dataclass(frozen=True)
class HeldOut(Recorded):
    """Fit to one part of each clip, measure on both."""

    shared: Path = SHARED
    """Folder that holds data/dev/clips."""

    def run(self) -> None:
        """Fit, track, explain, record."""
        clips = [clip_file(name, self.shared) for person in validation_people() for name in person.clips]
        found = {split: [measured(clip, split) for clip in clips] for split in _SPLITS}
        rows = []
        for split, each in found.items():
            for head in ("coarse", "personal"):
                rows.append(
                    {"split": split, "head": head}
                    | {k: float(np.mean([e[head][k] for e in each])) for k in each[0][head]}
                )
        record("head-held-out", rows, self, each=found)


def measured(clip: Path, split: str) -> dict[str, dict[str, float]]:
    """Return degrees and px of either head on frames that it was fitted to and on the others.

    Args:
        clip: of one person.
        split: a key of `_SPLITS`.
    """
    energy = Energy(open_head().topology, open_levels()[1], INPUT_PX)
    frames = [frame.image for frame in islice(read_frames(probe(clip)), _LONGEST)]
    half = len(frames) // 2
    first, second = _SPLITS[split] or (slice(0, half), slice(half, None))
    out: dict[str, dict[str, float]] = {"coarse": {}, "personal": {}}
    with tempfile.TemporaryDirectory() as folder:
        parts = {
            name: written(frames[rows], Path(folder) / f"{clip.stem}-{name}.mp4")
            for name, rows in (("fitted", first), ("held_out", second))
        }
        known = fit_head(open_head(), [parts["fitted"]], shipped_estimator(), every_frame=None, textured=False)
        for name, part in parts.items():
            for head, subject in (
                ("coarse", fit_subject(open_head(), [part])),
                ("personal", fit_subject(open_head(), [part], known=known)),
            ):
                error = explained(_with_offsets(subject), part, _MEASURED, energy)
                out[head] |= {f"{name}_deg": error["none_deg"], f"{name}_px": error["none_px"]}
    print(f"{clip.name}, {split}: {out}", flush=True)
    return out


def _with_offsets(subject: Subject) -> Subject:
    if subject.fine_offset is not None:
        return subject
    return subject.replace(fine_offset=torch.zeros(len(open_levels()[1]), 3))


if __name__ == "__main__":
    tyro.cli(HeldOut, description=__doc__).run()
