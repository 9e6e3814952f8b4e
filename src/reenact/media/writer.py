# SPDX-License-Identifier: Apache-2.0
"""Video out: H.264 in MP4 at an exact rational rate, with the sound of another file, whole or not at all."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.error import InvalidDataError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from .audio import SoundTrack, carry_sound
from .errors import InputError
from .files import existing_file, written_beside
from .video import open_media, probe

log = logging.getLogger(__name__)


class VideoWriter:
    """Writes a video frame by frame; use it as a context manager.

        with VideoWriter(path, fps, width, height, audio_from=motion) as writer:
            for image in images:
                writer.write(image)

    The file appears at `path` when the block ends without an exception (KeyboardInterrupt included);
    otherwise nothing is left behind. H.264, yuv420p, BT.709; an odd width or height grows by one repeated
    pixel column or row, since yuv420p has none. The sound of `audio_from` is copied packet by packet where
    MP4 can hold it, aligned to that file's first shown picture, and ends with the written pictures. Memory
    does not grow with the video.

    Args:
        path: ends in .mp4.
        fps: frames per second, exact.
        width: Width of the images, px.
        height: Height of the images, px.
        audio_from: a video whose sound to carry over; one without sound is no error.
        crf: x264 quality, 0 (lossless) to 51; 17 is visually transparent.

    Raises:
        InputError: `path` is not .mp4 or its folder is missing; `audio_from` is not a video or its sound is
            damaged beyond copying.
        ValueError: fps or size not positive, an image of another size, no image at all.
    """

    def __init__(
        self,
        path: Path | str,
        fps: Fraction,
        width: int,
        height: int,
        *,
        audio_from: Path | None = None,
        crf: int = 17,
    ) -> None:
        self._path = Path(path)
        if self._path.suffix.lower() != ".mp4":
            raise InputError(f"{path} ends in '{self._path.suffix}'; a name that ends in .mp4 is wanted.")
        if fps <= 0 or width <= 0 or height <= 0:
            raise ValueError(f"rate and size must be positive, got {fps} fps, {width} x {height}")
        self._fps = Fraction(fps)
        self._shape = (height, width, 3)
        self._crf = crf
        self._audio_from = None if audio_from is None else existing_file(audio_from, "a video with sound")
        self._frames = 0
        self._to_yuv = VideoReformatter()

    def __enter__(self) -> "VideoWriter":
        with ExitStack() as stack:
            partial = stack.enter_context(written_beside(self._path))
            try:
                self._open(partial, stack, copy_sound=True)
            except av.FFmpegError as error:
                # MP4 refuses some variants of codecs it otherwise holds, such as MP3 at 8 kHz.
                if self._audio_from is None:
                    raise
                log.warning("%s: its sound cannot be copied into an MP4 (%s)", self._audio_from, error)
                self._open(partial, stack, copy_sound=False)
            self._stack = stack.pop_all()
        return self

    def write(self, img: np.ndarray) -> None:
        """Append uint8 RGB [height, width, 3]."""
        if img.dtype != np.uint8 or img.shape != self._shape:
            raise ValueError(f"a frame is uint8 {list(self._shape)}, got {img.dtype} {list(img.shape)}")
        height, width, _ = self._shape
        if height % 2 or width % 2:
            img = np.pad(img, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._to_yuv.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(img), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts = self._frames
        frame.time_base = 1 / self._fps
        with self._blaming_the_sound():
            self._container.mux(self._pictures.encode(frame))
        self._frames += 1
        if self._sound is not None:
            self._sound.advance(self._frames / self._fps)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def _finish(self) -> None:
        if self._frames == 0:
            raise ValueError(f"no frame was written to {self._path}")
        with self._blaming_the_sound():
            self._container.mux(self._pictures.encode(None))
            if self._sound is not None:
                self._sound.finish(self._frames / self._fps)
            self._container.close()

    @contextmanager
    def _blaming_the_sound(self) -> Iterator[None]:
        """The pictures are whole: if the container finds damage, it is in copied sound, perhaps queued before."""
        try:
            yield
        except InvalidDataError as error:
            if self._audio_from is None:
                raise
            raise InputError(
                f"{self._audio_from} has damaged sound that cannot be copied; a video with whole sound is wanted."
            ) from error

    def _open(self, partial: Path, stack: ExitStack, *, copy_sound: bool) -> None:
        """Open the container and its streams, write the header; av.FFmpegError if MP4 refuses a stream."""
        # Edit lists count on the film's own clock, by default in whole milliseconds; this one is exact.
        clock_hz = self._fps.numerator * ceil(90_000 / self._fps.numerator)
        options = {"movflags": "faststart", "movie_timescale": str(clock_hz)}
        self._container = av.open(str(partial), mode="w", format="mp4", options=options)
        stack.callback(_close_quietly, self._container)

        self._pictures = self._container.add_stream("libx264", rate=self._fps)
        height, width, _ = self._shape
        self._pictures.width = width + width % 2
        self._pictures.height = height + height % 2
        self._pictures.pix_fmt = "yuv420p"
        # Twice as fast as the default for 0.7 dB at the same size: two cores must keep up with the generator.
        self._pictures.options = {"crf": str(self._crf), "preset": "veryfast"}
        context = self._pictures.codec_context
        context.time_base = 1 / self._fps
        # In ITU-T H.273, 1 means BT.709 for matrix, primaries and transfer alike.
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = ColorRange.MPEG

        self._sound: SoundTrack | None = None
        if self._audio_from is not None:
            start_s = probe(self._audio_from).start_s
            source = stack.enter_context(open_media(self._audio_from, "a video with sound"))
            self._sound = carry_sound(source, self._container, start_s, copy=copy_sound)
        self._container.start_encoding()


def _close_quietly(container: OutputContainer) -> None:
    """Let go of a file that is given up: the trailer of a half-written one may well fail."""
    with suppress(av.FFmpegError):
        container.close()
