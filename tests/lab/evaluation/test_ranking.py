# SPDX-License-Identifier: Apache-2.0
"""The order of systems: standing still does not win, REAL does not compete, groups count alike."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scene import Scene, moments, watched

from reenact.lab.evaluation.folder import FORMAT
from reenact.lab.evaluation.observe import Counts
from reenact.lab.evaluation.ranking import ranking, ranking_table
from reenact.lab.evaluation.score import Extras, score_moments

BETTER = {"psnr/face": "higher", "csim_dlib": "higher", "jitter_ratio": "one", "aed_motion": "lower"}


def result(system: str, movement: float, **others: float) -> dict:
    """A result file's content; psnr_face=30 is the metric psnr/face."""
    means = {"movement": movement, **{k.replace("_face", "/face"): v for k, v in others.items()}}
    about = {
        key: {"better": BETTER.get(key, "one"), "units": "x", "extractor": "x", "mean": m} for key, m in means.items()
    }
    pair = {"name": "p", "protocol": "self", "motion_mode": "relative", "problem": None, "scores": {"values": about}}
    return {"format": FORMAT, "system": system, "pairs": [pair]}


def test_a_frozen_photo_comes_last_however_good_its_numbers() -> None:
    frozen = result("STATIC", 0.05, psnr_face=40, csim_dlib=1.0, jitter_ratio=1.0, aed_motion=0.0)
    moving = result("poor", 0.6, psnr_face=12, csim_dlib=0.3, jitter_ratio=3.0, aed_motion=0.4)
    real = result("REAL", 1.0, psnr_face=60, csim_dlib=0.8, jitter_ratio=1.0, aed_motion=0.0)
    places = ranking([frozen, real, moving], "self", "relative")
    assert [(p.system, p.rank) for p in places] == [("poor", 1), ("STATIC", None), ("REAL", None)]
    rows = ranking_table(places).splitlines()
    assert rows[2].startswith("| 1 | poor") and rows[3].startswith("| frozen | STATIC") and "ceiling" in rows[4]


def test_a_group_counts_once_however_many_metrics_it_has() -> None:
    """One is better in two pictures' metrics, the other in likeness and stability."""
    one = result("one", 1.0, psnr_face=30, ssim_face=0.9, csim_dlib=0.5, jitter_ratio=2.0)
    two = result("two", 1.0, psnr_face=20, ssim_face=0.8, csim_dlib=0.9, jitter_ratio=1.1)
    BETTER["ssim/face"] = "higher"
    assert [p.system for p in ranking([one, two], "self", "relative")] == ["two", "one"]


def test_ratios_are_ranked_by_how_far_they_are_from_one_either_way() -> None:
    timid, wild, right = (result(name, 1.0, jitter_ratio=r) for name, r in (("t", 0.5), ("w", 3.0), ("r", 1.2)))
    assert [p.system for p in ranking([timid, wild, right], "self", "relative")] == ["r", "t", "w"]


def test_what_only_one_system_has_does_not_count() -> None:
    one, two = result("one", 1.0, psnr_face=30), result("two", 1.0, psnr_face=31, csim_dlib=0.1)
    places = ranking([one, two], "self", "relative")
    assert places[0].system == "two" and "likeness" not in places[0].by_group


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["self", "cross"])
def test_static_is_not_first_on_real_scores_of_the_demo(scene: Scene, protocol: Literal["self", "cross"]) -> None:
    """Scored for real: the frozen first frame, and a blurred, late copy of the true video."""
    still = watched([scene.frames[0]] * len(scene.frames))
    late = [scene.frames[max(0, k - 1)] for k in range(len(scene.frames))]
    poor = watched([np.repeat(np.repeat(f[::3, ::3], 3, 0), 3, 1)[:256, :256].copy() for f in late])
    results = []
    for name, output in (("STATIC", still), ("poor", poor)):
        counts = Counts("30", (256, 256), (256, 256), (256, 256), None)
        with_truth = protocol == "self"
        scores = score_moments(
            moments(output, scene.seen, truth=with_truth), scene.frames[0], protocol, 10, counts,
            Extras(flip_every=8), has_truth=with_truth,
        )  # fmt: skip
        pair = {"name": "p", "protocol": protocol, "motion_mode": "relative", "scores": scores.to_json()}
        results.append({"system": name, "pairs": [pair]})
    static, moving = (r["pairs"][0]["scores"]["values"] for r in results)
    assert static["csim_dlib"]["mean"] > moving["csim_dlib"]["mean"]
    assert [p.system for p in ranking(results, protocol, "relative")] == ["poor", "STATIC"]
