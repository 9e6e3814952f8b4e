# SPDX-License-Identifier: Apache-2.0
"""Video in: what a file holds, and its frames as a stream on a constant, exact time grid."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from .display import Display
from .errors import InputError
from .files import existing_file
from .rates import frame_rate, on_grid

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = (".mp4", ".mov", ".webm", ".mkv", ".avi")
"""Where files of a folder are told apart by name."""

# Packets looked at for the frame rate: 10 to 20 seconds of most videos, milliseconds to read.
_SAMPLE = 600


@dataclass(frozen=True)
class VideoInfo:
    """What a video holds, as a player would show it.

    `width`, `height`: px after display rotation and with square pixels.
    `fps`: exact rate of the grid on which read_frames delivers.
    `frames`, `duration_s`: estimates from the header, None if it says nothing.
    `audio`: there is a sound track.
    `rotation_deg`: the turn to the left (counterclockwise) that display asks for; 0, 90, 180 or 270.
    `start_s`: time of the first shown frame on the file's own clock, which its sound shares.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int | None
    duration_s: Fraction | None
    audio: bool
    rotation_deg: int
    start_s: Fraction


@dataclass(frozen=True)
class ArrayVideo(VideoInfo):
    """A video in memory; `images`: [F, H, W, 3] uint8 RGB. `path` is a name for messages, of no file."""

    images: np.ndarray

    @staticmethod
    def of(images: np.ndarray, fps: Fraction, name: str) -> ArrayVideo:
        """Raises InputError unless `images` are F > 0 pictures of bytes."""
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or not images.size:
            raise InputError(f"{name} has shape {images.shape} of {images.dtype}; want [F, H, W, 3] of uint8")
        frames, height, width = images.shape[:3]
        return ArrayVideo(Path(name), width, height, fps, frames, frames / fps, False, 0, Fraction(0), images)


@dataclass(frozen=True)
class Frame:
    """One frame: `index` k on the grid, `time` k / fps in seconds, `image` uint8 RGB [H, W, 3] upright."""

    index: int
    time: Fraction
    image: np.ndarray


def probe(path: Path | str) -> VideoInfo:
    """Look at a video: its first packets are read and one frame is decoded.

    Raises InputError if the file is missing, empty, not a video, has sound only, not one frame decodes, or all
    frames have the same timestamp.
    """
    path = existing_file(path, "a video")
    with open_media(path, "a video") as container:
        stream = _picture_stream(container, path)
        first = next(_decode(container, stream, path), None)
        if first is None:
            raise InputError(f"{path} has no video frame that can be decoded; a whole video is wanted.")
        display = Display.of(first, stream.sample_aspect_ratio)
        tick_s = stream.time_base or Fraction(1, 1000)
        duration_s = _duration(container, stream)
        audio = any(sound.codec_context is not None for sound in container.streams.audio)
        declared = (stream.guessed_rate, stream.average_rate)
    times = _first_times(path)
    if len(times) > 1 and times[0] == times[-1]:
        raise InputError(f"{path} gives all its frames one and the same time, so its speed is unknown; re-encode it.")
    fps = frame_rate(times, tick_s, declared)
    return VideoInfo(
        path=path,
        width=display.size[0],
        height=display.size[1],
        fps=fps,
        frames=None if duration_s is None else max(1, round(duration_s * fps)),
        duration_s=duration_s,
        audio=audio,
        rotation_deg=90 * display.turns,
        start_s=_time_of(first) or Fraction(0),
    )


def read_frames(source: Path | str | VideoInfo) -> Iterator[Frame]:
    """Decode a video as a stream, in order, at the constant rate `probe(source).fps`.

    Edit lists, the display matrix, pixel aspect and uneven timestamps are honoured: frame k is what a player
    shows at k / fps after the first frame, give or take half a frame, so sound stays in step. Where frames
    were dropped the last one is repeated. Damaged packets are skipped with a logged warning. Memory does not
    grow with the video.

    Raises InputError at the call, as `probe` does.
    """
    info = source if isinstance(source, VideoInfo) else probe(source)
    if isinstance(info, ArrayVideo):
        return (Frame(k, k / info.fps, image) for k, image in enumerate(info.images))
    return _frames(info)


def open_media(path: Path, wanted: str) -> InputContainer:
    """Open any media file for reading; InputError if it is none. `wanted` is as in existing_file."""
    url = f"file:{path}"  # else a colon in the name is taken for a protocol
    try:
        return av.open(url, mode="r")
    except UnicodeDecodeError:
        # Titles and such from older programs; latin-1 accepts any byte.
        return av.open(url, mode="r", metadata_encoding="latin-1")
    except (av.FFmpegError, ValueError) as error:
        raise InputError(f"{path} cannot be read, or is cut off or damaged; {wanted} is wanted.") from error


def _frames(info: VideoInfo) -> Iterator[Frame]:
    with open_media(info.path, "a video") as container:
        stream = _picture_stream(container, info.path)
        to_rgb = VideoReformatter()
        display: Display | None = None
        for k, frame in on_grid(_timed(_decode(container, stream, info.path), info.fps), info.fps):
            if display is None:
                display = Display.of(frame, stream.sample_aspect_ratio)
            # A repeated frame is converted anew: the caller may have drawn on the first.
            rgb = to_rgb.reformat(frame, display.stored_width, display.stored_height, "rgb24")
            yield Frame(k, k / info.fps, display.upright(rgb.to_ndarray()))


def _decode(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[av.VideoFrame]:
    """Every frame that decodes, in order of presentation; FFmpeg leaves out what the edit list hides."""
    stream.thread_type = "AUTO"
    damaged = 0
    packets = container.demux(stream)
    try:
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                log.warning("%s: reading stops early, the file is damaged (%s)", path, error)
                packet = None
            try:
                # None drains the decoder, and after a damaged end nobody else does.
                frames = stream.decode(packet)
            except av.EOFError:
                return
            except av.FFmpegError:
                damaged += 1
                frames = []
            yield from frames
            if packet is None:
                return
    finally:
        if damaged:
            log.warning("%s: %d damaged packets were skipped", path, damaged)


def _timed(frames: Iterator[av.VideoFrame], fps: Fraction) -> Iterator[tuple[Fraction, Fraction, av.VideoFrame]]:
    """Each frame with its time and duration in s; one without a time follows the one before it."""
    time_s = -1 / fps
    for frame in frames:
        stated_s = _time_of(frame)
        time_s = time_s + 1 / fps if stated_s is None else stated_s
        yield time_s, max(frame.duration or 0, 0) * (frame.time_base or Fraction(0)), frame


def _time_of(frame: av.VideoFrame) -> Fraction | None:
    ticks = frame.pts if frame.pts is not None else frame.dts
    return None if ticks is None or frame.time_base is None else ticks * frame.time_base


def _first_times(path: Path) -> list[Fraction]:
    """Presentation times in s, ascending, of the first shown packets."""
    times: list[Fraction] = []
    with open_media(path, "a video") as container:
        try:
            for packet in islice(container.demux(_picture_stream(container, path)), 10 * _SAMPLE):
                ticks = packet.pts if packet.pts is not None else packet.dts
                if ticks is not None and not packet.is_discard:
                    times.append(ticks * packet.time_base)
                if len(times) == _SAMPLE:
                    # Frames stored later may belong among the last: a B-frame lies up to 16 after its place.
                    return sorted(times)[:-16]
        except av.FFmpegError as error:
            log.warning("%s: reading stops early, the file is damaged (%s)", path, error)
    return sorted(times)


def _picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first real video track; a cover picture in a song is none."""
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
            return stream
    found = "sound but no picture" if container.streams.audio else "no video track"
    raise InputError(f"{path} has {found}; a video is wanted.")


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Length in s from the header, the container's only if need be: that covers the sound too."""
    if stream.duration and stream.time_base and stream.duration > 0:
        return stream.duration * stream.time_base
    if container.duration and container.duration > 0:
        length_s = Fraction(container.duration - max(container.start_time or 0, 0), av.time_base)
        return length_s if length_s > 0 else None
    return None
