# SPDX-License-Identifier: Apache-2.0
"""Faces labelled by eye: the table, and what its rows show."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reenact.head.arkit import ACTIONS, index
from reenact.lab.evaluation.protocol import validation_people
from reenact.lab.training.data.expression_labels import LabelledFace, picture_of, read_labels
from reenact.media import InputError, VideoWriter, read_image, write_image
from reenact.media.files import asset

DEMO = asset("demo/astronaut.jpg")


def test_the_table_labels_both_sides_and_splits_by_person() -> None:
    faces = read_labels()
    frown = [f for f in faces if f.file.endswith("alp_d8.mp4") and f.frame == 120]
    assert len(frown) == 1 and frown[0].split == "train"
    assert frown[0].codes[index("browDownLeft")] == frown[0].codes[index("browDownRight")] == 1.0
    assert frown[0].codes[index("mouthSmileLeft")] == 0.0 and np.isnan(frown[0].codes[index("jawOpen")])
    files = {split: {f.file for f in faces if f.split == split} for split in ("train", "held")}
    assert len(files["held"]) > 80 and not files["train"] & files["held"]
    assert len({(f.file, f.frame) for f in faces}) == len(faces)


def test_no_validation_person_is_learnt_from() -> None:
    apart = {name for person in validation_people() for name in (*person.clips, *person.photos)}
    assert not apart & {Path(f.file).name for f in read_labels()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("split,file,frame,browDwn\ntrain,a.jpg,,1\n", "browDwn"),
        ("split,file,frame,browDown\ntrain,a.jpg,,2\n", "'2' in line 2"),
        ("split,file,frame,browDown\ntrain,a.jpg,,much\n", "'much' in line 2"),
        ("split,file,frame,browDown\nhold,a.jpg,,1\n", "split 'hold' in line 2"),
        ("split,file,frame,browDown\ntrain,a.mp4,-3,1\n", "frame '-3' in line 2"),
        ("file,frame,browDown\na.mp4,3,1\n", "no column 'split'"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_labels(path)


def test_the_labelled_picture_and_frame_are_shown(tmp_path: Path) -> None:
    photo = np.asarray(read_image(DEMO), np.uint8)[:128, :128]
    write_image(tmp_path / "photo.png", photo)
    with VideoWriter(tmp_path / "clip.mp4", Fraction(10), 128, 128) as writer:
        for shown in (np.zeros_like(photo), photo, np.zeros_like(photo)):
            writer.write(np.ascontiguousarray(shown))
    codes = np.full(len(ACTIONS), np.nan, np.float32)
    np.testing.assert_array_equal(picture_of(LabelledFace("train", "photo.png", None, codes), tmp_path), photo)
    frame = picture_of(LabelledFace("train", "clip.mp4", 1, codes), tmp_path)
    assert np.abs(frame.astype(float) - photo).mean() < 5
    for file, number, said in (("clip.mp4", 7, r"clip\.mp4 has no frame 7"), ("other.jpg", None, r"other\.jpg")):
        with pytest.raises(InputError, match=said):
            picture_of(LabelledFace("train", file, number, codes), tmp_path)
