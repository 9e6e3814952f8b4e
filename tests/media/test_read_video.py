# SPDX-License-Identifier: Apache-2.0
"""Videos as they come: every frame at its time, or one clear sentence."""

import logging
import weakref
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_clips import HEIGHT, WIDTH, make_clip, number_of, numbered, set_display_matrix

from reenact.media import InputError, probe, read_frames

NTSC = Fraction(1001, 30000)


def numbers(path: Path) -> list[int]:
    return [number_of(frame.image) for frame in read_frames(path)]


@pytest.mark.parametrize("tick", [NTSC, Fraction(1, 25), Fraction(125, 2997), Fraction(33333, 1000000)])
def test_constant_rate_is_exact(tmp_path: Path, tick: Fraction) -> None:
    clip = tmp_path / "a.mp4"
    make_clip(clip, range(20), tick)
    info = probe(clip)
    assert (info.width, info.height, info.fps, info.frames) == (WIDTH, HEIGHT, 1 / tick, 20)
    assert (info.audio, info.rotation_deg, info.start_s) == (False, 0, 0)
    frames = list(read_frames(info))
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == [k * tick for k in range(20)]
    assert [number_of(frame.image) for frame in frames] == list(range(20))
    assert frames[0].image.dtype == np.uint8 and frames[0].image.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(50)])
def test_coarse_matroska_clock_still_gives_the_exact_rate(tmp_path: Path, fps: Fraction) -> None:
    clip = tmp_path / "a.mkv"
    make_clip(clip, [round(1000 * k / fps) for k in range(70)], Fraction(1, 1000))
    assert probe(clip).fps == fps
    assert numbers(clip) == list(range(70))


def test_gap_repeats_the_last_frame(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    make_clip(clip, [0, 1, 2, 5, 6, 8, 9], Fraction(1, 30))
    assert probe(clip).fps == 30
    assert numbers(clip) == [0, 1, 2, 2, 2, 3, 4, 4, 5, 6]


def test_jitter_neither_drops_nor_repeats(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    wobble = np.random.default_rng(0).integers(-300, 300, 60)
    make_clip(clip, [3000 * k + int(wobble[k]) for k in range(60)], Fraction(1, 90000))
    assert probe(clip).fps == 30
    assert numbers(clip) == list(range(60))


def test_edit_list_hides_what_lies_before_it(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    make_clip(clip, range(-7, 13), Fraction(1, 25))
    with av.open(str(clip)) as container:
        stored = sum(packet.size > 0 for packet in container.demux(video=0))
    assert stored > 13  # the frames are there, and only the edit list says that they are not shown
    assert numbers(clip) == list(range(7, 20))
    assert probe(clip).start_s == 0


def test_time_counts_from_the_first_frame(tmp_path: Path) -> None:
    clip = tmp_path / "a.mkv"
    make_clip(clip, [500 + 40 * k for k in range(9)], Fraction(1, 1000))
    assert probe(clip).start_s == Fraction(1, 2)
    assert [(frame.time, number_of(frame.image)) for frame in read_frames(clip)] == [
        (Fraction(k, 25), k) for k in range(9)
    ]


@pytest.mark.parametrize(
    ("matrix", "degrees", "mirrored"),
    [
        ((1, 0, 0, 1), 0, False),
        ((0, -1, 1, 0), 90, False),
        ((-1, 0, 0, -1), 180, False),
        ((0, 1, -1, 0), 270, False),
        ((-1, 0, 0, 1), 0, True),
        ((0, 1, 1, 0), 90, True),
    ],
)
def test_display_matrix(tmp_path: Path, matrix: tuple[int, int, int, int], degrees: int, mirrored: bool) -> None:
    clip = tmp_path / "a.mp4"
    make_clip(clip, range(2), Fraction(1, 25))
    stored = next(read_frames(clip)).image
    set_display_matrix(clip, *matrix)
    info, shown = probe(clip), next(read_frames(clip)).image
    # The matrix itself, applied point by point: (x, y) goes to (a x + c y, b x + d y) from the centre.
    a, b, c, d = matrix
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    x, y = x - WIDTH / 2, y - HEIGHT / 2
    height, width = shown.shape[:2]
    to_x, to_y = a * x + c * y + width / 2, b * x + d * y + height / 2
    assert (info.width, info.height, info.rotation_deg) == (width, height, degrees)
    assert np.array_equal(shown[np.floor(to_y).astype(int), np.floor(to_x).astype(int)], stored)
    assert mirrored == (a * d - b * c < 0)


def test_pixels_become_square(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    make_clip(clip, range(2), Fraction(1, 25), pixel_aspect=Fraction(3, 2))
    info = probe(clip)
    assert (info.width, info.height) == (WIDTH * 3 // 2, HEIGHT)
    assert next(read_frames(clip)).image.shape == (HEIGHT, WIDTH * 3 // 2, 3)


def test_animated_gif(tmp_path: Path) -> None:
    clip = tmp_path / "a.gif"
    make_clip(clip, [round(100 * k / 12) for k in range(24)], Fraction(1, 100), codec="gif")
    assert probe(clip).fps == 12
    assert numbers(clip) == list(range(24))


def test_colours_survive(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    make_clip(clip, range(3), Fraction(1, 25))
    ramp = next(read_frames(clip)).image[HEIGHT * 3 // 4].astype(int)
    assert np.abs(ramp - np.linspace((40, 90, 200), (200, 120, 60), WIDTH)).mean() < 3


def test_frames_are_a_stream_and_their_own(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    make_clip(clip, [*range(40), 45], Fraction(1, 25))
    seen: list[weakref.ref[np.ndarray]] = []
    for frame in read_frames(clip):
        assert number_of(frame.image) == (40 if frame.index == 45 else min(frame.index, 39))
        frame.image[:] = 0  # neither a repeat nor a later frame may notice
        seen.append(weakref.ref(frame.image))
        assert sum(ref() is not None for ref in seen) <= 2
    assert len(seen) == 46


def test_damage_in_the_middle_costs_only_what_it_hits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = tmp_path / "a.mp4"
    make_clip(clip, range(60), Fraction(1, 25))
    data = bytearray(clip.read_bytes())
    body = data.index(b"mdat")
    with av.open(str(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    hit = packets[20:24]
    for packet in hit:
        assert packet.pos is not None and packet.pos > body
        data[packet.pos + 4 : packet.pos + packet.size] = b"\xff" * (packet.size - 4)
    clip.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        found = numbers(clip)
    assert len(found) == 60
    assert found[:20] == list(range(20)) and found[-20:] == list(range(40, 60))
    assert "damaged packets were skipped" in caplog.text


def test_cut_off_stream_ends_early(tmp_path: Path) -> None:
    clip = tmp_path / "a.mkv"
    make_clip(clip, range(60), Fraction(1, 25))
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    found = numbers(clip)
    assert 10 < len(found) < 60 and found == list(range(len(found)))


def make_song(path: Path) -> None:
    make_clip(path.with_suffix(".mkv"), range(2), Fraction(1, 25), sound="aac")
    with av.open(str(path.with_suffix(".mkv"))) as source, av.open(str(path), "w") as song:
        target = song.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = target
                song.mux(packet)


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    whole, song = tmp_path / "whole.mp4", tmp_path / "song.m4a"
    make_clip(whole, range(20), Fraction(1, 25))
    make_song(song)
    half, empty, text = tmp_path / "half.mp4", tmp_path / "empty.mp4", tmp_path / "text.mp4"
    data = whole.read_bytes()
    half.write_bytes(data[: len(data) // 2])
    empty.touch()
    text.write_text("not a video")
    headless = tmp_path / "headless.mp4"
    body = data.index(b"mdat") + 4
    headless.write_bytes(data[:body] + b"\xff" * (data.index(b"moov") - 4 - body) + data[data.index(b"moov") - 4 :])
    for path, found in [
        (half, "cut off"),
        (empty, "empty"),
        (text, "cannot be read"),
        (song, "sound but no picture"),
        (headless, "no video frame"),
        (tmp_path / "missing.mp4", "does not exist"),
        (tmp_path, "is a folder"),
    ]:
        for use in (probe, read_frames):
            with pytest.raises(InputError) as caught:
                use(path)
            message = str(caught.value)
            assert str(path) in message and found in message and message.endswith("wanted.")
            assert "\n" not in message and ". " not in message.replace(str(path), "")


def test_odd_names_are_names(tmp_path: Path) -> None:
    clip = tmp_path / "concat: 50%d, café.mp4"
    make_clip(tmp_path / "a.mp4", range(3), Fraction(1, 25))
    (tmp_path / "a.mp4").rename(clip)
    assert numbers(clip) == [0, 1, 2]


def test_titles_in_another_encoding_do_no_harm(tmp_path: Path) -> None:
    clip = tmp_path / "a.mkv"
    make_clip(clip, range(3), Fraction(1, 25), title="éé café")
    data = clip.read_bytes()
    title = "éé café".encode()
    assert title in data
    clip.write_bytes(data.replace(title, "éé café".encode("latin-1").ljust(len(title))))
    assert numbers(clip) == [0, 1, 2]


def test_equal_timestamps_are_refused_but_a_single_frame_is_not(tmp_path: Path) -> None:
    """Frames that all claim one time would be taken for one frame."""

    def clip(name: str, pts: list[int]) -> Path:
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("mjpeg", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuvj420p"
            for number, time in enumerate(pts):
                frame = av.VideoFrame.from_ndarray(numbered(number), "rgb24")
                for packet in stream.encode(frame):
                    packet.pts = packet.dts = time
                    packet.time_base = Fraction(1, 1000)
                    container.mux(packet)
        return tmp_path / name

    with pytest.raises(InputError, match=r"equal\.mkv gives all its frames one and the same time"):
        probe(clip("equal.mkv", [0] * 5))
    assert probe(clip("even.mkv", [0, 40, 80, 120, 160])).fps == 25
    assert len(list(read_frames(clip("single.mkv", [0])))) == 1
