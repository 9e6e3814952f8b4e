# SPDX-License-Identifier: Apache-2.0
"""Tiny real videos for the tests: frames carry their numbers, sounds are noise that can be located."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NO_SHARED = f"needs the clips under {SHARED.parent.name}/{SHARED.name} beside the repository"

WIDTH, HEIGHT = 128, 96
_BITS = 8
_BAR = WIDTH // _BITS


def numbered(number: int) -> np.ndarray:
    """uint8 [96, 128, 3]: the number's bits as upright bars in the upper half, a colour ramp below."""
    img = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for bit in range(_BITS):
        img[: HEIGHT // 2, bit * _BAR : (bit + 1) * _BAR] = 220 if number >> bit & 1 else 30
    img[HEIGHT // 2 :] = np.linspace((40, 90, 200), (200, 120, 60), WIDTH).astype(np.uint8)
    return img


def number_of(img: np.ndarray) -> int:
    """Read back what `numbered` drew."""
    middle = img[HEIGHT // 4, _BAR // 2 :: _BAR].mean(axis=-1)
    return sum(int(value > 125) << bit for bit, value in enumerate(middle))


def noise(seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    """float32 [channels, samples] of smoothed noise: correlation finds its place to the sample."""
    raw = np.random.default_rng(7).normal(size=round(seconds * rate_hz) + 7)
    smooth = np.convolve(raw, np.ones(8) / 8, mode="valid").astype(np.float32) * 0.4
    return np.repeat(smooth[None], channels, axis=0)


def make_clip(
    path: Path,
    pts: Sequence[int],
    tick: Fraction,
    *,
    sound: str | None = None,
    sound_rate_hz: int = 44100,
    sound_seconds: float | None = None,
    codec: str = "libx264",
    pixel_aspect: Fraction | None = None,
    title: str = "",
) -> None:
    """Write frame numbered(i) at time pts[i] * tick; `sound` is an audio encoder for noise from time 0 on."""
    gif = codec == "gif"
    with av.open(str(path), "w") as container:
        rate = Fraction(len(pts) - 1, pts[-1] - pts[0]) / tick if len(pts) > 1 else Fraction(25)
        video = container.add_stream(codec, rate=rate.limit_denominator(1001))
        assert isinstance(video, av.VideoStream)
        container.metadata["title"] = title
        video.width, video.height = WIDTH, HEIGHT
        video.pix_fmt = "rgb8" if gif else "yuv420p"
        video.time_base = video.codec_context.time_base = tick
        if not gif:
            video.options = {"crf": "12", "preset": "ultrafast", "g": "12"}
        if pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = pixel_aspect
        if sound is not None:
            seconds = float((pts[-1] + 1) * tick) + 0.2 if sound_seconds is None else sound_seconds
            audio = container.add_stream(sound, rate=sound_rate_hz)
            assert isinstance(audio, av.AudioStream)
            audio.codec_context.layout = "mono"
            samples = noise(seconds, sound_rate_hz)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = sound_rate_hz, 0, Fraction(1, sound_rate_hz)
            resampler = av.AudioResampler(format=audio.codec_context.format, rate=sound_rate_hz)
            for block in resampler.resample(frame):
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
        for index, at in enumerate(pts):
            picture = av.VideoFrame.from_ndarray(numbered(index), format="rgb24")
            picture = picture.reformat(format=video.pix_fmt)
            picture.pts, picture.time_base = at, tick
            container.mux(video.encode(picture))
        container.mux(video.encode(None))


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Overwrite the matrix in the track header of an MP4 whose first track is the video."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 24 + 16
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def sound_packets(path: Path) -> list[bytes]:
    """The payload of every audio packet."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def heard(path: Path, rate_hz: int) -> tuple[Fraction, np.ndarray]:
    """(time of the first sample in s, mono float32 samples) as a player would hear them."""
    blocks: list[np.ndarray] = []
    start: Fraction | None = None
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate_hz)
        for frame in container.decode(audio=0):
            if start is None:
                assert frame.pts is not None and frame.time_base is not None
                start = frame.pts * frame.time_base
            blocks += [np.asarray(block.to_ndarray())[0] for block in resampler.resample(frame)]
    assert start is not None
    return start, np.concatenate(blocks)


def lag_s(path: Path, rate_hz: int, skipped_s: float) -> float:
    """By how much, in s, the sound of `path` comes late against noise() without its first `skipped_s`."""
    start, samples = heard(path, rate_hz)
    length = min(len(samples), rate_hz // 2)
    wanted = noise(10.0, rate_hz)[0]
    begin = round(skipped_s * rate_hz)
    # A second window of the truth, wide enough for a lag of a quarter second either way.
    margin = rate_hz // 4
    truth = np.pad(wanted, (margin, 0))[begin : begin + length + 2 * margin]
    match = np.correlate(truth, samples[:length], mode="valid")
    return float(start) - (int(np.argmax(match)) - margin) / rate_hz
