# SPDX-License-Identifier: Apache-2.0
"""Track every development clip: error, speed and jitter.

    python -m benchmarks.tracking
    python -m benchmarks.tracking --clips liveportrait_d0.mp4 --refine none

Error: median distance of the fitted landmarks (shifted along the skin as tracking/placement.py says) from the detected
ones, in percent of the inter-ocular distance (outer eye corners) and of the face's height (forehead to chin, both in
the picture); with --mesh also without that shift, which is what the motion file alone reproduces. Speed: whole frames
from the file to the fitted track, detection and person fit included. Jitter: on the stillest second of a clip, root
mean square second difference over frames of head rotation (degrees), head position (millimetres) and expression codes
(activation, mean over the 52). The table has medians over clips.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

from benchmarks.common import SHARED, Recorded, clip_file, record
from reenact.head.open import open_head
from reenact.head.personal import personal_rig
from reenact.head.state import HeadState
from reenact.media import probe
from reenact.tracking import CoarseTrack, track_video
from reenact.tracking.track import Refinement, see_video


@dataclass(frozen=True)
class Arguments(Recorded):
    """Measure tracking."""

    shared: Path = SHARED
    """Folder that holds data/dev/clips."""
    clips: tuple[str, ...] = ()
    """File names of development clips; none means all."""
    mesh: bool = False
    """Detect the landmarks once more to measure the error of the mesh's own places, too."""
    refine: tuple[Refinement, ...] = ("none", "flow")
    """As in `reenact track`; a row of the table each."""


def face_scales(track: CoarseTrack) -> tuple[float, float]:
    """Return inter-ocular distance and face height, px, medians over frames of the fitted landmarks."""
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
    """Return the median distance of the landmarks from their places on the mesh, px, without the person's placement.

    This is what the motion file alone reproduces.
    """
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
    """Return second differences on the stillest second: degrees, millimetres, activation."""
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


def measured(clip: Path, refine: Refinement, mesh: bool) -> dict[str, str | int | float | None]:
    """Track one clip and return its numbers."""
    started = time.perf_counter()
    track = track_video(open_head(), clip, refine=refine)
    seconds = time.perf_counter() - started
    eyes, height = face_scales(track)
    residual = float(np.nanmedian(track.residual_px))
    degrees, millimetres, code = jitter(track)
    return {
        "clip": clip.name,
        "frames": len(track),
        "shots": int(track.shot.max()) + 1,
        "lost": int((~track.seen).sum()),
        "percent_inter_ocular": 100 * residual / eyes,
        "percent_face": 100 * residual / height,
        "percent_face_mesh": 100 * mesh_residual_px(track, clip) / height if mesh else None,
        "seconds": seconds,
        "jitter_deg": degrees,
        "jitter_mm": millimetres,
        "jitter_code": code,
    }


def summary(clips: list[dict[str, str | int | float | None]]) -> dict[str, int | float | None]:
    """Return medians over clips, and the speed over all frames."""

    def column(key: str) -> np.ndarray:
        return np.asarray([clip[key] for clip in clips if clip[key] is not None], np.float64)

    frames, seconds = column("frames"), column("seconds")
    out: dict[str, int | float | None] = {"clips": len(clips)}
    for key in ("percent_face", "percent_face_mesh", "percent_inter_ocular", "jitter_deg", "jitter_mm", "jitter_code"):
        known = column(key)
        out[key] = float(np.nanmedian(known)) if np.isfinite(known).any() else None
    out["frames_per_second"] = float(frames.sum() / seconds.sum())
    return out | {"frames_per_second_median": float(np.median(frames / seconds))}


def main(arguments: Arguments) -> None:
    """Track all clips once for each kind of refinement."""
    folder = clip_file("any", arguments.shared).parent
    if not folder.is_dir():
        raise SystemExit(f"{folder} does not exist; name the folder that holds data/dev with --shared")
    names = arguments.clips or sorted(p.name for p in folder.iterdir())
    rows, every = [], {}
    for refine in arguments.refine:
        every[refine] = []
        for name in names:
            clip = measured(folder / name, refine, arguments.mesh)
            every[refine].append(clip)
            print(
                ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in clip.items()), flush=True
            )
        rows.append({"refine": refine, **summary(every[refine])})
    detector = f"mediapipe {version('mediapipe')} FaceLandmarker"
    finite = {refine: [{k: _finite(v) for k, v in clip.items()} for clip in clips] for refine, clips in every.items()}
    record("tracking", rows, arguments, detector=detector, clips=finite)


def _finite(value: str | int | float | None) -> str | int | float | None:
    return None if isinstance(value, float) and not np.isfinite(value) else value


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
