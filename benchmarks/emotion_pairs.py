# SPDX-License-Identifier: Apache-2.0
"""Does the emotion arrive? Twenty-four cross pairs to look at.

    python -m benchmarks.emotion_pairs                      # sheets of filmstrips
    python -m benchmarks.emotion_pairs --grades chcnh...    # what somebody saw on them, a letter a pair

Smiling photos get serious, angry, disgusted and pursed performances, serious photos get laughs, frowns and one-sided
grimaces. One strip a pair: photo and driving frames above, the result below, at moments chosen by the driving codes.
Grades: c, the emotion arrives clearly; h, by half; n, not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
import tyro

from benchmarks.common import (
    OUT,
    SHARED,
    Recorded,
    clip_file,
    generated,
    motion_file,
    photo_file,
    record,
    subject_in_square,
)
from benchmarks.contact_sheet import row
from reenact.generator.choice import GeneratorOptions
from reenact.head.arkit import index
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Reference
from reenact.media.image import write_image
from reenact.media.video import probe, read_frames
from reenact.pipeline import AnimateOptions, head_crop
from reenact.tracking import load_motion, tracked_subject
from reenact.transfer.retarget import retarget

_SIZE: Final = 256  # px of the heads' squares
_M, _W9, _W11 = ("dreamtalk_M030_front", "dreamtalk_W009_front", "dreamtalk_W011_front")
PAIRS: Final[tuple[tuple[str, str], ...]] = (
    ("hallo_reference_images_3.jpg", f"{_M}_angry_level3_001"),
    ("stableavatar_case-3_reference.png", f"{_W9}_angry_level3_001"),
    ("hellomeme_yao.jpg", f"{_M}_disgusted_level3_001"),
    ("sadtalker_happy1.png", f"{_W9}_disgusted_level3_001"),
    ("portrait-4d_Yeoh.jpg", f"{_W11}_sad_level3_001"),
    ("deepfacelive_photos_000042.jpg", f"{_M}_sad_level3_001"),
    ("hallo_reference_images_3.jpg", "liveportrait_d18"),
    ("stableavatar_case-3_reference.png", "liveportrait_d3"),
    ("liveportrait_s12.jpg", "hellomeme_jue"),
    ("human_stock-teen-5.jpg", "hellomeme_jue"),
    ("personalive_presets_3.jpeg", "hellomeme_tbh"),
    ("musetalk_man.png", "hellomeme_tbh"),
    ("hallo_reference_images_4.jpg", "hellomeme_jgz"),
    ("facerec_biden.jpg", "hellomeme_jgz"),
    ("liveportrait_s2.jpg", "liveportrait_d3"),
    ("human_stock-teen-1.jpg", "liveportrait_d3"),
    ("dreamtalk_male_face.png", "liveportrait_d18"),
    ("personalive_presets_4.jpeg", "liveportrait_d18"),
    ("liveportrait_s12.jpg", f"{_M}_surprised_level3_001"),
    ("musetalk_man.png", f"{_W9}_happy_level3_001"),
    ("portrait-4d_Yeoh.jpg", f"{_W9}_surprised_level3_001"),
    ("hellomeme_yao.jpg", f"{_W11}_disgusted_level3_001"),
    ("sadtalker_happy1.png", "hellomeme_jue"),
    ("human_stock-teen-5.jpg", f"{_W11}_happy_level3_001"),
)


@dataclass(frozen=True)
class Arguments(Recorded):
    """Render one strip a pair, six pairs a sheet, or write down what was seen."""

    grades: str | None = None
    """One letter for each of the 24 pairs, of sheets in one mode: nothing is rendered, the counts are the result."""
    modes: tuple[Literal["neutral", "relative", "absolute"], ...] = ("neutral",)
    """Motion modes, a row of results each."""
    pairs: tuple[int, ...] = tuple(range(len(PAIRS)))
    """Numbers of the pairs."""
    samples: int = 6
    """Moments of a clip."""
    cell: int = 200
    """Side of one picture, px."""
    reuse: bool = False
    """Take performances that an earlier run tracked."""
    shared: Path = SHARED
    """Folder that holds data/dev/photos and data/dev/clips."""
    work: Path = OUT / "emotion_pairs"
    """Where tracked performances and sheets go."""


def moments(track: Motion, count: int) -> np.ndarray:
    """Rows, rising: the widest mouth, the most closed eyes, the largest turn, then an even spread."""
    codes = track.expression.numpy()
    turn = np.arccos(np.clip(-track.rotation[:, 2, 2].numpy(), -1.0, 1.0))
    chosen = [
        int(np.argmax(codes[:, index("jawOpen")])),
        int(np.argmax(codes[:, index("eyeBlinkLeft")] + codes[:, index("eyeBlinkRight")])),
        int(np.argmax(turn)),
    ]
    spread = np.linspace(0.1, 0.9, count) * (len(track) - 1)
    for at in spread[np.argsort([-min(abs(s - c) for c in chosen) for s in spread])]:
        if len(set(chosen)) < count:
            chosen.append(int(at))
    return np.unique(chosen)


def write_grades(arguments: Arguments, grades: str) -> None:
    """Record how many pairs have which grade."""
    if len(grades) != len(PAIRS) or set(grades) - set("chn") or len(arguments.modes) != 1:
        raise SystemExit(f"--grades has {len(grades)} letters; want {len(PAIRS)} of c, h and n, and one of --modes")
    row = {"mode": arguments.modes[0], "clearly": grades.count("c"), "half": grades.count("h"), "pairs": len(grades)}
    record("emotion-pairs", [row], arguments)


def main(arguments: Arguments) -> None:
    """Write the sheets."""
    if arguments.grades is not None:
        write_grades(arguments, arguments.grades)
        return
    model = open_head()
    tracks: dict[str, Motion] = {}
    strips: list[np.ndarray] = []
    for number in arguments.pairs:
        photo_name, clip_name = PAIRS[number]
        clip = clip_file(f"{clip_name}.mp4", arguments.shared)
        if clip_name not in tracks:
            tracks[clip_name] = load_motion(motion_file(clip, arguments.work, arguments.reuse))
        track = tracks[clip_name]
        subject = subject_in_square(model, photo_file(photo_name, arguments.shared, arguments.work), _SIZE)
        rows = moments(track, arguments.samples)
        driver = tracked_subject(model, track)
        wanted = set(track[rows].require_clip().frame.tolist())
        frames = [f.image for f in read_frames(probe(clip)) if f.index in wanted]
        middle = Reference(torch.from_numpy(frames[0]), track[rows[len(rows) // 2]], driver.camera)
        crop = head_crop(driver.replace(references=(middle,)), AnimateOptions(size=_SIZE, crop=True))
        photo = subject.require_reference().image.numpy()
        strip = [row([photo, *(crop.extract(f) for f in frames)], arguments.cell)]
        for mode in arguments.modes:
            states = retarget(track, subject, mode)
            strip.append(row([photo, *generated(subject, states[rows], GeneratorOptions())], arguments.cell))
        strips.append(np.concatenate(strip))
        print(f"pair {number}: {photo_name} gives {clip_name}", flush=True)
    for start in range(0, len(strips), 6):
        sheet = arguments.work / f"sheet-{start // 6}.png"
        write_image(sheet, np.concatenate(strips[start : start + 6]))
        print(f"wrote {sheet}")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
