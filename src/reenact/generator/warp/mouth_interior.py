# SPDX-License-Identifier: Apache-2.0
"""The inside of the mouth: teeth, gums, tongue and cavity in the reference's light, and the teeth that it shows.

Teeth, flesh and how dark a mouth is were measured on 28 driving people (benchmarks/mouth_tones.py of commit d1721c9):
tongues are pink and nearly as bright as skin, no throat of a wide mouth is black, and teeth are in the light that is on
the skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float, Int, Topology
from reenact.head.regions import MOUTH_INTERIOR, region_ids
from reenact.head.teeth import LOWER_WIDTHS_M, UPPER_WIDTHS_M, paint_teeth

from .filters import blur, remap, remap_mask, shift_down, smoothstep, smoothstep_of
from .light import Light, chroma, luma, saturate
from .posed_head import PosedHead
from .rasterised_mesh import Box, RasterisedMesh

INTERIOR_IDS = region_ids(*MOUTH_INTERIOR)
_CAVITY, _UPPER, _LOWER, _TONGUE = INTERIOR_IDS

# Measured, see above: colours relative to a white surface in the same light.
_FLESH = np.asarray([0.87, 0.48, 0.46], np.float32)
_LIP_LINING = np.asarray([0.62, 0.33, 0.32], np.float32)
_GUM = np.asarray([0.76, 0.46, 0.45], np.float32)
_SHADE_EXPONENT = np.asarray([0.78, 1.08, 1.12], np.float32)  # of R, G, B: light that flesh reflects is red
_ENAMEL = 0.88  # brightness of a tooth
_ENAMEL_HUE = np.asarray([1.0, 1.116, 1.05], np.float32)
_ENAMEL_SKIN_EXPONENT = np.asarray([0.0, 0.91, 0.63], np.float32)  # how far the hue of the skin is that of teeth
_DARKEST_TOOTH = 0.415  # what is darker in the mouth of a reference is no tooth

# Measured, see above: light inside, as a share of that on the skin. Gaps are those between the lips.
_WIDE_M = (0.003, 0.010)  # gaps from a slit to a wide mouth, for which these pairs are:
_AMBIENT = (0.08, 0.32)  # light that reaches the throat
_DEEP_SHADE = (0.75, 0.42)  # light that the lips take from what is deep behind them
_TEETH_LIGHT, _TEETH_M = 0.84, (0.005, 0.014)  # light on teeth behind a slit, and gaps over which it rises to 1
_LOWER_TEETH = 0.65  # brightness of lower teeth relative to upper ones, which shade them together with the lips

_ENOUGH_PX = 12  # chosen; pixels of teeth that their colour can be estimated from


@dataclass(frozen=True)
class MouthInterior:
    """The inside of the mouth in the reference. Images cover `box` of it.

    Surface attributes [..., 6] are normals in camera space, depth behind the lips in metres, and places on the teeth
    (see `head.teeth.tooth_places`).
    """

    box: Box
    unshaded: Float  # [h, w, 3] the reference without the lips' shade
    teeth: tuple[Float, Float]  # [h, w] 1 where the reference shows upper and lower teeth
    anchors: tuple[Int, Int]  # vertices of upper and lower front teeth, with which those of the reference move
    white: Float  # [3] colour of a white surface in the reference's light, 0 to 255
    enamel: Float  # [3] colour of a tooth in it, 0 to 255
    light: Light
    teeth_light: float  # share of the light on the reference's teeth; 1 where it shows none
    saturation: float  # 0 for an image in black and white, 1 for one in full colour

    @classmethod
    def from_reference(
        cls,
        image: NDArray[np.uint8],
        raster: RasterisedMesh,
        surface: Float,
        topology: Topology,
        reference: PosedHead,
        light: Light,
        sclera: Float,
        lips: Float,
        px_per_m: float,
        gap_m: float,
    ) -> MouthInterior:
        """Estimate the colours and find the teeth of the reference.

        Args:
            image: [P, P, 3] the reference image.
            raster: the mouth in it.
            surface: [h, w, 6] surface attributes.
            topology: of the head.
            reference: the head as the reference shows it.
            light: of the reference.
            sclera: [3] unshaded colour of the white of the eyes, 0 to 255.
            lips: [3] colour of the lips, 0 to 255: flesh is as colourful as they are, also in a pale face.
            px_per_m: at the lips.
            gap_m: between the lips, metres.
        """
        saturation = max(light.saturation, min(chroma(lips) / 0.6, 1.0))  # 0.6: chroma of ordinary lips
        opening = raster.coverage(*INTERIOR_IDS)
        shade = _colour_shade(_lip_shade(opening, px_per_m), saturation)
        unshaded = np.asarray(image[raster.box.slices] / shade, np.float32)
        white = _white(light, sclera)
        inside = raster.mask(*INTERIOR_IDS) & (opening > 0.8)
        teeth = _teeth_mask(unshaded, inside, white)
        enamel = _enamel(light.skin, saturation) * float(luma(white))
        on_mesh = (teeth > 0.5) & raster.mask(_UPPER)
        if on_mesh.sum() >= _ENOUGH_PX:
            shade = _colour_shade(_light_inside(light, surface, gap_m)[on_mesh], saturation)
            samples = np.asarray(unshaded[on_mesh] / shade, np.float32)
            brightness = luma(samples)
            enamel = np.median(samples[brightness >= np.median(brightness)], axis=0)
        anchors = _front_teeth(topology, reference, _UPPER), _front_teeth(topology, reference, _LOWER)
        soft_px = max(0.0006 * px_per_m, 0.5)
        upper, lower = (
            blur(row, soft_px) * inside.astype(np.float32) for row in _tooth_rows(teeth, anchors, reference, raster.box)
        )
        teeth_light = _light_on_teeth(gap_m) if teeth.any() else 1.0
        enamel = enamel.astype(np.float32)
        return cls(raster.box, unshaded, (upper, lower), anchors, white, enamel, light, teeth_light, saturation)

    def render(
        self,
        raster: RasterisedMesh,
        surface: Float,
        hole: NDArray[np.bool_],
        reference_px: Float,
        px: Float,
        px_per_m: float,
        grid: Float,
        gap_m: float,
    ) -> Float:
        """Render the inside in a driven window, continued a little beyond it.

        Args:
            raster: the driven mouth in the window.
            surface: [h, w, 6] surface attributes.
            hole: [h, w] more of the opening, of which the mesh does not show what is there.
            reference_px: [V, 3] vertices in the reference.
            px: [V, 3] vertices in the frame.
            px_per_m: at the lips.
            grid: [h, w, 2] of the window; see `pixel_grid`.
            gap_m: between the lips, metres.

        Returns:
            Colours [h, w, 3], 0 to 255.
        """
        colour = self._render_unshaded(raster, surface, px_per_m, gap_m)
        if hole.any():
            colour[hole] = _smooth(colour, raster.mask(*INTERIOR_IDS), 0.003 * px_per_m)[hole]
        for teeth, rows, others in zip(self.teeth, self.anchors, (_LOWER, _UPPER), strict=True):
            if teeth.any():
                places = _affine(px[rows, :2] - 0.5, reference_px[rows, :2] - 0.5, grid) - self.box.corner
                weight = remap_mask(teeth, places) * ~raster.mask(others)
                colour += weight[..., None] * (self._dimming(gap_m) * remap(self.unshaded, places) - colour)
        colour *= _colour_shade(_lip_shade(raster.coverage(*INTERIOR_IDS), px_per_m), self.saturation)
        return colour

    @property
    def lip_lining(self) -> Float:
        """[3] colour of the inner side of the lips in the reference's light, 0 to 255."""
        return saturate(_LIP_LINING, self.saturation) * self.white

    def _dimming(self, gap_m: float) -> float:
        """Return the light on teeth relative to the reference: a narrower gap dims them, a wider one does nothing."""
        return min(_light_on_teeth(gap_m) / self.teeth_light, 1.0)

    def _render_unshaded(self, raster: RasterisedMesh, surface: Float, px_per_m: float, gap_m: float) -> Float:
        """Render the inside of the mesh without the shade that lips cast on what is near them; see `render`."""
        colour = np.empty((*raster.box.shape, 3), np.float32)
        flesh = saturate(_FLESH, self.saturation) * self.white
        colour[:] = 0.68 * flesh  # cheeks and palate
        colour[raster.mask(_TONGUE)] = flesh
        # Past the edge of a tooth: upper ones end before the darkness of the mouth, lower ones before the tongue.
        for region, widths, brightness, past in (
            (_UPPER, UPPER_WIDTHS_M, 1.0, 0.45),
            (_LOWER, LOWER_WIDTHS_M, _LOWER_TEETH, 0.9),
        ):
            rows = raster.mask(region)
            if rows.any():
                gum, dark = saturate(_GUM, self.saturation) * self.white, past * flesh
                enamel = brightness * self._dimming(gap_m) * self.enamel
                colour[rows] = paint_teeth(surface[rows][:, 4:], widths, enamel, gum, dark, px_per_m)
        wet = 0.2 * self.light.gloss(surface[..., :3]) * ~raster.mask(_CAVITY)
        deep = _deep_shade(raster.coverage(*INTERIOR_IDS), surface[..., 3], px_per_m, gap_m)
        light = _light_inside(self.light, surface, gap_m) * deep
        lit = (colour + wet[..., None] * self.white) * _colour_shade(light, self.saturation)
        lit = lit.astype(np.float32, copy=False)
        inside, flesh = raster.mask(*INTERIOR_IDS), raster.mask(_TONGUE, _CAVITY)
        # Tongue and lining are one wet surface: where one ends before the other is no edge as hard as a tooth's.
        lit = np.where(flesh[..., None], _smooth(lit, flesh, 0.0016 * px_per_m), lit)
        return _smooth(lit, inside, max(0.0002 * px_per_m, 0.45))


def _lip_shade(opening: Float, px_per_m: float) -> Float:
    """Return the share of the light that the lips let in [h, w]: little through a slit, least under the upper lip."""
    sigma = max(0.0028 * px_per_m, 0.6)
    soft = shift_down(blur(opening, sigma), 0.2 * sigma)
    return 0.57 + (1.0 - 0.57) * smoothstep(0.1, 0.85, soft)


def _front_teeth(topology: Topology, posed: PosedHead, region: int) -> Int:
    """Return the nearer half of the vertices of a row of teeth."""
    rows = topology.region_vertices(region).numpy()
    return rows[posed.px[rows, 2] <= np.median(posed.px[rows, 2])]


def _tooth_rows(teeth: Float, anchors: tuple[Int, Int], posed: PosedHead, box: Box) -> tuple[Float, Float]:
    """Split teeth [h, w] into upper and lower ones, half way between where the mesh has the two."""
    middles = [posed.px[rows, :2].mean(axis=0) - box.corner for rows in anchors]
    down = middles[1] - middles[0]
    y, x = np.mgrid[0 : box.shape[0], 0 : box.shape[1]] + 0.5
    half = np.stack([x, y], axis=-1) - 0.5 * (middles[0] + middles[1])
    lower = half @ down > 0.0
    return teeth * ~lower, teeth * lower


def _colour_shade(shade: Float, saturation: float) -> Float:
    """Return a shade [...] as flesh casts it [..., 3]: light that is reflected inside of a mouth is red."""
    return shade[..., None] ** saturate(_SHADE_EXPONENT, saturation)


def _light_inside(light: Light, surface: Float, gap_m: float) -> Float:
    """Return the light on surface attributes [h, w, 6] behind lips that are `gap_m` apart, relative to skin [h, w].

    What is no more than 16 mm behind the lips is lit as they are. Deeper, light falls off as through a round hole.
    """
    radius = max(0.5 * gap_m, 0.003)
    through = 1.0 / (1.0 + (np.maximum(surface[..., 3] - 0.016, 0.0) / radius) ** 2)
    ambient = _by_gap(_AMBIENT, gap_m)
    return np.asarray(light.shade(surface[..., :3]) * (ambient + (1.0 - ambient) * through), np.float32)


def _light_on_teeth(gap_m: float) -> float:
    """Return the light on teeth between lips `gap_m` apart: half hidden they are never as white as bared."""
    return _TEETH_LIGHT + (1.0 - _TEETH_LIGHT) * smoothstep_of(*_TEETH_M, gap_m)


def _by_gap(values: tuple[float, float], gap_m: float) -> float:
    """Interpolate from the value for a slit to that for a wide mouth: real slits are dark lines."""
    return values[0] + (values[1] - values[0]) * smoothstep_of(*_WIDE_M, gap_m)


def _deep_shade(opening: Float, depth_m: Float, px_per_m: float, gap_m: float) -> Float:
    """Return the light that the lips leave on what is deep behind them [h, w]: the deeper, the farther from their edge.

    Args:
        opening: [h, w] share of each pixel that shows the inside.
        depth_m: [h, w] metres behind the lips.
        px_per_m: at the lips.
        gap_m: between the lips, metres.
    """
    deep = smoothstep(0.004, 0.025, depth_m)
    hidden = 1.0 - smoothstep(0.2, 1.0, blur(opening, max(0.006 * px_per_m, 0.6)))
    return np.asarray(1.0 - _by_gap(_DEEP_SHADE, gap_m) * deep * hidden, np.float32)


def _smooth(colour: Float, mask: NDArray[np.bool_], sigma_px: float) -> Float:
    """Blur the colours [h, w, 3] of a mask [h, w] among themselves and continue them a little beyond it."""
    weighted = np.dstack([colour, np.ones(mask.shape, np.float32)]) * mask[..., None]
    weighted = blur(weighted, sigma_px)
    return np.asarray(weighted[..., :3] / np.maximum(weighted[..., 3:], 1e-4), np.float32)


def _enamel(skin: Float, saturation: float) -> Float:
    """Return the colour of a tooth [3] in the light of that skin [3], relative to white: red light makes both red."""
    hue = np.asarray(_ENAMEL_HUE * (skin / max(float(skin[0]), 1.0)) ** _ENAMEL_SKIN_EXPONENT, np.float32)
    return _ENAMEL * saturate(hue / luma(hue), saturation)


def _white(light: Light, sclera: Float) -> Float:
    """Estimate the colour of a white surface in the reference's light [3] from the skin and the sclera."""
    sclera = sclera / 0.85
    skin = float(luma(light.skin))
    level = np.clip(float(luma(sclera)), 1.05 * skin, 1.9 * skin)
    tint = 0.7 + 0.3 * sclera / max(float(luma(sclera)), 1.0)
    return np.clip(level * tint, 40.0, 245.0).astype(np.float32)


def _teeth_mask(unshaded: Float, inside: NDArray[np.bool_], white: Float) -> Float:
    """Return where the opening is bright and pale enough for teeth [h, w], 0 or 1; 0 if that is too little of it."""
    brightness = luma(unshaded)
    channel_range = unshaded.max(axis=-1) - unshaded.min(axis=-1)
    pale = channel_range < 0.42 * np.maximum(unshaded.max(axis=-1), 1.0)
    # Teeth yellow and light warms, but only flesh is so much redder than green.
    redness, white_redness = ((c[..., 0] - c[..., 1]) / np.maximum(c[..., 0], 1.0) for c in (unshaded, white))
    pale &= redness < white_redness + 0.11
    teeth = inside & pale & (brightness > _DARKEST_TOOTH * luma(white))
    if teeth.sum() < 0.15 * inside.sum():
        teeth[:] = False
    return teeth.astype(np.float32)


def _affine(source: Float, target: Float, places: Float) -> Float:
    """Map places [h, w, 2] by the affine map that takes points `source` [N, 2] to `target` [N, 2] best.

    The map is held towards no change of shape: teeth are nearly in a row, which says little about the other direction.
    """
    middle = source.mean(axis=0)
    basis = np.column_stack([source - middle, np.ones(len(source))])
    gram = basis.T @ basis
    hold = np.diag([0.05 * gram[0, 0], 0.05 * gram[0, 0], 0.0])
    start = np.vstack([np.eye(2), middle[None]])
    solution = np.linalg.solve(gram + hold, basis.T @ target + hold @ start)
    return ((places - middle) @ solution[:2] + solution[2]).astype(np.float32)
