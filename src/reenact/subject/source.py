# SPDX-License-Identifier: Apache-2.0
"""A photo or clip of one person, tracked, as the joint fit takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.media import InputError, probe, read_frames, read_image
from reenact.media.image import IMAGE_SUFFIXES
from reenact.perception import ExpressionEvidence, ExpressionObserver
from reenact.perception.dense.crops import head_crop
from reenact.perception.dense.maps import View
from reenact.tracking import Person, find_face, fit_frames, fit_person
from reenact.tracking.face_model import landmark_model
from reenact.tracking.fit import key_frames, seen_again
from reenact.tracking.jumps import find_jumps
from reenact.tracking.track import Progress, see_video

_STILL_FPS = Fraction(25)


@dataclass(frozen=True)
class Source:
    """F frames in which the person's face was seen; a photo is one."""

    path: Path
    fps: Fraction
    width: int
    height: int
    person: Person
    states: Motion  # of F frames
    points: np.ndarray  # [F, 478, 2] px
    frames: np.ndarray  # [F] their numbers in the file

    @property
    def face_size_m(self) -> float:
        """Root mean square radius of the face's landmarks."""
        return landmark_model(self.person.rig).size

    def views(self, rows: np.ndarray, size: int) -> Iterator[View]:
        """Pictures of some rows, in their order, with crops of `size` px: decoded as they are asked for."""
        wanted = {int(self.frames[row]): int(row) for row in rows}
        if self.path.suffix.lower() in IMAGE_SUFFIXES:
            pictures = iter([(0, read_image(self.path))])
        else:
            pictures = ((frame.index, frame.image) for frame in read_frames(probe(self.path)))
        focal = self.person.camera.focal_px
        last = max(wanted, default=-1)
        for number, picture in pictures:
            if number in wanted:
                state = self.states[wanted[number]]
                crop = head_crop(state.translation[0].numpy(), self.face_size_m, focal, self.width, self.height, size)
                yield View(picture, number, crop, focal, self.path)
            if number >= last:
                return

    def key_rows(self, count: int) -> np.ndarray:
        """Rows that differ most, rising; all of them if there are not so many."""
        return np.sort(key_frames(self.points, min(count, len(self.states))))


def read_source(
    model: ParametricHead, path: Path, face: int, known: Person | None, task: Path | None, progress: Progress
) -> Source:
    """Track a photo or the first shot of a video.

    known: the same person in other pictures, whose head is taken as it is.
    Raises InputError if the file cannot be used or shows no such face.
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        image = read_image(path)
        height, width = image.shape[:2]
        detected = find_face(image, face, path, task)
        points, frames, fps = detected.points[None], np.zeros(1, int), _STILL_FPS
        evidence = ExpressionObserver()(image, detected)
    else:
        info = probe(path)
        sightings = see_video(info, face, "first", task, progress)
        found = sightings.points
        frames = np.asarray([i for i, p in enumerate(found) if p is not None])
        if not len(frames):
            raise InputError(f"{path}: no face was found in its {len(found)} frames; want a video of a human face")
        points = np.stack([p for p in found if p is not None])
        evidence = ExpressionEvidence.joined([e for e in sightings.evidence if e is not None])
        width, height, fps = info.width, info.height, info.fps
    if known is None:
        person = fit_person(model, points, width, height, evidence)
    else:
        person = seen_again(known, points, width, height)
    joined = (np.diff(frames) == 1) & ~find_jumps(points) if len(frames) > 1 else np.zeros(0, bool)
    states = fit_frames(person, points, joined, evidence=evidence).replace(fps=fps)
    return Source(path, fps, width, height, person, states, points, frames)
