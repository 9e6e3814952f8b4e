# SPDX-License-Identifier: Apache-2.0
"""Manifests, the fixed validation people, the baselines, and the tables' arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reenact.lab.evaluation.protocol import load_manifest, save_manifest, validation_manifest, validation_people
from reenact.lab.evaluation.summary import comparison, difference, mean_over_pairs, problems, table
from reenact.lab.evaluation.systems import static, warp_2d
from reenact.media import InputError


def test_twelve_people_of_whom_seven_have_clips() -> None:
    people = validation_people()
    files = [name for p in people for name in (*p.clips, *p.photos)]
    assert len(people) == len({p.person for p in people}) == 12
    assert sum(bool(p.clips) for p in people) >= 6
    assert len(set(files)) == len(files) and all(p.clips or p.photos for p in people)


@pytest.mark.parametrize("protocol", ["self", "cross"])
def test_a_manifest_survives_its_file(protocol, tmp_path: Path) -> None:
    manifest = validation_manifest(protocol)
    save_manifest(manifest, tmp_path / "m.json")
    assert load_manifest(tmp_path / "m.json") == manifest
    for pair in manifest.pairs:
        assert (pair.person == pair.driver_person) == (protocol == "self") == pair.is_self


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c | {"format": "other"}, "no reenact-manifest"),
        (lambda c: c | {"pairs": []}, "want at least one"),
        (lambda c: c | {"pairs": c["pairs"][:1] * 2}, "each its own"),
        (lambda c: {k: v for k, v in c.items() if k != "frames"}, "complete"),
        (lambda c: c | {"pairs": [{"name": "x"}]}, "complete"),
    ],
)
def test_a_broken_manifest_is_refused_by_name(change, says: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    save_manifest(validation_manifest("self"), path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=says) as error:
        load_manifest(path)
    assert "m.json" in str(error.value)


def picture() -> np.ndarray:
    y, x = np.mgrid[0:96, 0:96]
    return np.stack([2 * x, 2 * y, 128 + 0 * x], axis=-1).astype(np.uint8)


POINTS: NDArray[np.float64] = np.asarray([[30.0, 30.0], [60.0, 30.0], [45.0, 45.0], [30.0, 60.0], [60.0, 60.0]])


def test_a_frozen_photo_is_the_photo() -> None:
    frames = list(static(picture(), 3))
    assert len(frames) == 3 and all((frame == picture()).all() for frame in frames)


@pytest.mark.parametrize("absolute", [True, False])
def test_a_flat_warp_moves_landmarks_to_where_they_are_wanted(absolute: bool) -> None:
    moved = POINTS.copy()
    moved[2] += (6.0, -4.0)
    found: list[np.ndarray | None] = [POINTS, moved, None]
    first, second, lost = warp_2d(picture(), POINTS, found, absolute=absolute)
    np.testing.assert_array_equal(first, picture())
    x, y = (moved[2] - 0.5).astype(int)
    np.testing.assert_allclose(second[y, x, :2], 2 * POINTS[2], atol=5)
    np.testing.assert_array_equal(lost, second)
    np.testing.assert_array_equal(second[[0, -1]], picture()[[0, -1]])


def test_relative_warp_takes_motion_in_the_photos_own_size() -> None:
    driver = 2.0 * POINTS  # a face twice as large
    moved: NDArray[np.float64] = driver.copy()
    moved[2] += (12.0, -8.0)
    one = list(warp_2d(picture(), POINTS, [driver, moved], absolute=False))[1]
    half = POINTS.copy()
    half[2] += (6.0, -4.0)
    np.testing.assert_array_equal(one, list(warp_2d(picture(), POINTS, [POINTS, half], absolute=False))[1])


def result(system: str, numbers: list[float | None], metric: str = "psnr/face") -> dict:
    value = {"better": "higher", "units": "dB", "extractor": "x"}
    pairs = [
        {
            "name": f"p{i}", "protocol": "self", "motion_mode": "relative",
            "problem": None if n is not None else "no video named p in videos",
            "scores": None if n is None else {"values": {metric: value | {"mean": n}}, "measured_on": {"notes": []}},
        }
        for i, n in enumerate(numbers)
    ]  # fmt: skip
    return {"system": system, "manifest": "m", "pairs": pairs}


def test_intervals_hold_the_mean_within_an_interval_that_shrinks() -> None:
    rng = np.random.default_rng(0)
    few, many = mean_over_pairs(rng.normal(5, 1, 8).tolist()), mean_over_pairs(rng.normal(5, 1, 800).tolist())
    for c in (few, many):
        assert c.low < c.mean < c.high
    assert many.high - many.low < 0.3 * (few.high - few.low)


def test_a_paired_difference_sees_what_the_means_hide() -> None:
    """Pairs differ far more from each other than the systems do."""
    base = {f"p{i}": 10.0 * i for i in range(12)}
    better = {name: value + 0.5 + 0.01 * i for i, (name, value) in enumerate(base.items())}
    gap, p = difference(base, better)
    assert gap.low > 0.4 and p < 0.01 and gap.pairs == 12
    same, p = difference(base, base)
    assert same.mean == 0.0 and np.isnan(p)


def test_tables_name_what_is_missing() -> None:
    results = [result("ours", [20.0, 22.0, None]), result("theirs", [None, None, None])]
    lines = table(results, "self", "relative").splitlines()
    assert "psnr/face up" in lines[0] and "21.000" in lines[2] and lines[3].endswith("| 0 | - |")
    assert problems(results).count("no video named") == 4
    assert "+1.0000" in comparison(results[0], result("later", [21.0, 23.0, 1.0]), "self", "relative")
