# SPDX-License-Identifier: Apache-2.0
"""The Frechet distance on Gaussians whose distance is known, and a user's network in it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scene import Scene, moments
from scipy.linalg import sqrtm

from reenact.lab.evaluation.metrics.frechet import Frechet, NetworkFeatures, frechet_distance, frechet_of_features
from reenact.media import InputError


def covariance(seed: int, size: int = 5) -> np.ndarray:
    a = np.random.default_rng(seed).normal(size=(size, size + 2))
    return a @ a.T


def test_known_distances() -> None:
    rng = np.random.default_rng(0)
    mean, other = rng.normal(size=(2, 5))
    a, b = covariance(1), covariance(2)
    assert frechet_distance(mean, a, mean, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(mean, a, other, a) == pytest.approx(((mean - other) ** 2).sum())
    # of one dimension: difference of means and of standard deviations
    one = [np.asarray([x]) for x in (1.0, 4.0)]
    assert frechet_distance(one[0], np.asarray([[9.0]]), one[1], np.asarray([[0.25]])) == pytest.approx(9 + 2.5**2)
    direct = ((mean - other) ** 2).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert frechet_distance(mean, a, other, b) == pytest.approx(direct)
    assert frechet_distance(other, b, mean, a) == pytest.approx(direct)


def test_singular_covariances_have_a_distance() -> None:
    flat = np.diag([4.0, 0, 0])
    assert frechet_distance(np.zeros(3), flat, np.zeros(3), np.diag([1.0, 9, 0])) == pytest.approx(1 + 9)


def test_samples_approach_the_distance_of_their_gaussians() -> None:
    rng = np.random.default_rng(3)
    a, b = covariance(1), covariance(2)
    samples = [rng.multivariate_normal(np.zeros(5), c, 20_000) for c in (a, b)]
    exact = frechet_distance(np.zeros(5), a, np.zeros(5), b)
    assert frechet_of_features(*samples) == pytest.approx(exact, rel=0.05)
    with pytest.raises(ValueError, match="got 1 and 20000"):
        frechet_of_features(samples[0][:1], samples[1])


class Means(torch.nn.Module):
    """A clip network: mean colour, and how it changes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(dim=(3, 4))
        return torch.cat([mean.mean(dim=2), mean[:, :, -1] - mean[:, :, 0]], dim=1)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_users_network_reads_windows_of_both_videos(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "means.pt"
    torch.jit.script(Means()).save(str(path))
    network = NetworkFeatures(path, frames=6, size=32)
    darker = [type(s)((s.image * 0.8).astype(np.uint8), s.points, s.points_68) for s in scene.seen]
    same, dark = Frechet(network), Frechet(network)
    for metric, output in ((same, scene.seen), (dark, darker)):
        for moment in moments(output, scene.seen):
            metric.update(moment)
    assert [f.shape for f in same.features[0]] == [(6,)] * 3
    assert same.values()[0].mean == pytest.approx(0, abs=1e-9)
    assert dark.values()[0].mean > 1e-3
    assert dark.values()[0].beside == {"windows": 3}
    assert "means.pt" in dark.values()[0].about.extractor
    assert len(dark.values()[0].about.weights_sha256 or "") == 64


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_network_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.pt"):
        NetworkFeatures(tmp_path / "nothing.pt")
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"no network")
    with pytest.raises(InputError, match="no TorchScript network"):
        NetworkFeatures(broken)
