# SPDX-License-Identifier: Apache-2.0
"""Photos by clips, to look at: one sheet a clip, the driver in the top row, a row for each photo and generator.

python -m benchmarks.contact_sheet
python -m benchmarks.contact_sheet --photos liveportrait_s42.jpg --clips liveportrait_d0.mp4 --samples 6
python -m benchmarks.contact_sheet --generators warp compact --reuse
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import tyro

from benchmarks.common import OUT, SHARED, clip_file, motion_file, photo_file, subject_in_square
from reenact.generator.choice import Generator, GeneratorName, GeneratorOptions, make_generator
from reenact.generator.warp.generator import WarpGenerator
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.media.errors import InputError
from reenact.media.image import write_image
from reenact.media.video import probe, read_frames
from reenact.rendering.head_renderer import HeadRenderer
from reenact.tracking import load_motion
from reenact.transfer.retarget import retarget

_AROUND = 2  # frames before and after a moment that a learned generator is shown as well
PHOTOS = (
    "hellomeme_qie.mp4",  # a boy: the first frame of a clip stands for a photo
    "liveportrait_d11.mp4",  # a small girl
    "stableavatar_case-1_reference.png",  # an older woman, mouth open
    "hallo_reference_images_7.jpg",  # an older man, 3511 px
    "3ddfa_v2_JianzhuGuo.jpg",  # glasses
    "facerec_img1.jpg",  # beard
    "human_stock-teen-2.jpg",  # three-quarter view
    "sadtalker_happy.png",  # 256 px
    "liveportrait_s2.jpg",  # 2048 px, black and white
    "facerec_obama.jpg",  # teeth
    "portrait-4d_Yeoh.jpg",
    "human_stock-emotions-a-6.jpg",  # mouth open, surprised
)
CLIPS = (
    "liveportrait_d0.mp4",
    "liveportrait_d3.mp4",
    "liveportrait_d10.mp4",
    "liveportrait_d18.mp4",
    "alp_driving_video.mp4",
    "sadtalker_WDA_KatieHill_000.mp4",
)


@dataclass(frozen=True)
class Arguments:
    """Make contact sheets of photos performing clips."""

    photos: tuple[str, ...] = PHOTOS
    """Names of development photos, or of clips whose first frame is taken."""
    clips: tuple[str, ...] = CLIPS
    """Names of development clips."""
    samples: int = 8
    """Moments shown, evenly spread over the clip."""
    cell: int = 256
    """Side of one picture on the sheet in pixels."""
    mode: Literal["relative", "absolute"] = "relative"
    """Motion mode."""
    size: int = 512
    """Side of the heads' square in pixels."""
    generators: tuple[GeneratorName, ...] = ("warp",)
    """A learned generator is shown a moment together with the frames around it."""
    reuse: bool = False
    """Take performances that an earlier run tracked."""
    shared: Path = SHARED
    """Folder that holds data/dev/photos and data/dev/clips."""
    work: Path = OUT / "contact_sheets"
    """Where tracked performances and sheets go."""


def main(arguments: Arguments) -> None:
    """Write one PNG a clip. A photo that is refused leaves a black row and its sentence on the terminal."""
    model = open_head()
    subjects = {}
    for name in arguments.photos:
        photo = photo_file(name, arguments.shared, arguments.work)
        try:
            subjects[name] = subject_in_square(model, photo, arguments.size)
        except InputError as error:
            print(f"{name}: {error}")
    for clip_name in arguments.clips:
        clip = clip_file(clip_name, arguments.shared)
        track = load_motion(motion_file(clip, arguments.work, arguments.reuse))
        moments = np.linspace(0, len(track) - 1, arguments.samples).astype(int)
        wanted = set(moments.tolist())
        driver = [frame.image for frame in read_frames(probe(clip)) if frame.index in wanted]
        rows = [row([np.zeros_like(driver[0]), *driver], arguments.cell)]
        for name in arguments.photos:
            if name not in subjects:
                rows.append(np.zeros_like(rows[0]))
                continue
            subject = subjects[name]
            reference = subject.require_reference()
            renderer = HeadRenderer(subject, reference)
            photo = reference.image.numpy()
            for generator_name in arguments.generators:
                detail = "none" if generator_name == "warp" else "own"
                states = retarget(track, subject, arguments.mode, detail=detail)
                generator = make_generator(subject, reference, GeneratorOptions(generator_name))
                pictures = (moment(generator, renderer, states, int(m)) for m in moments)
                rows.append(row([photo, *pictures], arguments.cell))
        sheet = arguments.work / f"{clip.stem}-{arguments.mode}.png"
        write_image(sheet, np.concatenate(rows))
        print(f"wrote {sheet}", flush=True)


def moment(generator: Generator, renderer: HeadRenderer, states: Motion, at: int) -> np.ndarray:
    """[P, P, 3] one frame as the generator paints it."""
    spare = 0 if isinstance(generator, WarpGenerator) else _AROUND
    first = max(at - spare, 0)
    some = states[first : at + spare + 1]
    return list(generator.frames(some, partial(renderer.stream, some)))[at - first].numpy()


def row(pictures: list[np.ndarray], cell: int) -> np.ndarray:
    """[cell, N * cell, 3]: pictures side by side, each whole on black."""
    out = []
    for picture in pictures:
        factor = cell / max(picture.shape[:2])
        size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        square = np.zeros((cell, cell, 3), np.uint8)
        y, x = (cell - size[1]) // 2, (cell - size[0]) // 2
        square[y : y + size[1], x : x + size[0]] = small
        out.append(square)
    return np.concatenate(out, axis=1)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
