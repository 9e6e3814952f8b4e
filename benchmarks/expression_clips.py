# SPDX-License-Identifier: Apache-2.0
"""Fitted codes against blendshape scores on twelve development clips: ``python -m benchmarks.expression_clips``.

The scores are evidence of the fit, so agreement is no proof of truth; disagreement shows where landmarks and identity
outvote the evidence. Pooled over people: a code that means something else on each of them cannot correlate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks.common import OUT, SHARED, clip_file, provenance, write_json
from reenact.head.arkit import ACTIONS
from reenact.head.open import open_head
from reenact.media.video import probe, read_frames
from reenact.perception import VideoLandmarks
from reenact.tracking import track_video

CLIPS: Final = (
    "liveportrait_d0", "liveportrait_d10", "liveportrait_d18", "hellomeme_tbh", "hellomeme_jgz", "hellomeme_qie",
    "dreamtalk_M030_front_angry_level3_001", "dreamtalk_M030_front_happy_level3_001",
    "dreamtalk_W009_front_disgusted_level3_001", "dreamtalk_W009_front_surprised_level3_001",
    "dreamtalk_W011_front_happy_level3_001", "video-retalking_face_4",
)  # fmt: skip


@dataclass(frozen=True)
class Arguments:
    """Track the clips and compare."""

    clips: tuple[str, ...] = CLIPS
    """Names of development clips, without suffix."""
    shared: Path = SHARED
    """Folder that holds data/dev/clips."""
    out: Path = OUT / "expression_clips.json"
    """Where the table goes."""


def scores_of(clip: Path) -> NDArray[np.float32]:
    """[F, 52] blendshape scores, NaN where no face is found."""
    out = []
    with VideoLandmarks() as follow:
        for frame in read_frames(probe(clip)):
            found = follow(frame.image)
            out.append(np.full(len(ACTIONS), np.nan, np.float32) if found is None else found.blendshapes)
    return np.stack(out)


def kinds() -> list[tuple[str, list[int]]]:
    """Actions without their sides, the gaze apart, and their columns."""
    names = dict.fromkeys(a.removesuffix("Left").removesuffix("Right") for a in ACTIONS if not a.startswith("eyeLook"))
    return [(n, [i for i, a in enumerate(ACTIONS) if a in (n, f"{n}Left", f"{n}Right")]) for n in names]


def main(arguments: Arguments) -> None:
    """Print and write the table."""
    codes, scores, residuals = [], [], []
    for name in arguments.clips:
        clip = clip_file(f"{name}.mp4", arguments.shared)
        track = track_video(open_head(), clip, refine="none")
        told = scores_of(clip)[track.frame]
        known = track.seen & np.isfinite(told[:, 0])
        codes.append(track.expression[known])
        scores.append(told[known])
        residuals.append(float(np.nanmedian(track.residual_px)))
        print(f"{name}: {known.sum()} frames, residual {residuals[-1]:.2f} px", flush=True)
    fitted, told = np.concatenate(codes), np.concatenate(scores)
    rows = {}
    print("| action | r | mean of fit | mean of scores |\n|---|---|---|---|")
    for name, columns in kinds():
        a, b = fitted[:, columns].ravel(), told[:, columns].ravel()
        r = float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-6 and b.std() > 1e-6 else 0.0
        rows[name] = {"r": r, "fit": float(a.mean()), "scores": float(b.mean())}
        print(f"| {name} | {r:.2f} | {a.mean():.2f} | {b.mean():.2f} |")
    write_json(arguments.out, {"provenance": provenance(), "clips": list(arguments.clips), "actions": rows})


if __name__ == "__main__":
    main(tyro.cli(Arguments))
