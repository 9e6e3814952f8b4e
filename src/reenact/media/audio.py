# SPDX-License-Identifier: Apache-2.0
"""The motion's sound, carried into the written video: copied if MP4 can hold it, else encoded as AAC."""

import logging
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import ArgumentError, InvalidDataError
from av.packet import Packet

log = logging.getLogger(__name__)

# FFmpeg's names of the codecs that players expect in an MP4.
COPYABLE = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})


class SoundTrack(Protocol):
    """Sound that is written alongside the pictures, in step with them. Times count from the first picture."""

    def advance(self, until_s: Fraction) -> None:
        """Write the sound that begins before `until_s`."""
        ...

    def finish(self, end_s: Fraction) -> None:
        """Write what is left and stop at `end_s`, where the last picture ends."""
        ...


def carry_sound(source: InputContainer, output: OutputContainer, start_s: Fraction, *, copy: bool) -> SoundTrack | None:
    """Add the source's first sound track to `output`; None if there is none or it cannot be decoded.

    Args:
        source: the motion, opened for this alone.
        output: a container whose header is not yet written.
        start_s: time of the first shown picture on the source's clock; sound before it is left out.
        copy: copy the packets as they are, where the codec is one of COPYABLE.
    """
    path = Path(source.name.removeprefix("file:"))
    for stream in source.streams.audio:
        if stream.codec_context is None:
            continue
        # The codec's own name ("opus"), whichever decoder ("libopus") happens to be chosen for it.
        name = stream.codec_context.codec.canonical_name
        # Of these the container's trailer repeats the codec's header, which a damaged source may lack.
        headless = name in ("opus", "flac", "alac") and not stream.codec_context.extradata
        if copy and name in COPYABLE and not headless:
            return _Copied(source, stream, output, start_s)
        log.warning("%s: its sound (%s) is no copy but encoded anew as AAC, with loss", path, name)
        return _Encoded(source, stream, output, start_s)
    if source.streams.audio:
        log.warning("%s: its sound track is of an unknown kind and is left out", path)
    return None


class _Copied:
    """Packets remuxed one by one: the payload stays identical, only the clock is moved."""

    def __init__(self, source: InputContainer, stream: AudioStream, output: OutputContainer, start_s: Fraction) -> None:
        self._output = output
        self._target = output.add_stream_from_template(stream)
        self._packets = self._shifted(source, stream, start_s)
        self._next = next(self._packets, None)
        self._held: Packet | None = None

    def advance(self, until_s: Fraction) -> None:
        while self._next is not None and _begin(self._next) < until_s:
            # One packet stays back, because the last one must learn how long it may last.
            self._flush()
            self._held = self._next
            self._next = next(self._packets, None)

    def finish(self, end_s: Fraction) -> None:
        self.advance(end_s)
        if self._held is not None:
            room = round((end_s - _begin(self._held)) / self._held.time_base)
            self._held.duration = max(1, min(self._held.duration or room, room))
        self._flush()

    def _flush(self) -> None:
        if self._held is not None:
            try:
                self._output.mux(self._held)
            except (ArgumentError, InvalidDataError) as error:
                log.warning("damaged sound skipped (%s)", error)
            self._held = None

    def _shifted(self, source: InputContainer, stream: AudioStream, start_s: Fraction) -> Iterator[Packet]:
        """The packets that sound from `start_s` on, re-timed, and the few before them.

        Decoders need those to start cleanly; their negative times put them into the edit list, so that they
        are decoded but not heard.
        """
        lead: deque[Packet] = deque()
        last: int | None = None
        for packet in _packets(source, stream):
            if packet.pts is None or packet.dts is None:
                continue
            offset = round(start_s / packet.time_base)
            packet.pts -= offset
            packet.dts -= offset
            packet.stream = self._target
            if packet.pts + (packet.duration or 0) <= 0:
                lead.append(packet)
                # A decoder may need 80 ms of earlier sound for Opus, two packets for AAC.
                while lead and _begin(lead[0]) < -Fraction(1, 10):
                    lead.popleft()
                continue
            if packet.is_discard:
                continue
            for ready in (*lead, packet):
                if ready.dts is not None and (last is None or ready.dts > last):
                    last = ready.dts
                    yield ready
            lead.clear()


class _Encoded:
    """Decoded, cut to the sample at both ends, encoded as AAC."""

    def __init__(self, source: InputContainer, stream: AudioStream, output: OutputContainer, start_s: Fraction) -> None:
        self._output = output
        rate_hz = stream.codec_context.sample_rate
        usual_hz = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
        self._rate = rate_hz if rate_hz in usual_hz else 48000  # AAC holds no others
        self._layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._target = output.add_stream("aac", rate=self._rate, layout=self._layout)
        self._target.bit_rate = 192_000
        self._blocks = self._decoded(source, stream, start_s)
        self._next = next(self._blocks, None)

    def advance(self, until_s: Fraction) -> None:
        self._write(int(until_s * self._rate), cut=False)

    def finish(self, end_s: Fraction) -> None:
        self._write(round(end_s * self._rate), cut=True)
        self._output.mux(self._target.encode(None))

    def _write(self, until: int, *, cut: bool) -> None:
        while self._next is not None and self._next[0] < until:
            begin, samples = self._next
            if begin + samples.shape[1] > until and not cut:
                return
            samples = np.ascontiguousarray(samples[:, max(0, -begin) : until - begin])
            if samples.shape[1]:
                frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)
                frame.sample_rate = self._rate
                frame.time_base = Fraction(1, self._rate)
                frame.pts = max(begin, 0)
                self._output.mux(self._target.encode(frame))
            self._next = next(self._blocks, None)

    def _decoded(
        self, source: InputContainer, stream: AudioStream, start_s: Fraction
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(first sample counted from `start_s`, float32 [channels, samples])."""
        resampler = AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        for packet in _packets(source, stream):
            try:
                blocks = [block for frame in packet.decode() for block in resampler.resample(frame)]
            except (av.FFmpegError, ValueError) as error:  # ValueError: the sound changes its form midway
                log.warning("damaged sound skipped (%s)", error)
                continue
            for block in blocks:
                if block.pts is not None and block.time_base is not None:
                    begin = round((block.pts * block.time_base - start_s) * self._rate)
                    yield begin, np.asarray(block.to_ndarray(), dtype=np.float32)


def _begin(packet: Packet) -> Fraction:
    return (packet.pts or 0) * packet.time_base


def _packets(source: InputContainer, stream: AudioStream) -> "Iterator[Packet[AudioStream]]":
    """Packets up to the end or to the first unreadable byte: damaged sound must not cost the pictures."""
    try:
        yield from source.demux(stream)
    except av.FFmpegError as error:
        log.warning("sound stops early, the file is damaged (%s)", error)
