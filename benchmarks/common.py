# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: which files, how an output is made, what a result file says about itself."""

import hashlib
import json
from pathlib import Path
from typing import Any

from reenact.lab.evaluation.provenance import provenance
from reenact.media.image import write_image
from reenact.media.video import read_frames
from reenact.pipeline import AnimateOptions, TrackOptions, animate, track
from reenact.transfer.motion_modes import Mode

__all__ = [
    "CLIPS",
    "OUT",
    "PHOTOS",
    "REPOSITORY",
    "SHARED",
    "clip_file",
    "motion_file",
    "performed",
    "photo_file",
    "provenance",
    "sha256",
    "write_json",
]

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared"
OUT = REPOSITORY / "out"

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


def photo_file(name: str, shared: Path, work: Path) -> Path:
    """The photo of that name; for the name of a clip, its first frame, saved under `work`."""
    photo = shared / "data" / "dev" / "photos" / name
    if photo.exists():
        return photo
    still = work / "photos" / f"{Path(name).stem}.png"
    if not still.exists():
        still.parent.mkdir(parents=True, exist_ok=True)
        write_image(still, next(read_frames(clip_file(name, shared))).image)
    return still


def clip_file(name: str, shared: Path) -> Path:
    """The development clip of that name."""
    return shared / "data" / "dev" / "clips" / name


def motion_file(clip: Path, work: Path, reuse: bool) -> Path:
    """The clip's performance, tracked once for all photos of a run."""
    motion = work / "motion" / f"{clip.stem}.motion.safetensors"
    if not (reuse and motion.exists()):
        motion.parent.mkdir(parents=True, exist_ok=True)
        track(clip, motion, TrackOptions())
    return motion


def performed(
    photo: Path,
    motion: Path,
    work: Path,
    *,
    size: int,
    reuse: bool,
    mode: Mode = "neutral",
) -> Path:
    """The video of `photo` performing `motion`: the head in a square of `size` pixels."""
    clip = motion.name.split(".")[0]
    output = work / "videos" / f"{photo.stem}--{clip}--{mode}-{size}.mp4"
    if not (reuse and output.exists()):
        output.parent.mkdir(parents=True, exist_ok=True)
        animate(photo, motion, output, AnimateOptions(mode=mode, size=size, crop=True))
    return output


def sha256(path: Path) -> str:
    """Hex digest of a file, so that "which weights?" has one answer."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a result file, readable by people too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(f"wrote {path}")
