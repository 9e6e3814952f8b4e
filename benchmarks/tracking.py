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
from reenact.head.head_model import personalised
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.media import probe
from reenact.tracking import Refinement, TrackOptions, silent
from reenact.tracking import track as follow
from reenact.tracking.detect import detect_video


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


def face_scales(track: Motion) -> tuple[float, float]:
    """Return inter-ocular distance and face height, px, medians over frames of the fitted landmarks."""
    head, clip = open_head(), track.require_clip()
    own = personalised(head, clip.identity[0])
    rows = np.linspace(0, len(track) - 1, min(len(track), 50)).astype(int)
    some = track[rows[clip.shot.numpy()[rows] == 0]]
    points = head.topology.at_landmarks(own.deform(some.expression, some.gaze)).numpy()
    cam = points @ some.rotation.mT.numpy() + some.translation[:, None].numpy()
    px = float(clip.focal_px[0]) * cam[..., :2] / cam[..., 2:]
    eyes = np.linalg.norm(px[:, 33] - px[:, 263], axis=1)
    height = np.linalg.norm(px[:, 10] - px[:, 152], axis=1)
    return float(np.median(eyes)), float(np.median(height))


def mesh_residual_px(track: Motion, clip: Path) -> float:
    """Return the median distance of the landmarks from their places on the mesh, px, without the person's placement.

    This is what the motion file alone reproduces.
    """
    detected = detect_video(probe(clip), 0, "each", None, None, silent)
    head, known = open_head(), track.require_clip()
    errors = []
    for shot, (identity, focal) in enumerate(zip(known.identity, known.focal_px.tolist(), strict=True)):
        own = personalised(head, identity)
        for i in np.flatnonzero(((known.shot == shot) & known.seen).numpy()):
            points, state = detected.points[int(known.frame[i])], track[i]
            if points is None:
                continue
            shape = own.deform(state.expression, state.gaze)[0]
            cam = head.topology.at_landmarks(shape).numpy() @ state.rotation[0].numpy().T + state.translation.numpy()
            px = focal * cam[:, :2] / cam[:, 2:] + (known.width / 2, known.height / 2)
            errors.append(float(np.median(np.linalg.norm(px - points, axis=1))))
    return float(np.median(errors))


def jitter(track: Motion) -> tuple[float, float, float]:
    """Return second differences on the stillest second: degrees, millimetres, activation."""
    window = max(5, round(float(track.fps)))
    if len(track) < window + 2:
        window = len(track) - 2
    if window < 3:
        return float("nan"), float("nan"), float("nan")
    turn = Rotation.from_matrix((track.rotation[1:] @ track.rotation[:-1].mT).numpy()).as_rotvec()
    move, codes = np.diff(track.translation.numpy(), axis=0), np.diff(track.expression.numpy(), axis=0)
    motion = np.linalg.norm(turn, axis=1) + np.linalg.norm(move, axis=1) + 0.1 * np.linalg.norm(codes, axis=1)
    start = int(np.argmin(np.convolve(motion, np.ones(window), "valid")))
    rows = slice(start, start + window)

    def rms(x: np.ndarray) -> float:
        return float(np.sqrt((np.diff(x[rows], axis=0) ** 2).mean()))

    return np.degrees(rms(turn)), 1e3 * rms(move), rms(codes)


def measured(clip: Path, refine: Refinement, mesh: bool) -> dict[str, str | int | float | None]:
    """Track one clip and return its numbers."""
    started = time.perf_counter()
    track = follow(open_head(), clip, TrackOptions(refine=refine)).motion
    seconds = time.perf_counter() - started
    eyes, height = face_scales(track)
    known = track.require_clip()
    residual = float(np.nanmedian(known.residual_px.numpy()))
    degrees, millimetres, code = jitter(track)
    return {
        "clip": clip.name,
        "frames": len(track),
        "shots": len(known.identity),
        "lost": int((~known.seen).sum()),
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
