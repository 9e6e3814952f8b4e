# SPDX-License-Identifier: Apache-2.0
"""Scenes (scenes.py) made of clips of real people: each is its own driver, several of its frames are the photo.

The head in a scene is fitted to its photo alone and moved by what the track says relative to the photo's frame, as
`reenact animate` does it: nothing of the other frames but the performance reaches the controls.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from reenact.generator.diffusion.generator import head_images, head_square
from reenact.generator.warp.generator import WarpGenerator
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.state import posed_vertices
from reenact.head.subject import Subject
from reenact.lab.synthetic.noise import rng
from reenact.lab.workers import spread
from reenact.media import InputError, SquareCrop, VideoWriter, probe, read_frames, write_image
from reenact.media.video import VIDEO_SUFFIXES
from reenact.pipeline import AnimateOptions, Pipeline, cropped, head_crop
from reenact.rendering import Camera
from reenact.rendering.head_renderer import HeadRenderer
from reenact.tracking import Progress, load_motion, save_motion, silent, track

from .scenes import MOVING, PHOTO, Bytes, save_scene

PERMITTED = Path(__file__).with_name("permitted.json")
"""Clips of people that shipped weights may learn from; no validation person. Paths are those of the project's data."""
RUN, RUNS = 8, 3
"""Frames of a run, runs of a scene, unless others are asked for."""
LONGEST = 300
"""Frames of a clip that are looked at."""


@dataclass(frozen=True)
class Clip:
    """A video to learn from."""

    path: Path
    person: str
    licence: str


@dataclass(frozen=True)
class _Making:
    clip: Clip
    out: Path
    scenes: int
    size: int
    run: int


def clips_of(folder: Path, listing: Path | None = None) -> list[Clip]:
    """Find the clips of a folder.

    Args:
        folder: of the videos.
        listing: a json list that names some of them, [{"file": ..., "person": ..., "licence": ...}]; None takes every
            video, each of somebody else.

    Raises:
        InputError: there is no video, or the list cannot be read or names a file that does not exist.
    """
    if listing is None:
        videos = sorted(p for p in folder.glob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
        if not videos:
            raise InputError(f"{folder} holds no videos; want some of {', '.join(VIDEO_SUFFIXES)}")
        return [Clip(path, path.stem, "not said") for path in videos]
    try:
        rows = json.loads(listing.read_text(encoding="utf-8"))
        clips = [Clip(folder / row["file"], row["person"], row["licence"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{listing} cannot be read ({error!r}); want a json list of objects with file, person, licence"
        ) from error
    for clip in clips:
        if not clip.path.is_file():
            raise InputError(f"{clip.path}, named by {listing}, does not exist")
    return clips


def prepare_scenes(
    clips: Sequence[Clip],
    out: Path,
    scenes: int,
    size: int,
    progress: Progress = silent,
    *,
    run: int = RUN,
    jobs: int = 1,
) -> list[Path]:
    """Make `scenes` scenes of each clip; what is there already is kept. Clips that show a face too briefly give none.

    Args:
        clips: videos to learn from.
        out: the folder to write into.
        scenes: of each clip.
        size: side of the pictures, px.
        progress: called with a stage, clips done and their number.
        run: frames of each of a scene's RUNS runs.
        jobs: processes.

    Raises:
        InputError: no clip gave a scene.
    """
    out.mkdir(parents=True, exist_ok=True)
    work = [_Making(clip, out, scenes, size, run) for clip in clips]
    made = [path for paths in spread(_scenes, work, jobs, "preparing", progress) for path in paths]
    if not made:
        names = ", ".join(str(clip.path) for clip in clips[:3]) + (", ..." if len(clips) > 3 else "")
        # Two frames at either end of a shot are left out, and a scene's runs begin at different frames.
        raise InputError(
            f"no scene could be made of {names}; want a video that shows one face in at least {run + RUNS + 3} "
            "consecutive frames"
        )
    return made


def _scenes(making: _Making) -> list[Path]:
    clip, out = making.clip, making.out
    done = out / f"{clip.path.stem}.json"
    if done.exists():
        return [out / name for name in json.loads(done.read_text(encoding="utf-8"))]
    motion = out / f"{clip.path.stem}.motion.safetensors"
    if not motion.exists():
        with tempfile.TemporaryDirectory() as folder:
            save_motion(track(open_head(), _beginning(clip.path, Path(folder))).motion, motion)
    plans = planned(load_motion(motion), clip.path.stem, making.scenes, making.run)
    wanted = {int(i) for photo, rows in plans for i in (photo, *rows)}
    images = {f.index: f.image for f in islice(read_frames(probe(clip.path)), LONGEST) if f.index in wanted}
    names = []
    for number, (photo, rows) in enumerate(plans):
        path = out / f"{clip.path.stem}-{number:02}.safetensors"
        if not path.exists():
            still = out / f".{path.stem}.png"
            write_image(still, images[photo])
            try:
                _save_scene(path, making, still, motion, photo, rows, images)
            except (InputError, ValueError):  # no face in this very frame, or the head out of sight
                continue
            finally:
                still.unlink()
        names.append(path.name)
    done.write_text(json.dumps(names), encoding="utf-8")
    return [out / name for name in names]


def _beginning(video: Path, folder: Path) -> Path:
    """Return the video, or a file of its first frames, hardly compressed, if it has many."""
    info = probe(video)
    if sum(1 for _ in islice(read_frames(info), LONGEST + 1)) <= LONGEST:
        return video
    cut = folder / f"{video.stem}.mp4"
    with VideoWriter(cut, info.fps, info.width, info.height, crf=8) as writer:
        for frame in islice(read_frames(info), LONGEST):
            writer.write(frame.image)
    return cut


def planned(track: Motion, name: str, scenes: int, run: int = RUN) -> list[tuple[int, list[int]]]:
    """Choose the frames of the photo and of all runs, scene by scene: within one shot, all with a face.

    Runs of every other scene lie near the photo's frame, and the first of them begins with it: there the warp is all
    but exact, and is to be left as it is.

    Args:
        track: of the clip.
        name: of the clip, which its choices depend on.
        scenes: how many, at most.
        run: frames of each run.
    """
    draw = rng(0, f"scenes {name}")
    clip = track.require_clip()
    shots, seen = clip.shot.numpy(), clip.seen.numpy()
    plans = []
    for number in range(scenes):
        shot = shots[int(draw.integers(len(track)))]
        rows = np.flatnonzero(shots == shot)[2:-2]  # first and last frames may be blends
        starts = [int(r) for r in rows[: 1 - run] if (shots[r : r + run] == shot).all() and seen[r : r + run].all()]
        stills = [int(r) for r in rows if seen[r]]
        if len(starts) < RUNS or not stills:
            continue
        if number % 2:
            photo = starts[int(draw.integers(len(starts)))]
            others = [r for r in starts if 0 < abs(r - photo) <= 40]
            begun = np.asarray([photo, *np.sort(draw.choice(others, min(RUNS - 1, len(others)), replace=False))], int)
        else:
            begun = np.sort(draw.choice(starts, RUNS, replace=False))
            photo = stills[int(draw.integers(len(stills)))]
        frames = [int(clip.frame[b + i]) for b in begun for i in range(run)]
        plans.append((int(clip.frame[photo]), frames))
    return plans


def _save_scene(
    path: Path, making: _Making, still: Path, motion: Path, photo: int, rows: list[int], images: dict[int, np.ndarray]
) -> None:
    performance = Pipeline().prepare(still, motion, AnimateOptions(mode="relative", neutral=photo))
    at = {int(f): i for i, f in enumerate(performance.driving.require_clip().frame)}
    subject, states = performance.subject, performance.target[[at[r] for r in rows]]
    framing = Framing.of(subject, states, making.size)
    pictures: dict[str, Sequence[Bytes]] = {
        "photo": [framing.cut(subject.require_reference().image.numpy())],
        "frames": [framing.cut(images[r]) for r in rows],
        **framing.driven(subject, states),
    }
    assert set(pictures) == {*PHOTO, *MOVING}
    clip = making.clip
    about = {"person": clip.person, "source": clip.path.name, "licence": clip.licence, "photo": str(photo)}
    runs = [making.run] * (len(rows) // making.run)
    save_scene(path, pictures, framing.landmarks(subject, states), runs, about)


@dataclass(frozen=True)
class Framing:
    """The part of all pictures of a scene that is kept."""

    crop: SquareCrop
    """Around the head in the photo."""
    square: SquareCrop
    """Of that crop: it holds the head in all frames."""

    @staticmethod
    def of(subject: Subject, states: Motion, size: int) -> Framing:
        """Find it for a subject that moves; size: side of the pictures, px."""
        crop = head_crop(subject, AnimateOptions())
        reference = cropped(subject.require_reference(), crop)
        return Framing(crop, head_square(subject.head, states, reference, size))

    def cut(self, image: Bytes) -> Bytes:
        """Cut a frame or the photo [H, W, 3]."""
        return self.square.extract(self.crop.extract(image))

    def camera(self, subject: Subject) -> Camera:
        """The camera of the pictures."""
        square, camera = self.square, cropped(subject.require_reference(), self.crop).camera
        return camera.cropped(square.x0, square.y0, square.size, square.output_px)

    def driven(self, subject: Subject, states: Motion) -> dict[str, Sequence[Bytes]]:
        """Make the pictures of a head in its photo and in F frames, and the photo warped to them."""
        reference, camera = cropped(subject.require_reference(), self.crop), self.camera(subject)
        generator, render = WarpGenerator(subject.head, reference), HeadRenderer(subject, reference)
        own = head_images(render(reference.motion, camera))
        heads = [head_images(maps) for maps in render.stream(states, camera)]
        return {
            "photo_normals": [own.normals.numpy()],
            "photo_regions": [own.regions.numpy()],
            "warped": [self.square.extract(generator.render(state)) for state in states],
            "normals": [h.normals.numpy() for h in heads],
            "regions": [h.regions.numpy() for h in heads],
            "visibility": [h.visibility.numpy() for h in heads],
        }

    def landmarks(self, subject: Subject, states: Motion) -> np.ndarray:
        """Project the landmarks of F frames [F, 478, 2], px."""
        vertices = posed_vertices(subject.head, states, subject.require_reference().motion)
        return self.camera(subject).project(subject.model.topology.at_landmarks(vertices))[..., :2].numpy()
