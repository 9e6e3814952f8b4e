# SPDX-License-Identifier: Apache-2.0
"""A photo or clip of one person, tracked, as the fits take it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.arkit import index
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.head.subject import Reference, Subject
from reenact.media import probe, read_frames, read_image
from reenact.media.image import IMAGE_SUFFIXES, resized
from reenact.media.video import ArrayVideo, VideoInfo
from reenact.perception.dense.maps import View, head_crop
from reenact.tracking import Pictures, Progress, Track, TrackOptions, track
from reenact.tracking.fit import clip_of, fit_frames, in_pictures, key_frames

_TONGUE = index("tongueOut")
_PICTURE_PX = 512  # side of a reference's crop: of no consequence, its picture is whole


@dataclass(frozen=True)
class Source:
    """F frames in which the person's face was found; a photo is one."""

    path: Path  # of the file; where there is none a name
    track: Track  # of one shot, without the frames that show no face
    content: VideoInfo | NDArray[np.uint8]  # a video, or a photo [H, W, 3]

    @property
    def subject(self) -> Subject:
        """Who was fitted, in the camera of this source."""
        return self.track.subject

    @property
    def motion(self) -> Motion:
        """Of F frames, with landmark offsets where flow was looked at; the joint fit finds dynamic ones."""
        return self.track.motion

    @property
    def points(self) -> np.ndarray:
        """[F, 478, 2] px, as detected."""
        return self.track.shots[0].points

    def views(self, rows: np.ndarray, size: int) -> Iterator[View]:
        """Pictures of some rows, in their order, with crops of `size` px: decoded as they are asked for."""
        wanted = {int(self.track.shots[0].frames[row]): int(row) for row in rows}
        if isinstance(self.content, VideoInfo):
            pictures = ((frame.index, frame.image) for frame in read_frames(self.content))
        else:
            pictures = iter([(0, self.content)])
        camera, face_size = self.subject.camera, self.subject.face_size_m
        last = max(wanted, default=-1)
        for number, picture in pictures:
            if number in wanted:
                place = self.track.motion.translation[wanted[number]].numpy()
                crop = head_crop(place, face_size, camera.focal_px, camera.width, camera.height, size)
                yield View(picture, number, crop, camera.focal_px, self.path)
            if number >= last:
                return

    def key_rows(self, count: int) -> np.ndarray:
        """Rows that differ most, rising; all of them if there are not so many."""
        return np.sort(key_frames(self.points, min(count, len(self.points))))

    def reference(self, subject: Subject | None = None) -> Reference:
        """The photo, or the video's frame that is most like all others: a picture to take the appearance from.

        subject: the same person with a head that has since been fitted anew: their pose and expression in the picture
            are fitted again, in their own camera; None: those that were tracked.
        """
        shot = self.track.shots[0]
        row = shot.anchor_row
        picture = next(self.views(np.asarray([row]), _PICTURE_PX)).picture
        image = torch.from_numpy(np.ascontiguousarray(picture))
        motion = self.motion[row].replace(landmark_offset=None)  # the picture is what all motion is counted from
        if subject is None:
            return Reference(image, motion, self.subject.camera)
        only, frame = slice(row, row + 1), motion.require_clip().frame
        own = in_pictures(subject, shot.points[only], self.subject.camera.width, self.subject.camera.height)
        evidence = None if shot.evidence is None else shot.evidence.rows(only)
        fitted = fit_frames(own, shot.points[only], np.zeros(0, bool), evidence=evidence)
        fitted.expression[:, _TONGUE] = motion.expression[:, _TONGUE]  # which no landmark tells
        clip = clip_of([own], self.path.name, 1, frame=frame.numpy())
        return Reference(image, fitted.replace(fps=motion.fps, clip=clip), own.camera)


def read_source(
    model: ParametricHead,
    source: Pictures,
    options: TrackOptions,
    progress: Progress,
    subject: Subject | None = None,
    size: int | None = None,
) -> Source:
    """Track a photo or the first shot of a video: see `tracking.track`.

    options: its policies of cuts and of frames without a face do not count.
    subject: the same person in other pictures, whose head is taken as it is.
    size: longer side, px, to which a photo is resized first; None: as it is.
    Raises InputError if the file cannot be used or shows no such face.
    """
    options = replace(options, lost="skip", cuts="first")
    if isinstance(source, ArrayVideo):
        return Source(source.path, track(model, source, options, subject=subject, progress=progress), source)
    if isinstance(source, Path) and source.suffix.lower() not in IMAGE_SUFFIXES:
        return Source(source, track(model, source, options, subject=subject, progress=progress), probe(source))
    path, picture = (source, read_image(source)) if isinstance(source, Path) else (Path("the picture"), source)
    picture = picture if size is None else resized(picture, size)
    found = track(model, picture, options, subject=subject, name=str(path), progress=progress)
    return Source(path, found, picture)
