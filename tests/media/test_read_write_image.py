# SPDX-License-Identifier: Apache-2.0
"""Photos of every kind become upright 8-bit RGB; what is none is named."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from reenact.media import InputError, read_image, write_image

HEIGHT, WIDTH = 80, 100
ORIENTATION = 0x0112


def photo() -> np.ndarray:
    """uint8 [80, 100, 3] without any symmetry."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack((x * 2, y * 3, (x + y) % 256), axis=-1).astype(np.uint8)


def encoded(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo()).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    # How a camera held that way stores the upright picture (EXIF 2.3, 4.6.4).
    upright = photo()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), upright)


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[:, 30:60], alpha[:, 60:] = 128, 255
    rgba = np.dstack((photo(), alpha))
    wanted = np.rint(255 + (photo().astype(float) - 255) * (alpha[..., None] / 255))
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert np.abs(read_image(tmp_path / "a.png") - wanted).max() <= 1
    grey = Image.fromarray(rgba).convert("LA")
    grey.save(tmp_path / "b.png")
    assert (read_image(tmp_path / "b.png")[:, :30] == 255).all()


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.fromarray((np.arange(HEIGHT * WIDTH) % 3).astype(np.uint8).reshape(HEIGHT, WIDTH), "P")
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 0, 0])
    image.save(tmp_path / "a.png", transparency=2)
    got = read_image(tmp_path / "a.png").reshape(-1, 3)[:3]
    assert got.tolist() == [[10, 20, 30], [200, 100, 50], [255, 255, 255]]


def test_16_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        got = read_image(tmp_path / name)
        assert got.dtype == np.uint8 and got.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(got - values[..., None] / 257.0).max() <= 0.51


def test_grey_bilevel_cmyk_and_float(tmp_path: Path) -> None:
    grey = photo()[..., 0]
    Image.fromarray(grey).save(tmp_path / "l.png")
    assert (read_image(tmp_path / "l.png") == grey[..., None]).all()
    Image.fromarray(grey > 100).save(tmp_path / "1.png")
    assert (read_image(tmp_path / "1.png") == (grey > 100)[..., None] * 255).all()
    Image.fromarray(grey.astype(np.float32) / 255).save(tmp_path / "f.tif")
    assert (read_image(tmp_path / "f.tif") == grey[..., None]).all()
    Image.fromarray(photo()).convert("CMYK").save(tmp_path / "cmyk.tif")
    assert np.abs(read_image(tmp_path / "cmyk.tif").astype(int) - photo()).max() <= 2


def test_an_embedded_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    """sRGB with its red and green primaries exchanged: a well-formed profile of another space."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    profile = bytes(data).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))
    Image.fromarray(photo()).save(tmp_path / "a.png", icc_profile=profile)
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - photo()[..., [1, 0, 2]]).max() <= 3
    Image.fromarray(photo()).save(tmp_path / "b.png", icc_profile=b"no profile at all")
    assert np.array_equal(read_image(tmp_path / "b.png"), photo())


@settings(max_examples=120, deadline=None)
@given(
    form=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]),
    cut=st.floats(0.01, 1.0),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=12),
)
def test_damage_gives_a_picture_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, form: str, cut: float, changes: list[tuple[float, int]]
) -> None:
    data = bytearray(encoded(form))
    data = data[: max(1, int(len(data) * cut))]
    for place, value in changes:
        data[int(place * len(data))] = value
    path = tmp_path_factory.getbasetemp() / "damaged.img"
    path.write_bytes(data)
    try:
        img = read_image(path)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert img.dtype == np.uint8 and img.ndim == 3 and img.shape[2] == 3


def test_what_is_no_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "half.jpg").write_bytes(encoded("JPEG")[: len(encoded("JPEG")) // 2])
    Image.fromarray(photo()[:63]).save(tmp_path / "small.png")
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    (tmp_path / "bomb.png").write_bytes(bomb + struct.pack(">II", zlib.crc32(b"IHDR" + header), 0) + b"IDAT")
    for name, found in [
        ("text.jpg", "not an image"),
        ("empty.jpg", "empty"),
        ("half.jpg", "truncated"),
        ("small.png", "100 x 63 px"),
        ("bomb.png", "178 megapixels"),
        ("missing.png", "does not exist"),
        (".", "is a folder"),
    ]:
        with pytest.raises(InputError, match=found) as caught:
            read_image(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and str(caught.value).endswith("wanted.")


def test_written_pictures_come_back(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", photo())
    assert np.array_equal(read_image(tmp_path / "a.png"), photo())
    for name in ("a.jpg", "a.webp"):
        write_image(tmp_path / name, photo())
        assert np.abs(read_image(tmp_path / name).astype(int) - photo()).mean() < 4
    with pytest.raises(InputError, match="wanted"):
        write_image(tmp_path / "a.txt", photo())
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "b.png", photo().astype(np.float32))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.jpg", "a.png", "a.webp"]


def test_a_failed_write_leaves_the_old_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    write_image(path, photo())
    before = path.read_bytes()
    with pytest.raises(ValueError):  # WebP holds at most 16,383 pixels a side
        write_image(path, np.zeros((64, 20_000, 3), np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
