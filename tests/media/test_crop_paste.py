# SPDX-License-Identifier: Apache-2.0
"""Cutting out and putting back: exact where it can be, smooth where it cannot, untouched elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reenact.media import SquareCrop, paste_back

CROPS = st.builds(
    SquareCrop,
    x0=st.floats(-300, 300),
    y0=st.floats(-300, 300),
    size=st.floats(8, 500),
    output_px=st.integers(8, 96),
)
RNG = np.random.default_rng(1)


def ramp(height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3]: red is half the x, green half the y coordinate of the pixel's centre, in px."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.rint(np.stack((x / 2, y / 2, np.full_like(x, 99)), axis=-1)).astype(np.uint8)


def noise(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(crop=CROPS, points=st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1))
def test_coordinates_go_there_and_back(crop: SquareCrop, points: list[tuple[float, float]]) -> None:
    there = np.array(points)
    assert np.allclose(crop.to_image(crop.to_crop(there)), there, atol=1e-8)
    assert np.allclose(crop.to_crop(crop.to_image(there)), there, atol=1e-8)
    corners = crop.to_image(np.array([[0, 0], [crop.output_px, crop.output_px]]))
    assert np.allclose(corners, [[crop.x0, crop.y0], [crop.x0 + crop.size, crop.y0 + crop.size]])


@pytest.mark.parametrize(("x0", "y0"), [(0, 0), (7, 13), (-20, 5), (60, 50), (-200, -200)])
def test_whole_offsets_at_scale_one_copy_pixels(x0: int, y0: int) -> None:
    img = noise(70, 90)
    got = SquareCrop(x0, y0, 48, 48).extract(img)
    y, x = np.mgrid[y0 : y0 + 48, x0 : x0 + 48]
    assert np.array_equal(got, img[np.clip(y, 0, 69), np.clip(x, 0, 89)])


@settings(max_examples=40, deadline=None)
@given(x0=st.floats(20, 200), y0=st.floats(20, 200), size=st.floats(20, 250), output_px=st.integers(8, 300))
def test_extract_and_to_image_agree_on_where_things_are(x0: float, y0: float, size: float, output_px: int) -> None:
    """On a linear ramp every symmetric filter gives the value at the pixel's centre."""
    crop = SquareCrop(x0, y0, size, output_px)
    got = crop.extract(ramp(480, 480)).astype(float)
    y, x = np.mgrid[:output_px, :output_px] + 0.5
    centres = crop.to_image(np.stack((x, y), axis=-1))
    assert np.abs(got[..., :2] - centres / 2).max() <= 1.01  # two roundings to 8 bits
    assert (got[..., 2] == 99).all()


def test_shrinking_does_not_alias() -> None:
    y, x = np.mgrid[:400, :400]
    board = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    for output_px in (100, 77, 31):
        got = SquareCrop(3.3, 5.7, 390, output_px).extract(board).astype(int)
        assert np.abs(got - 127).max() <= 10


@settings(max_examples=40, deadline=None)
@given(crop=CROPS)
def test_only_pixels_inside_the_crop_and_the_mask_change(crop: SquareCrop) -> None:
    full = noise(120, 160)
    before = full.copy()
    mask = np.zeros((crop.output_px, crop.output_px), np.float32)
    assert np.array_equal(paste_back(full, noise(crop.output_px, crop.output_px), crop, mask), full)
    pasted = paste_back(full, noise(crop.output_px, crop.output_px), crop, mask + 1)
    y, x = np.mgrid[:120, :160]
    outside = (x + 1 <= crop.x0) | (y + 1 <= crop.y0) | (x >= crop.x0 + crop.size) | (y >= crop.y0 + crop.size)
    assert np.array_equal(pasted[outside], full[outside])
    assert np.array_equal(full, before)


@pytest.mark.parametrize("x0", [-30, 0, 11])
def test_at_scale_one_a_full_mask_puts_pixels_back_exactly(x0: int) -> None:
    full, patch = noise(100, 120), noise(64, 64)
    crop = SquareCrop(x0, 20, 64, 64)
    pasted = paste_back(full, patch, crop, np.ones((64, 64), np.float32))
    assert np.array_equal(crop.extract(pasted)[:, max(0, -x0) :], patch[:, max(0, -x0) :])


@settings(max_examples=40, deadline=None)
@given(x0=st.floats(-40, 200), y0=st.floats(-40, 200), size=st.floats(40, 300), output_px=st.integers(40, 200))
def test_what_is_put_back_unchanged_cannot_be_seen(x0: float, y0: float, size: float, output_px: int) -> None:
    full = ramp(260, 260)
    crop = SquareCrop(x0, y0, size, output_px)
    pasted = paste_back(full, crop.extract(full), crop)
    inside = (slice(8, -8), slice(8, -8))  # the edge repetition outside the image bends the ramp at its border
    assert np.abs(pasted.astype(int) - full)[inside].max() <= 2


def test_without_a_mask_the_seam_is_soft_inside_and_absent_at_the_border() -> None:
    full = np.zeros((200, 200, 3), np.uint8)
    patch = np.full((100, 100, 3), 240, np.uint8)
    middle = paste_back(full, patch, SquareCrop(40.5, 30.25, 120, 100)).astype(int)
    assert middle.max() == 240
    for axis in (0, 1):
        assert np.abs(np.diff(middle, axis=axis)).max() < 80
    corner = paste_back(full, patch, SquareCrop(0, 0, 100, 100))
    assert (corner[0, :90] == 240).all() and (corner[:90, 0] == 240).all()
    assert (paste_back(full[:100, :100], patch, SquareCrop(0, 0, 100, 100)) == 240).all()


def test_wrong_shapes_are_refused() -> None:
    crop, full = SquareCrop(0, 0, 50, 40), noise(60, 60)
    with pytest.raises(ValueError, match=r"\[40, 40, 3\]"):
        paste_back(full, noise(50, 50), crop)
    with pytest.raises(ValueError, match=r"\[40, 40\]"):
        paste_back(full, noise(40, 40), crop, np.ones((50, 50)))
    for size, output_px in ((0.0, 10), (-1.0, 10), (float("nan"), 10), (5.0, 0)):
        with pytest.raises(ValueError, match="positive"):
            SquareCrop(0, 0, size, output_px)
