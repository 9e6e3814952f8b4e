# SPDX-License-Identifier: Apache-2.0
"""Track every dev clip: residual, speed and jitter.  `python -m benchmarks.track_clips [--shared ../shared]`.

Landmark error: median distance of the fitted landmarks (shifted along the skin as tracking/placement.py says) from the
detected ones, in percent of the inter-ocular distance (outer eye corners) and of the face's height (forehead to chin,
both in the picture); beside it the same without that shift, which is what the motion file alone reproduces.  Speed:
whole frames from the file to the fitted track, detection and person fit included.  Jitter: on the stillest second of a
clip, root mean square second difference over frames of head rotation (degrees), head position (millimetres) and
expression codes (activation, mean over the 52).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

from benchmarks.common import OUT, SHARED, clip_file, provenance, write_json
from reenact.head.open import open_head
from reenact.head.personal import personal_rig
from reenact.head.state import HeadState
from reenact.media import probe
from reenact.tracking import CoarseTrack, track_video
from reenact.tracking.track import Refinement, see_video


@dataclass
class Args:
    """Measure tracking."""

    shared: Path = SHARED
    clips: list[str] = field(default_factory=list)
    """File names below dev/clips; none means all."""
    mesh: bool = True
    """Detect the landmarks once more to measure the error of the mesh's own places, which the file can reproduce."""
    refine: Refinement = "flow"
    """As in `reenact track`: without flow ("none"), what the landmark fit itself takes."""
    out: Path = OUT / "track_clips.json"


def face_scales(track: CoarseTrack) -> tuple[float, float]:
    """Inter-ocular distance and face height, px, as medians over the frames (from the fitted landmarks)."""
    head = open_head()
    rig = personal_rig(head, track.identity[0])
    rows = np.linspace(0, len(track) - 1, min(len(track), 50)).astype(int)
    states = [
        HeadState(track.expression[i], track.gaze[i], track.R_cam_head[i], track.t_cam_head[i])
        for i in rows
        if track.shot[i] == 0
    ]
    shape = rig.deform(np.stack([s.expression for s in states]), np.stack([s.gaze for s in states]))
    points = head.topology.landmarks(shape)
    px = []
    for p, s in zip(points, states, strict=True):
        cam = p @ s.R_cam_head.T + s.t_cam_head
        px.append(track.focal_px[0] * cam[:, :2] / cam[:, 2:])
    px = np.stack(px)
    eyes = np.linalg.norm(px[:, 33] - px[:, 263], axis=1)
    height = np.linalg.norm(px[:, 10] - px[:, 152], axis=1)
    return float(np.median(eyes)), float(np.median(height))


def mesh_residual_px(track: CoarseTrack, clip: Path) -> float:
    """Median distance of the landmarks from their places on the mesh, not moved to where the detector sees them on this
    person: what the motion file alone reproduces."""
    sightings = see_video(probe(clip), 0, "each", None, lambda stage, done, total: None)
    head = open_head()
    errors = []
    for shot in range(int(track.shot.max()) + 1):
        rig = personal_rig(head, track.identity[shot])
        for i in np.flatnonzero((track.shot == shot) & track.seen):
            points = sightings.points[track.frame[i]]
            if points is None:
                continue
            shape = rig.deform(track.expression[i : i + 1], track.gaze[i : i + 1])[0]
            cam = head.topology.landmarks(shape) @ track.R_cam_head[i].T + track.t_cam_head[i]
            px = track.focal_px[shot] * cam[:, :2] / cam[:, 2:] + (track.width / 2, track.height / 2)
            errors.append(float(np.median(np.linalg.norm(px - points, axis=1))))
    return float(np.median(errors))


def jitter(track: CoarseTrack) -> tuple[float, float, float]:
    """Second differences on the stillest second: degrees, millimetres, activation."""
    window = max(5, round(float(track.fps)))
    if len(track) < window + 2:
        window = len(track) - 2
    if window < 3:
        return float("nan"), float("nan"), float("nan")
    turn = Rotation.from_matrix(track.R_cam_head[1:] @ track.R_cam_head[:-1].transpose(0, 2, 1)).as_rotvec()
    move, codes = np.diff(track.t_cam_head, axis=0), np.diff(track.expression, axis=0)
    motion = np.linalg.norm(turn, axis=1) + np.linalg.norm(move, axis=1) + 0.1 * np.linalg.norm(codes, axis=1)
    start = int(np.argmin(np.convolve(motion, np.ones(window), "valid")))
    rows = slice(start, start + window)

    def rms(x: np.ndarray) -> float:
        return float(np.sqrt((np.diff(x[rows], axis=0) ** 2).mean()))

    return np.degrees(rms(turn)), 1e3 * rms(move), rms(codes)


def main(args: Args) -> None:
    folder = clip_file("any", args.shared).parent
    if not folder.is_dir():
        raise SystemExit(f"{folder} does not exist; name the folder that holds data/dev with --shared")
    names = args.clips or sorted(p.name for p in folder.iterdir())
    rows = []
    print(f"{provenance()}\n")
    print(
        "| clip | frames | shots | lost | % inter-ocular | % face | % face, mesh | frames/s | jitter deg | mm | code |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in names:
        started = time.perf_counter()
        track = track_video(open_head(), folder / name, refine=args.refine)
        seconds = time.perf_counter() - started
        eyes, height = face_scales(track)
        residual = float(np.nanmedian(track.residual_px))
        degrees, millimetres, code = jitter(track)
        mesh = 100 * mesh_residual_px(track, folder / name) / height if args.mesh else None
        row = {
            "clip": name, "frames": len(track), "shots": int(track.shot.max()) + 1, "lost": int((~track.seen).sum()),
            "residual_px": residual, "percent_inter_ocular": 100 * residual / eyes,
            "percent_face": 100 * residual / height, "percent_face_mesh": mesh,
            "frames_per_second": len(track) / seconds,
            "jitter_deg": degrees, "jitter_mm": millimetres, "jitter_code": code,
        }  # fmt: skip
        rows.append(row)
        print(
            f"| {name} | {len(track)} | {row['shots']} | {row['lost']} | {row['percent_inter_ocular']:.2f} | "
            f"{row['percent_face']:.2f} | {'-' if mesh is None else format(mesh, '.2f')} | "
            f"{row['frames_per_second']:.1f} | "
            f"{degrees:.3f} | {millimetres:.3f} | {code:.4f} |",
            flush=True,
        )
    keys = (
        "percent_inter_ocular",
        "percent_face",
        *(("percent_face_mesh",) if args.mesh else ()),
        "frames_per_second",
        "jitter_deg",
        "jitter_mm",
        "jitter_code",
    )
    medians = {key: float(np.nanmedian([r[key] for r in rows])) for key in keys}
    total = sum(r["frames"] for r in rows) / sum(r["frames"] / r["frames_per_second"] for r in rows)
    print(f"\nmedian over {len(rows)} clips: {medians}; frames/s over all frames: {total:.1f}")
    write_json(
        args.out,
        {
            **provenance(),
            "extractor": f"mediapipe {version('mediapipe')} FaceLandmarker",
            "clips": rows,
            "median": medians,
            "frames_per_second_overall": total,
        },
    )


if __name__ == "__main__":
    main(tyro.cli(Args))
