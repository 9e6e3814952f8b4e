# SPDX-License-Identifier: Apache-2.0
"""Photos by clips, to look at: one sheet a clip, the driver in the top row, a row for each photo.

python -m benchmarks.contact_sheet
python -m benchmarks.contact_sheet --photos liveportrait_s42.jpg --clips liveportrait_d0.mp4 --samples 6
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import tyro

from benchmarks.common import CLIPS, OUT, PHOTOS, SHARED, clip_file, motion_file, performed, photo_file
from reenact.media.errors import InputError
from reenact.media.image import read_image, write_image
from reenact.media.video import read_frames


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
    """Side of the videos in pixels."""
    reuse: bool = False
    """Take videos that an earlier run left, instead of making them again."""
    shared: Path = SHARED
    """Folder that holds data/dev/photos and data/dev/clips."""
    work: Path = OUT / "contact_sheets"
    """Where videos and sheets go."""


def main(arguments: Arguments) -> None:
    """Write one PNG a clip. A pair that is refused leaves a black row and its sentence on the terminal."""
    for clip_name in arguments.clips:
        clip = clip_file(clip_name, arguments.shared)
        motion = motion_file(clip, arguments.work, arguments.reuse)
        rows = [sheet_row(None, clip, arguments)]
        for photo_name in arguments.photos:
            photo = photo_file(photo_name, arguments.shared, arguments.work)
            try:
                video = performed(
                    photo,
                    motion,
                    arguments.work,
                    size=arguments.size,
                    reuse=arguments.reuse,
                    mode=arguments.mode,
                )
            except InputError as error:
                print(f"{photo_name} x {clip_name}: {error}")
                rows.append(np.zeros_like(rows[0]))
                continue
            rows.append(sheet_row(read_image(photo), video, arguments))
        sheet = arguments.work / f"{clip.stem}-{arguments.mode}.png"
        write_image(sheet, np.concatenate(rows))
        print(f"wrote {sheet}", flush=True)


def sheet_row(still: np.ndarray | None, video: Path, arguments: Arguments) -> np.ndarray:
    """[cell, (samples + 1) * cell, 3]: the still (grey if there is none), then the moments of the video."""
    cell = arguments.cell
    first = np.full((cell, cell, 3), 128, np.uint8) if still is None else fitted(still, cell)
    return np.concatenate([first, *(fitted(image, cell) for image in moments(video, arguments.samples))], axis=1)


def moments(video: Path, count: int) -> list[np.ndarray]:
    """`count` frames evenly spread from the first to the last; only these are held in memory."""
    total = sum(1 for _ in read_frames(video))
    wanted = np.linspace(0, total - 1, count).round().astype(int).tolist()
    kept = {frame.index: frame.image for frame in read_frames(video) if frame.index in wanted}
    return [kept[index] for index in wanted]


def fitted(image: np.ndarray, cell: int) -> np.ndarray:
    """The whole picture, as large as fits, in the middle of a black square [cell, cell, 3]."""
    scale = cell / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    square = np.zeros((cell, cell, 3), np.uint8)
    top, left = (cell - height) // 2, (cell - width) // 2
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    square[top : top + height, left : left + width] = small
    return square


if __name__ == "__main__":
    main(tyro.cli(Arguments))
