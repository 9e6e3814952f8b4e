# SPDX-License-Identifier: Apache-2.0
"""The whole way, on the demo photo and short performances."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from reenact.head.arkit import index
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.media import InputError, VideoWriter, probe, read_frames, read_image, write_image
from reenact.media.files import asset
from reenact.media.image import resized
from reenact.pipeline import AnimateOptions, Pipeline, animate, bundled_motion, read_driving
from reenact.subject.fit_subject import fit_subject
from reenact.tracking import TrackOptions, load_motion, save_motion
from reenact.transfer.dynamic_offsets import Detail

PHOTO = asset("demo/astronaut.jpg")
coarse = partial(AnimateOptions, subject_detail="coarse")
STILL: dict[str, float] = dict.fromkeys(("eyes", "brows", "mouth", "jaw", "gaze", "head"), 0.0)


def short(name: str, frames: slice, folder: Path) -> Path:
    """A few frames of a bundled motion."""
    source = bundled_motion(name)
    assert source is not None
    path = folder / f"{name}.motion.safetensors"
    save_motion(load_motion(source)[frames], path)
    return path


def frames_of(path: Path) -> np.ndarray:
    return np.stack([f.image for f in read_frames(path)])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((a.astype(float) - b.astype(float)) ** 2).mean()))


def test_a_photo_performs_and_the_rest_of_the_picture_stays(tmp_path: Path) -> None:
    motion = short("surprise", slice(20, 70, 6), tmp_path)
    output = tmp_path / "out.mp4"
    result = animate(PHOTO, motion, output, AnimateOptions())
    assert result.subject.fine_offset is not None and result.subject.motion is None  # personal, but for the photo alone
    made, photo = frames_of(output), read_image(PHOTO)
    assert len(result.target) == len(made) == 9 and probe(output).fps == result.driving.fps == Fraction(30)
    assert made.shape[1:] == photo.shape
    for frame in made:
        assert psnr(frame[340:], photo[340:]) > 32  # suit and helmet, far below the head
    face = np.s_[60:180, 170:280]
    assert min(psnr(a[face], made[0][face]) for a in made[3:]) < 28  # and the face does move
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mp4", "surprise.motion.safetensors"]


def test_no_strength_gives_the_photo_back(tmp_path: Path) -> None:
    motion = short("winks", slice(0, 60, 20), tmp_path)
    options = coarse(strength=STILL)
    animate(PHOTO, motion, tmp_path / "out.mp4", options)
    made = frames_of(tmp_path / "out.mp4")
    assert min(psnr(frame, read_image(PHOTO)) for frame in made) > 32


@pytest.mark.slow
def test_crop_size_and_compare(tmp_path: Path) -> None:
    motion = short("smile", slice(0, 3), tmp_path)
    animate(PHOTO, motion, tmp_path / "a.mp4", coarse(crop=True, size=160))
    assert frames_of(tmp_path / "a.mp4").shape == (3, 160, 160, 3)
    animate(PHOTO, motion, tmp_path / "b.mp4", coarse(size=256, compare=True))
    shape = frames_of(tmp_path / "b.mp4").shape
    assert shape[1] == 256 and shape[2] > 700  # photo, driving head, result


@pytest.mark.slow
def test_a_video_with_sound_drives_in_step(tmp_path: Path) -> None:
    """30000/1001 frames a second: as long as the driver to within one frame, and the very same sound packets."""
    fps, photo = Fraction(30000, 1001), read_image(PHOTO)
    driver, silent = tmp_path / "driver.mp4", tmp_path / "silent.mp4"
    with VideoWriter(silent, fps, 512, 512) as writer:
        for i in range(20):
            writer.write(np.roll(photo, i // 2, axis=1))
    with av.open(str(silent)) as source, av.open(str(driver), "w") as out:
        video = out.add_stream_from_template(source.streams.video[0])
        sound = out.add_stream("aac", rate=48000)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                out.mux(packet)
        tone = np.sin(np.arange(48000 * 2 // 3) * 0.05).astype(np.float32)
        for start in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    output = tmp_path / "out.mp4"
    animate(PHOTO, driver, output, coarse(crop=True, size=128))

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as file:
            return [bytes(p) for p in file.demux(audio=0) if p.size]

    assert probe(output).fps == fps and sum(1 for _ in read_frames(output)) == 20
    made, original = packets(output), packets(driver)
    assert made and made == original[: len(made)] and len(original) - len(made) <= 3


@pytest.mark.slow
def test_a_person_performs_for_themselves(tmp_path: Path) -> None:
    """Photo: a frame of the performance, its head turned. Said so, that frame comes out as it is; unsaid, askew."""
    motion = short("looking-around", slice(10, 60, 4), tmp_path)
    animate(PHOTO, motion, tmp_path / "driver.mp4", coarse(crop=True, size=256))
    frames = frames_of(tmp_path / "driver.mp4")
    turned = int(np.abs(frames.astype(int) - frames[0]).mean(axis=(1, 2, 3)).argmax())
    write_image(tmp_path / "photo.png", frames[turned])
    made = {}
    for same in (False, True):
        options = coarse(mode="absolute", same_person=same, neutral=turned if same else None)
        animate(tmp_path / "photo.png", tmp_path / "driver.mp4", tmp_path / "out.mp4", options)
        made[same] = frames_of(tmp_path / "out.mp4")
    face = np.s_[60:200, 60:200]
    quality = {same: [psnr(a[face], b[face]) for a, b in zip(out, frames, strict=True)] for same, out in made.items()}
    assert quality[True][turned] > 21 > quality[False][turned] + 10
    assert np.mean(quality[True]) > np.mean(quality[False]) + 1.0


def test_a_picture_is_a_performance_too(tmp_path: Path) -> None:
    motion = read_driving(open_head(), PHOTO)
    assert len(motion) == 50 and motion.fps == 25
    smile = motion.expression[:, [index("mouthSmileLeft"), index("mouthSmileRight")]].mean(dim=1)
    assert smile[0] == 0 and smile[-1] > 0.2 and (smile.diff() > -1e-6).all()


def test_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    motion = short("smile", slice(0, 10), tmp_path)

    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage == "generating" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        animate(PHOTO, motion, tmp_path / "out.mp4", coarse(crop=True, size=128), interrupt)
    assert [p.name for p in tmp_path.iterdir()] == [motion.name]


def test_input_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    motion = short("smile", slice(0, 2), tmp_path)
    empty = tmp_path / "empty.png"
    write_image(empty, np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(InputError, match=r"empty\.png: no face was found"):
        animate(empty, motion, tmp_path / "out.mp4", coarse())
    with VideoWriter(tmp_path / "grey.mp4", Fraction(25), 128, 128) as writer:
        for _ in range(3):
            writer.write(np.full((128, 128, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r"grey\.mp4: no face was found in its 3 frames"):
        animate(PHOTO, tmp_path / "grey.mp4", tmp_path / "out.mp4", coarse())
    with pytest.raises(InputError, match="nostrils"):
        animate(PHOTO, motion, tmp_path / "out.mp4", coarse(strength={"nostrils": 2.0}))
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("detail", ["none", "own"])
def test_predicted_dynamic_offsets_are_added_where_they_are_asked_for(detail: Detail) -> None:
    performance = Pipeline().prepare(PHOTO, PHOTO, coarse(detail=detail))
    both = (performance.target.dynamic_offset, performance.subject.require_reference().motion.dynamic_offset)
    for offset in both:
        assert (offset is not None) == (detail == "own")
        assert offset is None or (offset.shape[1] == len(open_head().base_neutral) and offset[-1].abs().max() > 5e-5)


def test_components_are_exchanged_and_called_in_order(tmp_path: Path) -> None:
    """A retargeter that keeps the driving head still, and a fitter that counts: both are asked once."""
    calls: list[str] = []

    def fitter(*args: Any, **options: Any) -> Subject:
        calls.append("fit")
        return fit_subject(*args, **options)

    def frozen(motion: Motion, subject: Subject, *args: Any, **options: Any) -> Motion:
        calls.append("retarget")
        own = subject.require_reference().motion
        return own[np.zeros(len(motion), int)].replace(clip=None, fps=motion.fps)

    pipeline = Pipeline(fitter=fitter, retargeter=frozen)
    motion = load_motion(short("smile", slice(0, 40, 20), tmp_path))
    frames = list(pipeline(PHOTO, motion, coarse(size=256)))
    assert calls == ["fit", "retarget"] and len(frames) == 2
    assert frames[0].shape == (256, 256, 3) and frames[0].dtype == torch.uint8
    assert torch.equal(frames[1], frames[0])


@pytest.mark.slow
def test_a_fitted_subject_is_a_source_and_the_driving_face_is_chosen_apart(tmp_path: Path) -> None:
    """A large face on the left and a small one on the right drive, each by its own number."""
    subject, photo = fit_subject(open_head(), [PHOTO], size=320), read_image(PHOTO)
    both = np.full((512, 912, 3), 120, np.uint8)
    both[:, :512], both[:400, 512:] = photo, resized(photo, 400)
    with VideoWriter(tmp_path / "two.mp4", Fraction(25), 912, 512) as writer:
        for _ in range(2):
            writer.write(both)
    places = []
    for face in (0, 1):
        options = coarse(tracking=TrackOptions(face=face, refine="none"))
        performance = Pipeline().prepare(subject, tmp_path / "two.mp4", options)
        places.append(float(performance.driving.translation[0, 0]))
    assert performance.subject is subject and places[0] < 0 < places[1]
    assert next(Pipeline()(subject, performance.driving, options)).shape == (320, 320, 3)
