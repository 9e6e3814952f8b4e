# SPDX-License-Identifier: Apache-2.0
"""Picture errors: torchmetrics' numbers on the frame, the mask's own pixels on a mask, no infinities."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from reenact.lab.evaluation.metrics.flip import Flip, flip_map
from reenact.lab.evaluation.metrics.image import PSNR_CAP_DB, ImageErrors, error_maps, psnr
from reenact.lab.evaluation.observe import DetectedFace, Image, ObservedFrame


def pictures(seed: int, strength: float) -> tuple[Image, Image]:
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(70, 90, 3)), axis=0), axis=1)
    truth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    output = truth + strength * rng.normal(size=truth.shape)
    return np.clip(output, 0, 255).astype(np.uint8), truth.astype(np.uint8)


def tensors(*images: Image) -> list[torch.Tensor]:
    return [torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255 for image in images]


def still(output: Image, truth: Image) -> ObservedFrame:
    real = DetectedFace(truth, None, None)
    return ObservedFrame(0, DetectedFace(output, None, None), real, real)


@pytest.mark.parametrize("strength", [1, 10, 60])
def test_the_frame_has_torchmetrics_numbers(strength: float) -> None:
    output, truth = pictures(1, strength)
    a, b = tensors(output, truth)
    absolute, squared, similar = error_maps(output, truth)
    assert psnr(float(squared.mean(dtype=float))) == pytest.approx(
        float(peak_signal_noise_ratio(a, b, data_range=1.0)), abs=1e-3
    )
    theirs = structural_similarity_index_measure(a, b, data_range=1.0)
    assert isinstance(theirs, torch.Tensor)
    assert float(similar.mean(dtype=float)) == pytest.approx(float(theirs), abs=1e-5)
    assert float(absolute.mean(dtype=float)) == pytest.approx(float((a - b).abs().mean()), abs=1e-6)


def test_identical_pictures_are_perfect_and_finite_and_a_grey_level_is_below_the_cap() -> None:
    _, truth = pictures(2, 0)
    metric = ImageErrors()
    metric.update(still(truth, truth))
    found = {value.about.key: value.mean for value in metric.values()}
    assert found["psnr/frame"] == PSNR_CAP_DB
    assert found["ssim/frame"] == pytest.approx(1, abs=1e-6)
    assert found["l1/frame"] == 0
    assert psnr(1 / 255**2) == pytest.approx(48.13, abs=0.01)
    assert psnr(0) == psnr(1e-9) == PSNR_CAP_DB


def test_a_mask_sees_its_own_pixels_only_and_no_face_is_unknown_not_zero() -> None:
    output, truth = pictures(3, 0)
    spoilt = output.copy()
    spoilt[:20] = 0  # far from the face below
    points = np.random.default_rng(0).uniform((30, 35), (60, 60), (478, 2)).astype(np.float32)
    real = DetectedFace(truth, points, None)
    metric = ImageErrors()
    metric.update(ObservedFrame(0, DetectedFace(spoilt, None, None), real, real))
    metric.update(still(spoilt, truth))
    found = {value.about.key: value for value in metric.values()}
    assert found["l1/face"].mean == 0 < found["l1/frame"].mean
    assert found["psnr/face"].series is not None
    assert np.isnan(found["psnr/face"].series).tolist() == [False, True]
    assert found["psnr/face"].to_json()["series"] == [PSNR_CAP_DB, None]


def test_pictures_of_different_size_are_refused() -> None:
    output, truth = pictures(4, 5)
    with pytest.raises(ValueError, match=r"\[70, 80, 3\]"):
        error_maps(output[:, :80], truth)


def test_flip_is_its_makers_mean_on_the_frame_and_looks_at_every_nth() -> None:
    import flip_evaluator

    output, truth = pictures(5, 20)
    _, theirs, _ = flip_evaluator.evaluate(
        truth.astype(np.float32) / 255, output.astype(np.float32) / 255, "LDR", True, False, True, {}
    )
    assert float(flip_map(output, truth).mean()) == pytest.approx(theirs, rel=1e-4)
    assert flip_map(truth, truth).max() == 0
    metric = Flip(every=2)
    for k in range(3):
        moment = still(output, truth)
        metric.update(ObservedFrame(k, moment.output, moment.driver, moment.truth))
    frame = metric.values()[0]
    assert frame.series is not None
    assert np.isfinite(frame.series).tolist() == [True, False, True]
    assert frame.about.every == 2
    assert frame.mean == pytest.approx(theirs, rel=1e-4)


def test_flip_looks_at_a_short_clip_more_than_once() -> None:
    """Of every sixteenth frame, a clip of half a second had but its first, which is the photo itself."""
    metric = Flip()
    for k in range(12):
        moment = still(*pictures(k, 20))
        metric.update(ObservedFrame(k, moment.output, moment.driver, moment.truth))
    series = metric.values()[0].series
    assert series is not None and np.isfinite(series).sum() == 3
