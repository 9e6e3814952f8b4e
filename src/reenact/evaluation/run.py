# SPDX-License-Identifier: Apache-2.0
"""A whole run: inputs, videos of each system, scores, tables and the page; it resumes where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reenact.media import InputError
from reenact.media.files import written_beside

from .folder import Progress, load_scores, save_scores, score_folder
from .inputs import prepare
from .markdown import HEADLINES, problems, table
from .page import write_page
from .protocol import Manifest
from .score import Extras
from .systems import SYSTEMS

RANK_BY = {"self": "psnr/face", "cross": "aed"}
"""What says which pairs are best and worst in the page's filmstrips."""


def run(
    manifest: Manifest,
    data: Path,
    out: Path,
    systems: Sequence[str],
    progress: Progress,
    extras: Extras | None = None,
) -> Path:
    """Evaluate systems of ours on a manifest. Returns the folder of the report.

    OUT/inputs, OUT/videos/SYSTEM/PAIR.mp4, OUT/SYSTEM.json, OUT/report.md, OUT/report.html. Videos and scores that are
    there already are kept. Raises InputError for unknown systems and unusable data.
    """
    for system in systems:
        if system not in SYSTEMS:
            raise InputError(f"there is no system called {system}; want some of {', '.join(SYSTEMS)}")
    inputs = out / "inputs"
    prepared = prepare(manifest, data, inputs, progress)
    folders = {system: out / "videos" / system for system in systems}
    for system, folder in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        for number, pair in enumerate(prepared.pairs, start=1):
            video = folder / f"{pair.name}.mp4"
            if not video.exists():
                SYSTEMS[system](pair, inputs, video)
            progress(f"making {system}", number, len(prepared.pairs))
        result = out / f"{system}.json"
        if not result.exists():
            save_scores(score_folder(system, prepared, inputs, folder, progress, extras), result)
    report(prepared, out, folders)
    return out


def report(prepared: Manifest, out: Path, folders: dict[str, Path]) -> None:
    """Write OUT/report.md and OUT/report.html from OUT/SYSTEM.json."""
    results = [load_scores(out / f"{system}.json") for system in folders]
    keys = sorted({(p["protocol"], p["motion_mode"]) for scores in results for p in scores["pairs"]})
    parts = [f"# {prepared.name}\n"]
    for protocol, mode in keys:
        parts.append(f"\n## {protocol}-reenactment, {mode} motion\n\n{table(results, protocol, mode, HEADLINES)}\n")
    if lines := problems(results):
        parts.append(f"\n## Not or not wholly measured\n\n{lines}\n")
    with written_beside(out / "report.md") as partial:
        partial.write_text("".join(parts), encoding="utf-8")
    write_page(results, out / "report.html", folders, out / "inputs", prepared.pairs, RANK_BY)
