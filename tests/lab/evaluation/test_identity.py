# SPDX-License-Identifier: Apache-2.0
"""Whose face it is: the photo's own is 1, windows show drift, leakage stands beside how alike the two people are."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import Scene, moments

from reenact.lab.evaluation.metrics.base import Absent
from reenact.lab.evaluation.metrics.identity import DlibIdentity, Identity, cosine
from reenact.lab.evaluation.metrics.identity_networks import (
    ARCFACE_POINTS,
    OnnxIdentity,
    aligned_112,
    five_points,
    similarity,
)
from reenact.lab.evaluation.observe import Image
from reenact.media import InputError


@given(st.floats(-3, 3), st.floats(0.2, 5), st.floats(-100, 100), st.floats(-100, 100))
def test_a_similarity_is_found_exactly(turn: float, zoom: float, x: float, y: float) -> None:
    points = np.random.default_rng(0).normal(size=(7, 2)) * 20
    matrix = zoom * np.asarray([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = similarity(points, points @ matrix.T + (x, y))
    np.testing.assert_allclose(found, np.concatenate([matrix, [[x], [y]]], axis=1), atol=1e-6)


def test_arcface_gets_eyes_nose_and_mouth_where_it_wants_them(scene: Scene) -> None:
    points = scene.seen[0].points_68
    assert points is not None
    matrix = similarity(five_points(points), ARCFACE_POINTS)
    placed = five_points(points) @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(placed - ARCFACE_POINTS).max() < 6
    assert aligned_112(scene.photo, points).shape == (112, 112, 3)


class Colour:
    """An identity network whose answer is known: the picture's mean colour."""

    key, name, weights_sha256 = "colour", "mean colour", None

    def __call__(self, image: Image, points_68: np.ndarray) -> np.ndarray:
        return image.reshape(-1, 3).mean(axis=0)


def identity(scene: Scene, output: list[Image], mode: str, driver: list[Image] | None = None) -> Identity:
    metric = Identity(Colour(), scene.photo, 8, mode, every=2)
    seen = [type(s)(image, s.points, s.points_68) for s, image in zip(scene.seen, output, strict=True)]
    real = (
        scene.seen if driver is None else [type(s)(i, s.points, s.points_68) for s, i in zip(seen, driver, strict=True)]
    )
    for moment in moments(seen, real, truth=mode == "self"):
        metric.update(moment)
    return metric


def test_windows_show_a_drift_that_the_mean_hides(scene: Scene) -> None:
    tint = np.linspace(0, 1, len(scene.seen))
    output = [np.clip(scene.photo * [1, 1 - t, 1 - t], 0, 255).astype(np.uint8) for t in tint]
    found = {v.about.name: v for v in identity(scene, output, "self").values()}
    csim = found["csim_colour"]
    assert csim.windows is not None
    assert len(csim.windows) == 3
    assert csim.windows[0] > 0.98 > csim.windows[1] > csim.windows[2]
    assert found["csim_drift_colour"].mean == pytest.approx(csim.windows[2] - csim.windows[0])
    assert csim.series is not None
    assert np.isfinite(csim.series).tolist() == [k % 2 == 0 for k in range(len(scene.seen))]
    assert "leakage_colour" not in found


def test_leakage_grows_with_the_drivers_share_and_says_how_alike_they_are(scene: Scene) -> None:
    driver = [np.full_like(scene.photo, (20, 40, 200))] * len(scene.seen)
    found = []
    for share in (0.0, 0.5):
        mixed = [((1 - share) * scene.photo + share * d).astype(np.uint8) for d in driver]
        metric = identity(scene, mixed, "cross", driver)
        assert metric.absent() == {}
        found.append({v.about.name: v for v in metric.values()})
    leaks = [f["leakage_colour"].mean for f in found]
    assert leaks == sorted(leaks)
    assert leaks[0] == pytest.approx(found[0]["leakage_colour"].beside["photo_to_driver"], abs=1e-4)
    assert leaks[1] > leaks[0] + 0.05
    assert "one person" in identity(scene, scene.frames, "self").absent()["leakage_colour"]


def test_dlib_knows_the_photo_from_itself_and_from_no_face(scene: Scene) -> None:
    network, points = DlibIdentity(), scene.seen[0].points_68
    assert points is not None
    own = network(scene.seen[0].image, points)
    assert own.shape == (128,)
    assert cosine(own, network(scene.seen[0].image, points)) == pytest.approx(1)
    mirrored = network(scene.seen[0].image[::-1, :].copy(), points)  # upside down: no face is there
    assert cosine(own, mirrored) < 0.9
    with pytest.raises(Absent, match="no face in the photo"):
        Identity(network, np.full((128, 128, 3), 90, np.uint8), 8, "self")


def test_a_users_onnx_network_is_fed_as_arcface(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "arc.onnx"
    with pytest.raises(InputError, match=r"arc\.onnx"):
        OnnxIdentity(path)
    path.write_bytes(b"network")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        OnnxIdentity(path)

    class Session:
        def __init__(self, file: str, options: object, providers: list[str]) -> None:
            assert file == str(path)

        def get_inputs(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(name="data")]

        def run(self, wanted: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            x = feed["data"]
            assert (x.shape, x.dtype) == ((1, 3, 112, 112), np.dtype(np.float32))
            assert -1 <= x.min() < 0 < x.max() <= 1
            return [x.mean(axis=(2, 3))]

    fake = ModuleType("onnxruntime")
    fake.__dict__.update(SessionOptions=SimpleNamespace, InferenceSession=Session)
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    points = scene.seen[0].points_68
    assert points is not None
    network = OnnxIdentity(path)
    assert (network.key, len(network.weights_sha256 or "")) == ("arc", 64)
    expected = aligned_112(scene.photo, points).reshape(-1, 3).mean(axis=0) / 127.5 - 1
    np.testing.assert_allclose(network(scene.photo, points), expected, atol=1e-5)
