# SPDX-License-Identifier: Apache-2.0
"""The inside of the mouth: teeth, gums, tongue and cavity in the photo's light; the photo's own teeth where seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float, Int, Topology
from reenact.head.regions import MOUTH_INTERIOR, region_ids
from reenact.head.teeth import LOWER_WIDTHS_M, UPPER_WIDTHS_M, paint_teeth

from .filters import blur, remap, remap_mask, shift_down, smoothstep, smoothstep_of
from .light import Light, luma, spread, tinted
from .moment import Moment
from .window import Box, Drawing

INTERIOR_IDS = region_ids(*MOUTH_INTERIOR)
_CAVITY, _UPPER, _LOWER, _TONGUE = INTERIOR_IDS
# Teeth, flesh and how dark a mouth is are what 28 performers show (measured by benchmarks/mouth_tones.py of commit
# d1721c9): tongues pink and nearly as bright as skin, no throat of a wide mouth black, teeth in the light that is on
# the skin.
_ENAMEL = 0.88  # brightness, of a white surface in the same light
_HUE, _BY_SKIN = np.asarray([1.0, 1.116, 1.05], np.float32), np.asarray([0.0, 0.91, 0.63], np.float32)
_FLESH = np.asarray([0.87, 0.48, 0.46], np.float32)
_LIP_LINING = np.asarray([0.62, 0.33, 0.32], np.float32)
_WARMTH = np.asarray([0.78, 1.08, 1.12], np.float32)
_GLOSS = 0.2
_PINK = 0.11
_LIP_SPREAD = 0.6  # of the channels of ordinary lips, see light.spread
_BRIGHT = 0.415  # of white: what is darker in a photo's mouth is no tooth
_ENOUGH = 12  # pixels of teeth to judge their colour by
_FRONT_M = 0.016  # what is no deeper behind the lips is lit as they are
_THROAT, _WIDE_M = (0.08, 0.32), (0.003, 0.010)  # light that gets everywhere, by how far the lips are apart
_TEETH_LIT, _TEETH_M = 0.84, (0.005, 0.014)  # light on teeth through a slit, and up to where lips that far apart dim it
_LOWER_LIT = 0.65  # brightness of the lower teeth, which lips and upper teeth shade from above
_LINING = 0.68  # brightness of cheeks and palate against the tongue's
_SLIT = 0.57  # light that gets through a slit
_SHADE_M, _DEEP_SHADE_M = 0.0028, 0.006  # reach of the lips' shade, on what is near them and what is deep behind:
_DEEP_M = (0.004, 0.025)
_HOLE_M = 0.003  # over which colours are continued where the drawing shows none
_DEEPEST = (0.75, 0.42)  # by that too: share of the light that it takes there at most
_SOFT_M, _SOFT_PX = 0.0002, 0.45  # edges in there are wet, and never harder than the picture's own
_FLESH_SOFT_M = 0.0016
_GUM = np.asarray([0.76, 0.46, 0.45], np.float32)


@dataclass(frozen=True)
class Mouth:
    """The photo's mouth. Pictures cover `box` of the photo."""

    box: Box
    shown: Float  # [h, w, 3] the photo without the lips' shade
    teeth: tuple[Float, Float]  # [h, w] 1 where the photo shows teeth, upper and lower
    carriers: tuple[Int, Int]  # vertices of the upper and lower front teeth, which carry those of the photo
    white: Float  # [3] a white surface in the photo's light, 0 to 255
    enamel: Float  # [3] a tooth in the photo's light, 0 to 255
    light: Light
    seen: float  # share of the light that was on the photo's teeth, see _on_teeth; 1 where it shows none
    colourful: float  # 0 for a photo in black and white, 1 for one in full colour

    def paint(
        self,
        drawing: Drawing,
        surface: Float,
        hole: NDArray[np.bool_],
        photo_px: Float,
        px: Float,
        px_per_m: float,
        grid: Float,
        gap_m: float,
    ) -> Float:
        """[h, w, 3] colours of the inside in a driven window, continued a little beyond it.

        surface: [h, w, 6] camera-space normals, depth behind the lips in metres, places on the teeth (see teeth.py).
        hole: [h, w] more of the opening, of which the drawing does not show what is there.
        photo_px, px: [V, 3] the vertices in the photo and driven. grid: [h, w, 2] see window.pixel_grid.
        gap_m: see _lit.
        """
        colour = self._unshaded(drawing, surface, px_per_m, gap_m)
        if hole.any():
            colour[hole] = _smooth(colour, drawing.mask(*INTERIOR_IDS), _HOLE_M * px_per_m)[hole]
        on_teeth = self._dimmed(gap_m)
        for teeth, rows, others in zip(self.teeth, self.carriers, (_LOWER, _UPPER), strict=True):
            if teeth.any():
                there = _affine(px[rows, :2] - 0.5, photo_px[rows, :2] - 0.5, grid) - self.box.corner
                own = remap_mask(teeth, there) * ~drawing.mask(others)
                colour += own[..., None] * (on_teeth * remap(self.shown, there) - colour)
        colour *= _warm(lip_shade(drawing.coverage(*INTERIOR_IDS), px_per_m), self.colourful)
        return colour

    @property
    def lip_lining(self) -> Float:
        """[3] the inner side of the lips in the photo's light, 0 to 255."""
        return tinted(_LIP_LINING, self.colourful) * self.white

    def _dimmed(self, gap_m: float) -> float:
        """Light on teeth against that in the photo: narrower lips dim those that it shows, wider ones leave them."""
        return min(_on_teeth(gap_m) / self.seen, 1.0)

    def _unshaded(self, drawing: Drawing, surface: Float, px_per_m: float, gap_m: float) -> Float:
        colour = np.empty((*drawing.box.shape, 3), np.float32)
        flesh = tinted(_FLESH, self.colourful) * self.white
        colour[:] = _LINING * flesh
        colour[drawing.mask(_TONGUE)] = flesh
        for region, widths, own, past in (
            (_UPPER, UPPER_WIDTHS_M, 1.0, 0.45),
            (_LOWER, LOWER_WIDTHS_M, _LOWER_LIT, 0.9),
        ):
            rows = drawing.mask(region)
            if rows.any():
                gum, dark = tinted(_GUM, self.colourful) * self.white, past * flesh
                enamel = own * self._dimmed(gap_m) * self.enamel
                colour[rows] = paint_teeth(surface[rows][:, 4:], widths, enamel, gum, dark, px_per_m)
        wet = _GLOSS * self.light.gloss(surface[..., :3]) * ~drawing.mask(_CAVITY)
        deep = _deep_shade(drawing.coverage(*INTERIOR_IDS), surface[..., 3], px_per_m, gap_m)
        lit = (colour + wet[..., None] * self.white) * _warm(_lit(self.light, surface, gap_m) * deep, self.colourful)
        lit = lit.astype(np.float32, copy=False)
        inside, flesh = drawing.mask(*INTERIOR_IDS), drawing.mask(_TONGUE, _CAVITY)
        # Tongue and lining are one wet lining: where one ends before the other is no edge as hard as a tooth's.
        lit = np.where(flesh[..., None], _smooth(lit, flesh, _FLESH_SOFT_M * px_per_m), lit)
        return _smooth(lit, inside, max(_SOFT_M * px_per_m, _SOFT_PX))


def look_inside(
    photo: NDArray[np.uint8],
    drawing: Drawing,
    surface: Float,
    topology: Topology,
    at: Moment,
    light: Light,
    white_of_eyes: Float,
    lips: Float,
    px_per_m: float,
    gap_m: float,
) -> Mouth:
    """Read the mouth off the photo [P, P, 3]. drawing, surface, gap_m: as in Mouth.paint, of the photo's state `at`.

    lips: [3] their colour: flesh is as colourful as they are, also in a pale face.
    """
    colourful = max(light.colourful, min(spread(lips) / _LIP_SPREAD, 1.0))
    opening = drawing.coverage(*INTERIOR_IDS)
    shown = np.asarray(photo[drawing.box.slices] / _warm(lip_shade(opening, px_per_m), colourful), np.float32)
    white = _white(light, white_of_eyes)
    inside = drawing.mask(*INTERIOR_IDS) & (opening > 0.8)
    teeth = _tooth_like(shown, inside, white)
    enamel = _enamel(light.skin, colourful) * float(luma(white))
    on_mesh = (teeth > 0.5) & drawing.mask(_UPPER)
    if on_mesh.sum() >= _ENOUGH:
        unlit = np.asarray(shown[on_mesh] / _warm(_lit(light, surface, gap_m)[on_mesh], colourful), np.float32)
        brightness = luma(unlit)
        enamel = np.median(unlit[brightness >= np.median(brightness)], axis=0)
    carriers = _front(topology, at, _UPPER), _front(topology, at, _LOWER)
    soft_px = max(0.0006 * px_per_m, 0.5)
    rows = tuple(blur(part, soft_px) * inside.astype(np.float32) for part in _rows(teeth, carriers, at, drawing.box))
    seen, own = _on_teeth(gap_m) if teeth.any() else 1.0, enamel.astype(np.float32)
    return Mouth(drawing.box, shown, (rows[0], rows[1]), carriers, white, own, light, seen, colourful)


def _front(topology: Topology, at: Moment, region: int) -> Int:
    rows = topology.region_vertices(region)
    return rows[at.px[rows, 2] <= np.median(at.px[rows, 2])]


def _rows(teeth: Float, carriers: tuple[Int, Int], at: Moment, box: Box) -> tuple[Float, Float]:
    """[h, w] upper and lower part of the photo's teeth, told apart half way between where the mesh has the two."""
    middles = [at.px[rows, :2].mean(axis=0) - box.corner for rows in carriers]
    down = middles[1] - middles[0]
    y, x = np.mgrid[0 : box.shape[0], 0 : box.shape[1]] + 0.5
    half = np.stack([x, y], axis=-1) - 0.5 * (middles[0] + middles[1])
    lower = half @ down > 0.0
    return teeth * ~lower, teeth * lower


def lip_shade(opening: Float, px_per_m: float) -> Float:
    """[h, w] light that the lips let in: little through a slit, least under the upper lip."""
    sigma = max(_SHADE_M * px_per_m, 0.6)
    soft = shift_down(blur(opening, sigma), 0.2 * sigma)
    return _SLIT + (1.0 - _SLIT) * smoothstep(0.1, 0.85, soft)


def _warm(shade: Float, colourful: float) -> Float:
    """[...] -> [..., 3] the same shade as flesh casts it: light that has been about in a mouth is red."""
    return shade[..., None] ** tinted(_WARMTH, colourful)


def _lit(light: Light, surface: Float, gap_m: float) -> Float:
    """[h, w] light on the inside of a mouth whose lips are gap_m apart: what comes through a round hole that wide."""
    radius = max(0.5 * gap_m, 0.003)
    through = 1.0 / (1.0 + (np.maximum(surface[..., 3] - _FRONT_M, 0.0) / radius) ** 2)
    throat = _by_gap(_THROAT, gap_m)
    return np.asarray(light.shade(surface[..., :3]) * (throat + (1.0 - throat) * through), np.float32)


def _on_teeth(gap_m: float) -> float:
    """Share of the light that reaches teeth between lips gap_m apart: half hidden they are never as white as bared."""
    return _TEETH_LIT + (1.0 - _TEETH_LIT) * smoothstep_of(*_TEETH_M, gap_m)


def _by_gap(values: tuple[float, float], gap_m: float) -> float:
    """From what holds for a slit to what holds for a wide mouth: real slits are dark lines."""
    return values[0] + (values[1] - values[0]) * smoothstep_of(*_WIDE_M, gap_m)


def _deep_shade(opening: Float, depth_m: Float, px_per_m: float, gap_m: float) -> Float:
    """[h, w] more of the lips' shade: the deeper a place is, the farther from their edge it begins."""
    deep = smoothstep(*_DEEP_M, depth_m)
    hidden = 1.0 - smoothstep(0.2, 1.0, blur(opening, max(_DEEP_SHADE_M * px_per_m, 0.6)))
    return np.asarray(1.0 - _by_gap(_DEEPEST, gap_m) * deep * hidden, np.float32)


def _smooth(colour: Float, inside: NDArray[np.bool_], sigma_px: float) -> Float:
    """Colours [h, w, 3] of what is inside, with soft edges, continued a little beyond it."""
    parts = np.dstack([colour, np.ones(inside.shape, np.float32)]) * inside[..., None]
    parts = blur(parts, sigma_px)
    return np.asarray(parts[..., :3] / np.maximum(parts[..., 3:], 1e-4), np.float32)


def _enamel(skin: Float, colourful: float) -> Float:
    """[3] a tooth in the light of that skin [3], of the brightness of a white surface: red light makes both red."""
    hue = np.asarray(_HUE * (skin / max(float(skin[0]), 1.0)) ** _BY_SKIN, np.float32)
    return _ENAMEL * tinted(hue / luma(hue), colourful)


def _white(light: Light, white_of_eyes: Float) -> Float:
    """[3] guess of a white surface in the photo's light, from the skin and the shaded white of the eyes."""
    own = white_of_eyes / 0.85
    skin = float(luma(light.skin))
    level = np.clip(float(luma(own)), 1.05 * skin, 1.9 * skin)
    tint = 0.7 + 0.3 * own / max(float(luma(own)), 1.0)
    return np.clip(level * tint, 40.0, 245.0).astype(np.float32)


def _tooth_like(shown: Float, inside: NDArray[np.bool_], white: Float) -> Float:
    """[h, w] 0 or 1: bright and pale enough, inside of the opening, and enough of it to be teeth."""
    brightness = luma(shown)
    spread = shown.max(axis=-1) - shown.min(axis=-1)
    pale = spread < 0.42 * np.maximum(shown.max(axis=-1), 1.0)
    # Teeth yellow and light warms, but only flesh is so much redder than green.
    redness, of_white = ((c[..., 0] - c[..., 1]) / np.maximum(c[..., 0], 1.0) for c in (shown, white))
    pale &= redness < of_white + _PINK
    teeth = inside & pale & (brightness > _BRIGHT * luma(white))
    if teeth.sum() < 0.15 * inside.sum():
        teeth[:] = False
    return teeth.astype(np.float32)


def _affine(source: Float, target: Float, at: Float) -> Float:
    """[h, w, 2] where the affine map that best takes points `source` [N, 2] to `target` takes `at` [h, w, 2]."""
    middle = source.mean(axis=0)
    basis = np.column_stack([source - middle, np.ones(len(source))])
    # Held towards no change of shape: the teeth are nearly in a row, which says little about the other direction.
    gram = basis.T @ basis
    hold = np.diag([0.05 * gram[0, 0], 0.05 * gram[0, 0], 0.0])
    start = np.vstack([np.eye(2), middle[None]])
    solution = np.linalg.solve(gram + hold, basis.T @ target + hold @ start)
    return ((at - middle) @ solution[:2] + solution[2]).astype(np.float32)
