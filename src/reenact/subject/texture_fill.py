# SPDX-License-Identifier: Apache-2.0
"""Texture where no picture shows it, and pictures of other light: smooth fields of colour over the head's surface."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from reenact.head.head_model import head_model
from reenact.head.levels import refine
from reenact.head.model import Float, ParametricHead
from reenact.head.regions import region_ids
from reenact.head.spread import spread
from reenact.perception.dense.network import CLASSES

from .atlas import head_atlas
from .texel_samples import TexelSamples
from .texels import Texels

OUTSIDE = region_ids("skin", "neck", "ears", "eyelids", "lips")
"""What pictures are asked about: the rest is painted."""
_SMOOTH = 0.006  # of the texture's side: colours are compared and continued without their detail
_PLAIN_SKIN = np.asarray([198.0, 160.0, 140.0], np.float32)
_HAIR = CLASSES.index("hair")
_ENOUGH = 0.005  # of all texels, that hair is to be seen on
_BEHIND_M, _NAPE_M = -0.085, -0.055  # of the base adult: behind the ears, and above the neck
_SCALP_HOLD = 0.02  # how firmly hair there keeps its colour against what lies around
_LARGEST = 70.0  # difference of two pictures' colours at a place that is taken for one of light


@dataclass(frozen=True)
class Layer:
    """A texture as far as it is known; N texels."""

    colour: Float  # [N, 3] sRGB, 0 to 255
    known: Float  # [N] 0 to 1


class Surroundings:
    """Fields over the control mesh, on which lies side by side what a texture's seams part."""

    def __init__(self, model: ParametricHead, texels: Texels) -> None:
        top, atlas = model.topology, head_atlas(model)
        self.texels, self._levels = texels, head_model(model).levels
        rows = top.region_faces(*OUTSIDE).numpy()
        # The skin goes on into mouth and sockets, where it is not seen: fields have no edge at lips and lids.
        self._faces = top.faces[top.region_faces(*OUTSIDE, *region_ids("mouth_cavity", "eye_socket"))].numpy()
        self._px = np.full((len(top.head_weight), 2), -1.0, np.float32)
        _, y, z = model.base_neutral.unbind(1)
        self._scalp = ((z < _BEHIND_M) & (y > _NAPE_M) & (top.head_weight > 0.9)).numpy()
        self._px[top.faces.numpy()[rows]] = atlas.pixels(texels.size)[atlas.faces[rows]]

    def matched(self, layer: Layer, reference: tuple[Float, Float]) -> Float:
        """[N, 3] the layer's colours under the light of a reference (`low`): their smooth difference made up."""
        own, sure = self.low(layer)
        other, other_sure = reference
        return self._brought(layer.colour, other - own, np.minimum(sure, other_sure))

    def completed(self, layer: Layer) -> Layer:
        """What one side of the head lacks, from the other."""
        place = self.texels.mirrored_px
        usable = ~np.isnan(place[:, 0])
        at = self.texels.picture(np.where(usable[:, None], place, -9.0).astype(np.float32) - np.float32(0.5))

        packed = np.column_stack([layer.colour * layer.known[:, None], layer.known]).astype(np.float32)
        picture = cv2.remap(self.texels.picture(packed), at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        other_side = self.texels.taken(np.asarray(picture))
        known = other_side[:, 3] * np.isin(self.texels.region, OUTSIDE)
        shown = (other_side[:, :3] / np.maximum(other_side[:, 3:], 1e-6)).astype(np.float32)
        mirror = Layer(shown, known.astype(np.float32))
        own, sure = self.low(layer)
        other, other_sure = self.low(mirror)
        colour = self._brought(mirror.colour, own - other, np.minimum(sure, other_sure))
        rest = (1.0 - layer.known) * mirror.known
        known = layer.known + rest
        mixed = layer.known[:, None] * layer.colour + rest[:, None] * colour
        return Layer(np.asarray(mixed / np.maximum(known, 1e-6)[:, None], np.float32), np.asarray(known, np.float32))

    def continued(self, layer: Layer, samples: list[TexelSamples]) -> Float:
        """[N, 3] with what is still unknown continued from around; the back of a head that has hair is of its hair."""
        values, sure = self.low(layer)
        if not (sure > 0).any():
            return np.tile(_PLAIN_SKIN, (len(self.texels), 1))
        hair = self._hair(samples)
        if hair is not None:
            back = self._scalp & (sure == 0)
            values[back], sure[back] = hair, _SCALP_HOLD
        share = layer.known[:, None]
        carried = self._carried(spread(values, sure, self._faces))
        return np.asarray(share * layer.colour + (1.0 - share) * carried, np.float32)

    def _hair(self, samples: list[TexelSamples]) -> Float | None:
        """[3] the middle colour of hair in the pictures; None where there is hardly any."""
        parts = [sample.colour[(sample.shown == _HAIR) & (sample.quality > 0.2)] for sample in samples]
        if sum(len(part) for part in parts) < _ENOUGH * len(self.texels):
            return None
        return np.median(np.concatenate(parts), axis=0).astype(np.float32)

    def _brought(self, colour: Float, difference: Float, sure: Float) -> Float:
        difference = np.clip(difference, -_LARGEST, _LARGEST)
        if not (sure > 0).any():
            return colour
        return colour + self._carried(spread(difference * (sure > 0)[:, None], sure, self._faces))

    def _carried(self, values: Float) -> Float:
        fine = refine(self._levels, torch.from_numpy(values), 2)
        return self.texels.carry(fine.numpy())

    def low(self, layer: Layer) -> tuple[Float, Float]:
        """[V, 3] colours about the control vertices without detail, and [V] how well they are known."""
        sigma = _SMOOTH * self.texels.size
        known = layer.known * np.isin(self.texels.region, OUTSIDE)
        packed = np.column_stack([layer.colour * known[:, None], known])
        blurred = np.asarray(cv2.GaussianBlur(self.texels.picture(packed.astype(np.float32)), (0, 0), sigma))
        column, row = (np.clip(self._px[:, i].astype(int), 0, self.texels.size - 1) for i in (0, 1))
        found = blurred[row, column]
        sure = np.where((found[:, 3] > 0.05) & (self._px[:, 0] >= 0), found[:, 3], 0.0).astype(np.float32)
        return np.asarray(found[:, :3] / np.maximum(found[:, 3:], 1e-6), np.float32), np.minimum(sure, 1.0)
