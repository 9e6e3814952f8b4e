# SPDX-License-Identifier: Apache-2.0
"""What is written is what was meant: rate, pictures, colours; and all of it or nothing."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_clips import HEIGHT, WIDTH, number_of, numbered

from reenact.media import InputError, VideoWriter, probe, read_frames


@pytest.mark.parametrize(
    "fps",
    [
        Fraction(25),
        Fraction(30000, 1001),
        Fraction(24000, 1001),
        Fraction(2997, 125),
        Fraction(1000000, 33333),
    ],
)
def test_rate_and_frames_are_exact(tmp_path: Path, fps: Fraction) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, fps, WIDTH, HEIGHT) as writer:
        for number in range(70):
            writer.write(numbered(number))
    info = probe(path)
    assert (info.fps, info.frames, info.width, info.height) == (fps, 70, WIDTH, HEIGHT)
    assert info.duration_s == 70 / fps and not info.audio
    assert [number_of(frame.image) for frame in read_frames(info)] == list(range(70))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == fps
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize(("width", "height"), [(65, 64), (64, 65), (127, 77)])
def test_odd_sizes_grow_by_a_repeated_edge(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "out.mp4"
    img = np.zeros((height, width, 3), np.uint8)
    img[:, width // 2 :] = 200
    img[height // 2 :, :, 0] = 120
    with VideoWriter(path, Fraction(25), width, height, crf=5) as writer:
        writer.write(img)
    got = next(read_frames(path)).image.astype(int)
    assert got.shape[:2] == (height + height % 2, width + width % 2)
    wanted = np.pad(img, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    luma = np.array([0.2126, 0.7152, 0.0722])
    assert np.abs((got - wanted) @ luma).mean() < 3
    assert np.abs((got[-1] - wanted[-1]) @ luma).mean() < 6


def test_colours_are_tagged_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    colours = [(200, 60, 40), (30, 180, 70), (40, 60, 210), (235, 200, 180), (70, 50, 40), (250, 250, 250)]
    with VideoWriter(path, Fraction(25), 64, 64, crf=5) as writer:
        for colour in colours:
            writer.write(np.full((64, 64, 3), colour, np.uint8))
    for colour, frame in zip(colours, read_frames(path), strict=True):
        assert np.abs(frame.image.astype(int) - colour).max() <= 3
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (1, 1, 1, 1)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("written", [0, 1, 60])
def test_an_interrupt_leaves_the_folder_as_it_was(tmp_path: Path, error: type[BaseException], written: int) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("the older film")
    with pytest.raises(error), VideoWriter(path, Fraction(25), WIDTH, HEIGHT) as writer:
        for number in range(written):
            writer.write(numbered(number))
        raise error
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "the older film"


def test_until_it_is_done_the_file_is_hidden(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, Fraction(25), WIDTH, HEIGHT) as writer:
        writer.write(numbered(0))
        assert not path.exists()
        assert all(entry.name.startswith(".out") for entry in tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == [path]


def test_a_film_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frame"), VideoWriter(tmp_path / "a.mp4", Fraction(25), 64, 64):
        pass
    assert list(tmp_path.iterdir()) == []


def test_wrong_frames_are_refused(tmp_path: Path) -> None:
    for img in (
        np.zeros((64, 65, 3), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64), np.uint8),
    ):
        writer = VideoWriter(tmp_path / "a.mp4", Fraction(25), 64, 64)
        with pytest.raises(ValueError, match=r"uint8 \[64, 64, 3\]"), writer:
            writer.write(img)
    for fps, width in ((Fraction(0), 64), (Fraction(25), 0)):
        with pytest.raises(ValueError, match="positive"):
            VideoWriter(tmp_path / "a.mp4", fps, width, 64)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    for path in (tmp_path / "out.avi", tmp_path / "missing" / "out.mp4", tmp_path / "folder.mp4"):
        with pytest.raises(InputError) as caught, VideoWriter(path, Fraction(25), 64, 64) as writer:
            writer.write(np.zeros((64, 64, 3), np.uint8))
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match=r"gone\.mp4 does not exist"):
        VideoWriter(tmp_path / "out.mp4", Fraction(25), 64, 64, audio_from=tmp_path / "gone.mp4")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.mp4"]
