# SPDX-License-Identifier: Apache-2.0
"""Filmstrips of heads, to look at: ``python -m benchmarks.head_sheet CLIP|PHOTO ... [--maps-only]``.

A row a moment: photo, our network's classes and normals, normals of the coarse head, with static offsets, with both.
With --maps-only nothing is fitted beyond tracking: a cell a file, photo above normals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from PIL import Image
from tyro.conf import Positional

from benchmarks.common import OUT
from benchmarks.fitted_person import FittedPerson, coloured, quiet
from reenact.head.open import open_head
from reenact.media.image import write_image
from reenact.perception.dense.classes import CLASSES
from reenact.perception.dense.maps import View
from reenact.perception.dense.shipped import INPUT_PX, shipped_estimator
from reenact.subject.detailed import open_levels
from reenact.subject.head_fit import observed
from reenact.subject.observation import Observation
from reenact.subject.source import Source, read_source

_COLOURS = np.random.default_rng(4).integers(40, 256, (len(CLASSES), 3)).astype(np.uint8)
_ROW = 6  # cells of a row of --maps-only


@dataclass
class Args:
    """Make filmstrips."""

    files: Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="CLIP|PHOTO")]]
    moments: int = 3
    """Of each file, those that differ most."""
    side: int = 384
    """Of a cell, px."""
    maps_only: bool = False
    out: Path = OUT / "head_sheets"
    """Where the PNG files go."""


def crop_of(view: View, side: int) -> np.ndarray:
    """[side, side, 3] the picture that the estimator was shown."""
    box = (view.crop.x0, view.crop.y0, view.crop.x0 + view.crop.size, view.crop.y0 + view.crop.size)
    picture = Image.fromarray(view.picture).transform(
        (side, side), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC
    )
    return np.asarray(picture)


def scaled(picture: np.ndarray, side: int) -> np.ndarray:
    """[n, n, 3] uint8 -> [side, side, 3]."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def seen_cells(source: Source, rows: np.ndarray, seen: Observation, side: int) -> list[tuple[np.ndarray, ...]]:
    """Photo, classes and normals of each row."""
    photos = [crop_of(view, side) for view in source.views(rows, INPUT_PX)]
    normals = coloured((seen.normals * (seen.certainty > 0.05)[..., None]).numpy())
    classes = _COLOURS[seen.classes.numpy()]
    return [(p, scaled(c, side), scaled(n, side)) for p, c, n in zip(photos, classes, normals, strict=True)]


def main(args: Args) -> None:
    model, levels, looks = open_head(), open_levels(), shipped_estimator()
    args.out.mkdir(parents=True, exist_ok=True)
    columns = []
    for path in args.files:
        source = read_source(model, path, 0, None, None, quiet)
        rows = source.key_rows(1 if args.maps_only else args.moments)
        seen = observed(source, rows, looks, quiet)
        cells = seen_cells(source, rows, seen, args.side)
        if args.maps_only:
            columns.append(np.concatenate([cells[0][0], cells[0][2]]))
            continue
        # Around each moment as many frames as are fitted at once, so that D_f has neighbours in time.
        some = np.unique(np.concatenate([np.clip(r + np.arange(-3, 5), 0, len(source.states) - 1) for r in rows]))
        key = np.unique(np.concatenate([some, source.key_rows(24)]))
        fitted = FittedPerson.of(model, levels, source, key, looks)
        maps = [fitted.normal_maps(posed, args.side) for posed in fitted.posed(seen, rows)]
        strip = np.concatenate([np.concatenate([*c, *m], axis=1) for c, *m in zip(cells, *maps, strict=True)])
        write_image(args.out / f"{path.stem}.png", strip)
        print(args.out / f"{path.stem}.png", flush=True)
    if columns:
        blank = np.zeros_like(columns[0])
        parts = [columns[i : i + _ROW] for i in range(0, len(columns), _ROW)]
        lines = [np.concatenate([*line, *[blank] * (_ROW - len(line))], axis=1) for line in parts]
        write_image(args.out / "maps.png", np.concatenate(lines))
        print(args.out / "maps.png")


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
