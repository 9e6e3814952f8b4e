# SPDX-License-Identifier: Apache-2.0
"""Render the tables of measured results in docs/: ``python -m benchmarks.tables [--check]``.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. Its rows are benchmarks/results/*.json, which the
benchmarks write with `--record`; `TABLES` says which results and columns. With --check nothing is written, and the exit
code is 1 if docs/ differ from what would be, a table is on no page or a result in no table.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results"
DOCS: Final = Path(__file__).parents[1] / "docs"

Row = Mapping[str, Any]
_SLOT: Final = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """How results are shown."""

    results: str
    """Name of the result, or a pattern of names whose rows are shown together, each with its commit and date."""
    columns: Mapping[str, str]
    """Column title -> format of the cell (str.format over the row's values); a value that a row lacks is a dash."""
    command: str = ""
    """What repeats all results of a pattern of names."""

    @property
    def is_collection(self) -> bool:
        return "*" in self.results

    def shows(self, name: str) -> bool:
        """Return whether the result of that name is in this table."""
        return fnmatch(name, self.results)


def _agreement(*measures: str) -> dict[str, str]:
    """Columns of an independent detector's measures: correlation x amplitude."""
    return {
        title: f"{{motion_{key}_correlation:.2f}} x {{motion_{key}_amplitude:.2f}}"
        for title, key in (measure.split("=") for measure in measures)
    }


_DETECTED = _agreement("mouth=mouth", "eyes=eyes", "brows=brow")
_PICTURE = {
    "PSNR, face": "{psnr/face:.1f}", "frame": "{psnr/frame:.1f}", "mouth L1": "{l1/mouth:.3f}",
    "eyes L1": "{l1/eyes:.3f}", "FLIP, face": "{flip/face:.3f}",
}  # fmt: skip
_SYSTEM = {"motion": "{mode}", "system": "{system}"}
_PLACED = {**_SYSTEM, "place": "{place}"}
_POSE = {"AED": "{aed:.3f}", "APD, degrees": "{apd_rotation_deg:.2f}"}
_CSIM = {"CSIM": "{csim_dlib:.3f}"}
_LEAKAGE = {**_CSIM, "leakage": "{leakage_dlib:.3f}"}
_JITTER = {"jitter ratio": "{jitter_ratio:.2f}"}
_MESH = {
    "shape, mm": "{mesh_mm/face:.2f}", "motion, mm": "{mesh_motion_mm/face:.2f}",
    "of the mouth": "{mesh_motion_mm/mouth:.2f}", "of the eyes": "{mesh_motion_mm/eyes:.2f}",
}  # fmt: skip
_SURFACE = "{%s_median_mm:.2f} ({%s_p90_mm:.2f}), {%s_normals_deg:.1f}"
_NEAR = "{%s_median_mm:.3f}, {%s_p95_mm:.2f}"

TABLES: Final[dict[str, Table]] = {
    "expression-synthetic": Table(
        "expression-synthetic",
        {
            "": "{what}", "expression network alone": "{network:.3g}", "fit to landmarks only": "{landmarks:.3g}",
            "fit with evidence": "{fitted:.3g}",
        },
    ),
    "expression-clips": Table("expression-clips", {"action": "{action}", "correlation": "{r:.2f}"}),
    "expression-labelled": Table(
        "expression-labelled",
        {
            "action": "{action}", "faces that do it": "{done}", "correlation": "{r:.2f}", "mean label": "{label:.2f}",
            "mean code": "{code:.2f}",
        },
    ),
    "emotion-pairs": Table(
        "emotion-pairs",
        {"motion": "{mode}", "arrives clearly": "{clearly}", "by half": "{half}", "pairs": "{pairs}"},
    ),
    "tracking": Table(
        "tracking",
        {
            "refined by": "{refine}", "clips": "{clips}", "error, % of face height": "{percent_face:.2f}",
            "of inter-ocular distance": "{percent_inter_ocular:.2f}", "frames/s": "{frames_per_second:.0f}",
            "median clip": "{frames_per_second_median:.0f}", "jitter: degrees": "{jitter_deg:.2f}",
            "mm": "{jitter_mm:.2f}", "codes": "{jitter_code:.3f}",
        },
    ),
    "speed": Table(
        "speed-*",
        {
            "what": "{what}", "px": "{size_px}", "ms a frame": "{ms:g}", "ratio": "{ratio:.2f}", "to": "{ratio_to}",
        },
        "python -m benchmarks.speed",
    ),
    "memory": Table("memory", {"frames": "{frames}", "peak, MiB": "{peak_mib:.0f}"}),
    "independent-check": Table(
        "independent-check",
        {
            "clip": "{clip}", "photo": "{photo}",
            **_agreement("mouth=mouth", "width of the mouth=width", "eyes=eyes", "brows=brow"),
        },
    ),
    "hard-files": Table("hard-files", {"outcome": "{outcome}", "tries": "{tries}"}),
    "evaluation-self": Table("evaluation-self", {**_PLACED, **_PICTURE, **_POSE, **_CSIM, **_DETECTED, **_JITTER}),
    "evaluation-cross": Table("evaluation-cross", {**_PLACED, **_POSE, **_LEAKAGE, **_DETECTED, **_JITTER}),
    "evaluation-synth": Table("evaluation-synth", {**_PLACED, **_PICTURE, **_DETECTED, **_JITTER, **_MESH}),
    "offsets-self": Table(
        "offsets-self",
        {"system": "{system}", "PSNR, face": "{psnr/face:.2f}", "landmarks, %": "{landmark_error_478:.2f}",
         "AED": "{aed:.3f}", **_CSIM, **_DETECTED},
    ),
    "offsets-cross": Table("offsets-cross", {"system": "{system}", "AED": "{aed:.3f}", **_LEAKAGE, **_DETECTED}),
    "generators-self": Table(
        "generators-self",
        {
            "system": "{system}", "PSNR, face": "{psnr/face:.2f}", "frame": "{psnr/frame:.2f}",
            "mouth": "{psnr/mouth:.2f}", "eyes": "{psnr/eyes:.2f}", "SSIM, face": "{ssim/face:.4f}",
            "FLIP, face": "{flip/face:.4f}", "L1, mouth": "{l1/mouth:.4f}", "eyes L1": "{l1/eyes:.4f}",
            "AED": "{aed:.4f}", "APD, degrees": "{apd_rotation_deg:.2f}",
            "CSIM to the truth": "{csim_truth_dlib:.4f}",
            "correlation of mouth, eyes, brows":
                "{motion_mouth_correlation:.2f}, {motion_eyes_correlation:.2f}, {motion_brow_correlation:.2f}",
            "blinks, shut lips (F1)": "{blink_f1:.2f}, {lips_shut_f1:.2f}", **_JITTER, "flow-warp": "{flow_warp:.4f}",
        },
    ),
    "generators-cross": Table(
        "generators-cross",
        {
            **_SYSTEM, "AED": "{aed:.3f}", "APD, degrees": "{apd_rotation_deg:.1f}", **_LEAKAGE,
            "correlation of mouth, eyes, brows":
                "{motion_mouth_correlation:.2f}, {motion_eyes_correlation:.2f}, {motion_brow_correlation:.2f}",
            **_JITTER,
        },
    ),
    "generators-synth": Table(
        "generators-synth",
        {
            "system": "{system}", "PSNR, face": "{psnr/face:.2f}", "mouth": "{psnr/mouth:.2f}",
            "frame": "{psnr/frame:.2f}", "FLIP, face": "{flip/face:.3f}", "L1, mouth": "{l1/mouth:.4f}",
            "eyes L1": "{l1/eyes:.4f}", "AED": "{aed:.3f}", "APD, degrees": "{apd_rotation_deg:.1f}",
            "CSIM to the truth": "{csim_truth_dlib:.3f}", "correlation of mouths": "{motion_mouth_correlation:.2f}",
            "flow-warp": "{flow_warp:.4f}",
        },
    ),
    "long-video": Table("long-video", {"of 60 seconds": "{what}", "": "{value:.4g}"}),
    "generator-ablation": Table(
        "generator-ablation",
        {
            "control signal": "{control}", "frame": "{frame:.2f}", "face": "{face:.2f}",
            "lips and mouth": "{mouth:.2f}",
        },
    ),
    "transfer": Table(
        "transfer",
        {
            "method": "{method}", "face: median, 95 %": _NEAR.replace("%s", "face"),
            "mouth": _NEAR.replace("%s", "mouth"), "eyes": _NEAR.replace("%s", "eyes"),
            "face: rms": "{face_rms_mm:.3f}",
        },
    ),
    "transfer-contact": Table(
        "transfer-contact",
        {
            "method": "{method}", "lips apart, mm": "{lips_gap_median_mm:.2f}",
            "through one another, 99 %": "{lips_through_p99_mm:.2f}", "lids apart": "{lids_gap_median_mm:.2f}",
            "through": "{lids_through_p99_mm:.2f}", "triangles turned over, of a million": "{inverted_ppm:.0f}",
        },
    ),
    "transfer-real": Table(
        "transfer-real",
        {
            "clip": "{clip}", "none (a)": "{none_deg:.2f}, {none_px:.3f}",
            "followed (b)": "{followed_deg:.2f}, {followed_px:.3f}",
            "own (c)": "{own_deg:.2f}, {own_px:.3f}",
            "fitted to these frames": "{fitted_deg:.2f}, {fitted_px:.3f}",
        },
    ),
    "head-fit": Table(
        "head-fit",
        {
            "maps": "{maps}", "coarse": _SURFACE.replace("%s", "coarse"),
            "with static offsets": _SURFACE.replace("%s", "static"), "with both": _SURFACE.replace("%s", "both"),
        },
    ),
    "head-fit-terms": Table(
        "head-fit-terms",
        {
            "left out": "{without}", "coarse, median mm": "{coarse_median_mm:.2f}", "with both": "{both_median_mm:.2f}",
        },
    ),
    "head-held-out": Table(
        "head-held-out",
        {
            "fitted to": "{split}", "head": "{head}",
            "normals, degrees: fitted to, others": "{fitted_deg:.2f}, {held_out_deg:.2f}",
            "landmarks, px": "{fitted_px:.2f}, {held_out_px:.2f}",
        },
    ),
    "head-identity": Table(
        "head-identity-*",
        {
            "set": "{set}", "one person, mm": "{same_mm:.2f}", "different people": "{different_mm:.2f}",
            "ratio": "{ratio:.2f}", "ratio of coarse neutrals": "{coarse_ratio:.2f}",
        },
        "python -m benchmarks.head_identity",
    ),
    "head-cost": Table(
        "head-cost",
        {
            "video": "{video}", "frames": "{frames}", "fit, s": "{seconds:.0f}", "peak memory, GiB": "{peak_gib:.2f}",
            "file, MB": "{file_mb:.1f}",
        },
    ),
    "export-sizes": Table(
        "export-sizes",
        {
            "`--detail`": "`{detail}`", "vertices": "{vertices:,}", "triangles": "{triangles:,}",
            "file, a photo": "{photo_mb:.3g} MB", "file, 84 frames": "{clip_mb:.3g} MB",
        },
    ),
    "wan-costs": Table(
        "wan-costs",
        {
            "": "{what}", "Wan2.1-I2V-14B": "{wan21_i2v_14b}", "Wan2.2-I2V-A14B, each of 2": "{wan22_i2v_a14b}",
            "Wan2.2-TI2V-5B": "{wan22_ti2v_5b}",
        },
    ),
}  # fmt: skip


def result_table(table: Table, results: Sequence[Row]) -> str:
    """Return the Markdown table of some results, and below it where they come from."""
    columns = dict(table.columns)
    if table.is_collection:
        columns |= {"commit": "{commit}", "date": "{date}"}
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for result in results:
        shared = {"commit": result["commit"], "date": result["date"]}
        lines += ["| " + " | ".join(_cell(c, row | shared) for c in columns.values()) + " |" for row in result["rows"]]
    machines = ", ".join(dict.fromkeys(result["machine"] for result in results))
    if table.is_collection:
        source = f"{machines}. Repeat with `{table.command}`."
    else:
        (only,) = results
        again = only.get("note") or f"Repeat with `{only['command']}`."
        source = f"Commit {only['commit']}, {only['date']}, {machines}. {again}"
    return "\n".join([*lines, "", source])


def _cell(form: str, row: Row) -> str:
    """One cell; a dash where the row lacks a value that the cell needs."""
    try:
        return form.format(**{key: value for key, value in row.items() if value is not None})
    except KeyError:
        return "-"


def results_of(table: Table) -> list[Row]:
    """Read the results of a table, in the order of their names. Raises FileNotFoundError if there is none."""
    paths = sorted(RESULTS.glob(f"{table.results}.json"))
    if not paths:
        raise FileNotFoundError(f"{RESULTS} holds no {table.results}.json; want it from a benchmark with --record")
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def with_tables(text: str) -> str:
    """Return the text of a page with its tables made anew. Raises KeyError for one that TABLES does not have."""

    def made(slot: re.Match[str]) -> str:
        table = TABLES[slot["name"]]
        return f"{slot[1]}\n{result_table(table, results_of(table))}\n\n{slot[3]}"

    return _SLOT.sub(made, text)


def left_over(pages: Sequence[str]) -> list[str]:
    """Return one sentence for each table that is on no page and each result that is in no table."""
    shown = {slot["name"] for page in pages for slot in _SLOT.finditer(page)}
    out = [f"the table {name} is on no page of docs/" for name in TABLES if name not in shown]
    results = sorted(path.stem for path in RESULTS.glob("*.json"))
    return out + [f"{name}.json is in no table" for name in results if not any(t.shows(name) for t in TABLES.values())]


def main() -> int:
    """Write the tables, or with --check say what differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a page would change")
    check = parser.parse_args().check
    before = {page: page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}
    after = {page: with_tables(text) for page, text in before.items()}
    problems = left_over(list(after.values()))
    for page in (page for page in before if after[page] != before[page]):
        if check:
            problems.append(f"{page.relative_to(DOCS.parent)} differs from benchmarks/results")
        else:
            page.write_text(after[page], encoding="utf-8")
            print(f"wrote {page.relative_to(DOCS.parent)}")
    for problem in problems:
        print(problem)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
