# SPDX-License-Identifier: Apache-2.0
"""Photographs and clips of real people with pseudo-labels, for the self-training of the dense network.

A teacher, which is the network as trained on synthetic portraits, looks at each crop mirrored and at three scales. What
it says of all of them alike is a label, what it says of some is unknown (consistency of augmented predictions as in Xie
et al. 2020, "Noisy student", arXiv 1911.04252). Landmarks tell eyes, lips and mouths better than it does, and selfie
segmentation the background.

A shard is a safetensors file as in portraits.py; person is the number of the source, classes has UNKNOWN, and beside

    certainty  uint8 [N, S, S]  255 x how much the teacher's looks agree about the normal; 0 where they do not
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import affine_grid, grid_sample

from reenact.head.landmarks import INNER_LIPS, LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS
from reenact.head.open import open_head
from reenact.lab.training.dense_loss import UNKNOWN
from reenact.lab.workers import Arrays, prepare_shards
from reenact.media import InputError, SquareCrop, probe, read_frames, read_image
from reenact.media.image import IMAGE_SUFFIXES
from reenact.media.progress import Progress, silent
from reenact.media.video import VIDEO_SUFFIXES
from reenact.perception.dense.maps import View
from reenact.perception.dense.network import CLASSES, FACE, DenseNet
from reenact.perception.dense.shipped import load_dense
from reenact.perception.efficientnet import fused
from reenact.perception.person_mask import person_mask
from reenact.subject.source import read_source
from reenact.tracking import TrackOptions

Image = NDArray[np.uint8]
_SOURCES: Final = 40  # a shard
_LOOKS: Final = (0.9, 1.0, 1.15)
"""Sides of the looks' squares, in sides of the crop."""
_AGREED: Final = (0.97, 0.995)
"""Length of the mean of unit normals at which certainty is 0 and 1: spreads of 14 and 6 degrees."""
_SURE: Final = 0.75
"""Mean probability of a class from which it is a label."""
_NOBODY, _SOMEBODY = 0.05, 0.9
"""Probabilities of a person below which a pixel is background, and above which it is none."""


def prepare_dense_photographs(
    out: Path, sources: Sequence[Path], each: int, size: int, teacher: Path, progress: Progress, jobs: int = 1
) -> list[Path]:
    """Label photographs, and `each` frames of every clip, and return the shards; those that exist are kept.

    Sources in which no face is found are left out.

    Raises:
        InputError: the teacher cannot be read.
    """
    load_dense(teacher)
    numbered = list(enumerate(sources))
    starts = range(0, len(sources), _SOURCES)
    shards = {out / f"photographs-{i:05d}x{each}-{size}px.safetensors": numbered[i : i + _SOURCES] for i in starts}
    return prepare_shards(partial(_labelled, each, size, teacher), shards, jobs, "labelling photographs", progress)


def sources_in(folders: Sequence[Path]) -> list[Path]:
    """Return the pictures and videos of folders, sorted."""
    suffixes = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    return sorted(path for folder in folders for path in folder.iterdir() if path.suffix.lower() in suffixes)


def _labelled(each: int, size: int, teacher: Path, sources: Sequence[tuple[int, Path]]) -> Iterator[Arrays]:
    net = fused(load_dense(teacher))
    for number, path in sources:
        for picture in _pictures(path, each):
            with suppress(InputError):
                source = read_source(open_head(), picture, TrackOptions(), silent)
                (view,) = source.views(np.zeros(1, int), size)
                yield {**_labels(net, view, source.points[0]), "person": np.asarray([number], np.int32)}


def _pictures(path: Path, each: int) -> Iterator[Image]:
    """Yield a photograph, or frames of a clip at equal distances."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        yield np.asarray(read_image(path), np.uint8)
        return
    info = probe(path)
    count = sum(1 for _ in read_frames(info))
    wanted = set(np.linspace(0, count - 1, min(each, count)).astype(int).tolist())
    yield from (frame.image for frame in read_frames(info) if frame.index in wanted)


def _labels(net: DenseNet, view: View, points: NDArray[np.floating]) -> Arrays:
    """Label one crop: rows of a shard, without the person."""
    normals, depth, classes = _mean_looks(net, view)
    length = np.linalg.norm(normals, axis=2)
    inside = view.inside(len(length))
    certainty = inside * np.clip((length - _AGREED[0]) / (_AGREED[1] - _AGREED[0]), 0.0, 1.0)
    label = np.where(inside & (classes.max(2) > _SURE), classes.argmax(2), UNKNOWN).astype(np.uint8)
    person = np.repeat(np.round(255.0 * person_mask(view.picture)).astype(np.uint8)[..., None], 3, axis=2)
    person = view.crop.extract(person)[..., 0] / 255.0
    background = CLASSES.index("background")
    label[inside & (person < _NOBODY)] = background
    label[inside & (person > _SOMEBODY) & (label == background)] = UNKNOWN
    _draw_landmarks(label, classes, view.crop.to_crop(points))
    shown = (label != background) & (length > 0)
    unit = normals / np.maximum(length, 1e-6)[..., None]
    return {
        "images": view.crop.extract(view.picture)[None],
        "normals": np.round(127.0 * unit * shown[..., None]).astype(np.int8)[None],
        "depth": np.where(shown, depth, 0.0).astype(np.float16)[None],
        "classes": label[None],
        "certainty": np.round(255.0 * certainty * shown).astype(np.uint8)[None],
    }


@torch.no_grad()
def _mean_looks(net: DenseNet, view: View) -> tuple[NDArray[np.floating], ...]:
    """Average all looks at a crop of S px: normals [S, S, 3] of length up to 1, depth [S, S], probabilities [S, S, C].

    Looks that do not reach a pixel say nothing of it.
    """
    crop, size = view.crop, view.crop.output_px
    places = affine_grid(torch.eye(2, 3)[None], [1, 1, size, size], align_corners=False)
    total, weight = torch.zeros(4 + len(CLASSES), size, size), torch.zeros(1, size, size)
    for scale in _LOOKS:
        margin = crop.size * (scale - 1.0) / 2
        look = SquareCrop(crop.x0 - margin, crop.y0 - margin, crop.size * scale, size)
        picture = torch.from_numpy(look.extract(view.picture)).permute(2, 0, 1)[None].float() / 255.0
        inside = (places[0].abs() < scale).all(-1)
        for mirrored in (False, True):
            out = net(picture.flip(3) if mirrored else picture)
            # Depth is up to a shift: the shift of each look is set by the middle of the crop.
            middle = slice(size // 3, 2 * size // 3)
            depth = scale * (out.depth - out.depth[:, middle, middle].mean())
            said = torch.cat([out.normals, depth[:, None], out.logits.softmax(1)], 1)
            if mirrored:
                said = said.flip(3)
                said[:, 0] *= -1.0
            said = grid_sample(said, places / scale, padding_mode="border", align_corners=False)[0]
            total += said * inside
            weight += inside
    mean = (total / weight).permute(1, 2, 0).numpy()
    return mean[..., :3], mean[..., 3], mean[..., 4:]


def _draw_landmarks(label: NDArray[np.uint8], classes: NDArray[np.floating], points: NDArray[np.floating]) -> None:
    """Draw eyes, lips and mouth as landmarks [478, 2] px show them, where the teacher sees a face.

    The rim of each, a pixel wide, is left unknown: landmarks are no more exact.
    """
    face = classes[..., list(FACE)].sum(2) > 0.5
    others = np.isin(label, [CLASSES.index(name) for name in ("eyes", "lips", "mouth")])
    label[others & face] = UNKNOWN
    for name, ring in (("lips", OUTER_LIPS), ("mouth", INNER_LIPS), ("eyes", LEFT_LIDS), ("eyes", RIGHT_LIDS)):
        polygon = [np.round(points[list(ring)] * 16 - 8).astype(np.int32)]  # corners of pixels to sixteenths
        inside, rim = (np.zeros(label.shape, np.uint8) for _ in range(2))
        cv2.fillPoly(inside, polygon, 1, shift=4)
        cv2.polylines(rim, polygon, True, 1, thickness=2, shift=4)
        label[(inside > 0) & face] = CLASSES.index(name)
        label[(rim > 0) & face] = UNKNOWN
