# SPDX-License-Identifier: Apache-2.0
"""A person's texture, from pictures of them: the best picture of each place, joined without seams.

Sharpness comes from taking each place from one picture and not from a mean of many. The light of the pictures stays in
it. Places that no picture shows take what the other side of the head shows, made to fit, or else a smooth continuation
of what lies around them on the surface.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from reenact.head.motion import Motion
from reenact.head.regions import region_ids
from reenact.head.smoothstep import smoothstep
from reenact.head.state import posed
from reenact.head.subject import Subject
from reenact.perception.dense.maps import DenseEstimator, View

from .texel_samples import TexelSamples, sample_picture
from .texels import Texels, texels_of
from .texture_fill import OUTSIDE, Layer, Surroundings
from .texture_interior import paint_interior

TEXTURE_PX = 1024

_PREFERRED = 1.6  # how much better than the main picture another has to be
_FEATHER, _RIM = 0.008, 0.010  # of the texture's side: over which pictures, and seen and unseen, change into another
_SEEN = (0.02, 0.25)  # quality: from nothing to all
_LEAST = 0.1  # worth of the worst picture against the main one: it may be all there is of a place
_CALM = 4.0  # sum of activations that halves a picture's worth: a moving face is fitted less well


def bake_texture(
    subject: Subject,
    rows: NDArray[np.integer],
    views: Iterable[View],
    estimator: DenseEstimator,
    size: int = TEXTURE_PX,
) -> Tensor:
    """[size, size, 3] uint8 sRGB in the layout of atlas.head_atlas.

    rows, views: frames of the subject's motion and their pictures, in the same order. The estimator tells what of a
    picture is head.
    """
    texels = texels_of(subject.model, size)
    motion = require_motion(subject)
    samples = _sampled_pictures(subject, motion, rows, views, estimator, texels)
    around = Surroundings(subject.model, texels)
    return _finished(_joined(samples, _worth(motion, rows, samples, texels), around), around, subject, samples)


def plain_texture(subject: Subject) -> Tensor:
    """[S, S, 3] for a head of which there are no pictures: plain colours."""
    texels = texels_of(subject.model, TEXTURE_PX)
    nothing = Layer(np.zeros((len(texels), 3), np.float32), np.zeros(len(texels), np.float32))
    return _finished(nothing, Surroundings(subject.model, texels), subject, [])


def require_motion(subject: Subject) -> Motion:
    """Return the subject's motion. Raises ValueError if there is none."""
    if subject.motion is None:
        raise ValueError("the subject has no motion; want one that was fitted to pictures")
    return subject.motion


def _finished(layer: Layer, around: Surroundings, subject: Subject, samples: list[TexelSamples]) -> Tensor:
    colour = around.continued(around.completed(layer), samples)
    paint_interior(colour, subject, around.texels, samples)
    return torch.from_numpy(_with_margin(around.texels, np.clip(np.round(colour), 0, 255).astype(np.uint8)))


def _sampled_pictures(
    subject: Subject,
    motion: Motion,
    rows: NDArray[np.integer],
    views: Iterable[View],
    estimator: DenseEstimator,
    texels: Texels,
) -> list[TexelSamples]:
    level, focal = subject.levels[2], float(motion.require_clip().focal_px[0])
    samples = []
    for row, view in zip(rows, views, strict=True):
        points = posed(subject.head, subject.surface(motion[int(row)]), motion[int(row)], motion[0], level.head_weight)[
            0
        ]
        samples.append(sample_picture(view, focal, estimator([view])[0].classes, points, level.faces, texels))
    return samples


def _worth(motion: Motion, rows: NDArray[np.integer], samples: list[TexelSamples], texels: Texels) -> list[float]:
    """Of each picture as a whole: sharp ones of a calm face are worth more."""
    face = np.isin(texels.region, region_ids("skin", "eyelids", "lips"))
    calm = 1.0 / (1.0 + np.abs(motion[rows].expression.numpy()).sum(axis=1) / _CALM)
    worth = []
    for sample, rest in zip(samples, calm, strict=True):
        grey = texels.picture(sample.colour).astype(np.float32).mean(axis=2)
        well = face & (sample.quality > 0.5 * np.quantile(sample.quality[face], 0.95)) & (sample.quality > 0.0)
        edges = texels.taken(np.abs(np.asarray(cv2.Laplacian(grey, cv2.CV_32F))))[well]
        worth.append(float(rest) * float(np.quantile(edges, 0.8)) + 1e-6 if len(edges) else 0.0)
    return worth


def _joined(samples: list[TexelSamples], worth: list[float], around: Surroundings) -> Layer:
    """Each place from the picture that shows it best, the others' colours brought to the main one's."""
    texels = around.texels
    outside = np.isin(texels.region, OUTSIDE)
    total, colour = np.full(len(texels), 1e-6, np.float32), np.zeros((len(texels), 3), np.float32)
    main = int(np.argmax([w * sample.quality[outside].sum() for w, sample in zip(worth, samples, strict=True)]))
    relative = np.asarray(worth) / max(worth[main], 1e-6)
    gains = np.clip(relative, _LEAST, 1.0) / _PREFERRED
    gains[main] = 1.0
    best = np.stack([sample.quality * gain for sample, gain in zip(samples, gains, strict=True)]).argmax(axis=0)
    reference = around.low(_layer(samples[main]))
    for number, sample in enumerate(samples):
        share = cv2.GaussianBlur(texels.picture((best == number).astype(np.float32)), (0, 0), _FEATHER * texels.size)
        weight = texels.taken(np.asarray(share)) * np.minimum(sample.quality / 0.05, 1.0)
        own = _layer(sample)
        fitted = own.colour if number == main else around.matched(own, reference)
        colour += weight[:, None] * fitted
        total += weight
    most = np.max([sample.quality for sample in samples], axis=0) * outside
    # A picture is as fine as it is: what counts is how much worse than elsewhere it shows a place.
    usual = float(np.quantile(most[most > 0], 0.8)) if most.any() else 1.0
    seen = smoothstep(*_SEEN, most / usual)
    soft = np.asarray(cv2.GaussianBlur(texels.picture((seen > 0).astype(np.float32)), (0, 0), _RIM * texels.size))
    # Blurred over the borders of islands too: there it is made up for by what lies inside of them.
    full = np.asarray(cv2.GaussianBlur(texels.picture(outside.astype(np.float32)), (0, 0), _RIM * texels.size))
    inner = smoothstep(0.5, 0.9, texels.taken(soft) / np.maximum(texels.taken(full), 1e-3))
    return Layer(colour / total[:, None], seen * inner)


def _layer(sample: TexelSamples) -> Layer:
    return Layer(sample.colour.astype(np.float32), sample.quality)


def _with_margin(texels: Texels, colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[S, S, 3]: between the islands goes on what lies nearest, for viewers that average over texels."""
    empty = texels.picture(np.ones(len(texels), np.uint8)) == 0
    row, column = np.asarray(distance_transform_edt(empty, return_distances=False, return_indices=True))
    return texels.picture(colour)[row, column]
