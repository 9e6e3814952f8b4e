# SPDX-License-Identifier: Apache-2.0
"""Pseudo-labels of photographs: a synthetic portrait, whose truth is known, is taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from reenact.lab.synthetic import SyntheticFrames, random_scene, render_portraits, still_state, synthetic_person
from reenact.lab.training.data.dense_photographs import prepare_dense_photographs, sources_in
from reenact.lab.training.data.portraits import HELD_OUT_SEED, class_table
from reenact.lab.training.dense_loss import UNKNOWN
from reenact.media import InputError
from reenact.perception.dense.network import CLASSES, FACE
from reenact.perception.dense.shipped import WEIGHTS

SIDE = 256
EYES, LIPS = CLASSES.index("eyes"), CLASSES.index("lips")


@pytest.fixture(scope="module")
def portrait() -> SyntheticFrames:
    person, scene = synthetic_person(HELD_OUT_SEED + 60), random_scene(HELD_OUT_SEED + 60)
    return render_portraits([person], still_state(person, scene), [scene], SIDE)


@pytest.fixture(scope="module")
def folder(portrait: SyntheticFrames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait cut close above the forehead, a picture without a face, and a text."""
    folder = tmp_path_factory.mktemp("photographs")
    Image.fromarray(portrait.images[0][40:]).save(folder / "a.png")
    Image.fromarray(np.full((80, 80, 3), 128, np.uint8)).save(folder / "nobody.png")
    (folder / "note.txt").write_text("no picture")
    return folder


def test_a_photograph_is_labelled_where_its_looks_agree(
    portrait: SyntheticFrames, folder: Path, tmp_path: Path
) -> None:
    sources = sources_in([folder])
    assert [path.name for path in sources] == ["a.png", "nobody.png"]
    (shard,) = prepare_dense_photographs(tmp_path, sources, 3, SIDE, WEIGHTS, lambda *a: None)
    found = load_file(shard)
    assert found["images"].shape == (1, SIDE, SIDE, 3) and found["person"].tolist() == [0]
    label, certainty = found["classes"][0], found["certainty"][0]
    truth = np.where(np.isfinite(portrait.depth[0]), class_table()[portrait.labels[0]], 0)
    # Above the picture's edge nothing is known.
    above = (found["images"][0] == found["images"][0, :1]).all((1, 2))
    assert above.sum() > 10 and (label[above] == UNKNOWN).all() and not certainty[above].any()
    # The shares of what landmarks draw are the truth's, up to rims and the scale of the crop.
    face = np.isin(label, FACE)
    for name in (EYES, LIPS):
        assert 0.4 < ((label == name).sum() / face.sum()) / ((truth == name).sum() / np.isin(truth, FACE).sum()) < 1.3
    normals = found["normals"][0].astype(float) / 127
    sure = face & (certainty > 128)
    assert sure.sum() > 0.4 * face.sum()
    np.testing.assert_allclose(np.linalg.norm(normals[sure], axis=-1), 1.0, atol=0.02)
    columns = np.nonzero(sure)[1]
    assert np.corrcoef(normals[sure][:, 0], columns)[0, 1] > 0.7  # a face is round
    before = shard.stat().st_mtime_ns
    prepare_dense_photographs(tmp_path, sources, 3, SIDE, WEIGHTS, lambda *a: None)
    assert shard.stat().st_mtime_ns == before  # what is there is kept


def test_a_teacher_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="note"):
        prepare_dense_photographs(tmp_path, sources_in([folder]), 1, SIDE, folder / "note.txt", lambda *a: None)
