# SPDX-License-Identifier: Apache-2.0
"""A whole run: inputs, videos of each system, scores, tables and the page; it resumes where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reenact.lab.workers import spread
from reenact.media import InputError
from reenact.media.files import written_beside
from reenact.media.progress import Progress

from .folder import load_scores, save_scores, score_folder
from .page import write_page
from .protocol import Manifest, Pair
from .ranking import ranking, ranking_table
from .summary import HEADLINES, problems, table
from .systems import SYSTEMS


@dataclass(frozen=True)
class _Making:
    system: str
    pair: Pair
    inputs: Path
    folder: Path


def run(
    make_inputs: Callable[[Path, Progress], Manifest],
    out: Path,
    systems: Sequence[str],
    progress: Progress,
    identity: Sequence[Path] = (),
    jobs: int = 1,
) -> Path:
    """Evaluate systems of ours on what `make_inputs(OUT/inputs, progress)` writes there. Returns OUT.

    OUT/inputs, OUT/videos/SYSTEM/PAIR.mp4, OUT/SYSTEM.json, OUT/report.md, OUT/report.html. Videos and scores that are
    there already are kept. Raises InputError for unknown systems and unusable data.
    """
    for system in systems:
        if system not in SYSTEMS:
            raise InputError(f"there is no system called {system}; want some of {', '.join(SYSTEMS)}")
    inputs = out / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    manifest = make_inputs(inputs, progress)
    folders = {system: out / "videos" / system for system in systems}
    for system, folder in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [pair for pair in manifest.pairs if not (folder / f"{pair.name}.mp4").exists()]
        work = [_Making(system, pair, inputs, folder) for pair in wanted]
        spread(_make, work, jobs, f"making {system}", progress)
        result = out / f"{system}.json"
        if not result.exists():
            save_scores(score_folder(system, manifest, inputs, folder, progress, identity, jobs), result)
    _report(manifest, out, folders)
    return out


def _make(making: _Making) -> None:
    output = making.folder / f"{making.pair.name}.mp4"
    SYSTEMS[making.system](making.pair, making.inputs, output)


def _report(prepared: Manifest, out: Path, folders: dict[str, Path]) -> None:
    """Write OUT/report.md and OUT/report.html from OUT/SYSTEM.json."""
    results = [load_scores(out / f"{system}.json") for system in folders]
    keys = sorted({(p["protocol"], p["motion_mode"]) for scores in results for p in scores["pairs"]})
    parts = [f"# {prepared.name}\n"]
    for protocol, mode in keys:
        parts.append(f"\n## {protocol}-reenactment, {mode} motion\n\n{table(results, protocol, mode, HEADLINES)}\n")
        parts.append(f"\n{ranking_table(ranking(results, protocol, mode))}\n")
    if lines := problems(results):
        parts.append(f"\n## Not or not wholly measured\n\n{lines}\n")
    with written_beside(out / "report.md") as partial:
        partial.write_text("".join(parts), encoding="utf-8")
    write_page(results, out / "report.html", folders, out / "inputs", prepared.pairs, ("psnr/face", "aed"))
