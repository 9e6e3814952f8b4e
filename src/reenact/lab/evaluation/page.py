# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page of a run: tables, plots over time, filmstrips. No script, nothing fetched."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reenact.media import probe, read_frames
from reenact.media.files import written_beside

from .ranking import ranking, ranking_table
from .summary import abouts, pair_means, problems, values

_COLOURS = ("#0b62a4", "#d1495b", "#66a182", "#8d6a9f", "#edae49", "#444444")
_WIDTH, _HEIGHT = 560, 120
_STYLE = """body{font:14px system-ui,sans-serif;margin:2em;max-width:1200px}table{border-collapse:collapse;margin:1em 0}
td,th{border:1px solid #ccc;padding:2px 8px;text-align:right}td:first-child,th:first-child{text-align:left}
small{color:#666}img{display:block;margin:.3em 0}svg{margin:.3em 1em .3em 0;background:#fafafa}"""


def write_page(
    results: Sequence[Mapping[str, Any]],
    path: Path,
    videos: Mapping[str, Path],
    inputs: Path,
    manifest_pairs: Sequence[Any],
    rank_by: Sequence[str],
) -> None:
    """Write the page of several systems' result files.

    videos: system -> folder of its videos. inputs: of the prepared manifest. manifest_pairs: protocol.Pair of it.
    rank_by: metrics; the first that the first system has says which pairs are best and worst.
    """
    title = html.escape(str(results[0]["manifest"]))
    parts = [f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"]
    first = results[0]
    about = f"reenact {first['reenact']}, commit {first['commit']}, {first['machine']}, Python {first['python']}"
    parts.append(f"<p><small>{html.escape(about)}. Means over pairs; ± half a 95 % interval over pairs.</small>")
    keys = sorted({(p["protocol"], p["motion_mode"]) for scores in results for p in scores["pairs"]})
    for protocol, mode in keys:
        parts.append(f"<h2>{protocol}-reenactment, {mode} motion</h2>{_places(results, protocol, mode)}")
        parts.append(f"<details open><summary>All metrics</summary>{_table(results, protocol, mode)}</details>")
        chosen = _ranked(first, protocol, mode, rank_by)
        for word, name in chosen:
            pair = next(p for p in manifest_pairs if p.name == name)
            parts.append(f"<h3>{word}: {html.escape(name)}</h3>")
            strips = [("driver", inputs / pair.driver), *_truth(pair, inputs)] + [
                (system, folder / f"{name}.mp4") for system, folder in videos.items()
            ]
            parts += [_strip(label, video) for label, video in strips if video.is_file()]
            parts += _plots(results, name)
    if lines := problems(results):
        parts.append(f"<h2>Not or not wholly measured</h2><pre>{html.escape(lines)}</pre>")
    with written_beside(path) as partial:
        partial.write_text("\n".join(parts), encoding="utf-8")


def _places(results: Sequence[Mapping[str, Any]], protocol: str, mode: str) -> str:
    lines = ranking_table(ranking(results, protocol, mode)).splitlines()
    rows = [[html.escape(text.strip()) for text in line.strip("|").split("|")] for line in lines if "---" not in line]
    return "<table>" + "".join("<tr><td>" + "<td>".join(row) for row in rows) + "</table>"


def _table(results: Sequence[Mapping[str, Any]], protocol: str, mode: str) -> str:
    known = {key: about for scores in results for key, about in abouts(scores).items()}
    means = [pair_means(scores, protocol, mode) for scores in results]
    head = "".join(f"<th>{html.escape(scores['system'])}" for scores in results)
    rows = [f"<tr><th>metric<th>better{head}"]
    for key in sorted({key for by in means for key in by}):
        tip = html.escape(f"{known[key]['units']}; {known[key]['extractor']}", quote=True)
        row = f'<tr><td title="{tip}">{html.escape(key)}<td>{known[key]["better"]}'
        rows.append(row + "".join(f"<td>{by.get(key, '-')}" for by in means))
    return "<table>" + "".join(rows) + "</table>"


def _ranked(scores: Mapping[str, Any], protocol: str, mode: str, rank_by: Sequence[str]) -> list[tuple[str, str]]:
    measured = values(scores, protocol, mode)
    metric = next((metric for metric in rank_by if metric in measured), None)
    if metric is None:
        return []
    by_pair = measured[metric]
    up = abouts(scores)[metric]["better"] == "higher"
    order = sorted(by_pair, key=lambda name: by_pair[name], reverse=up)
    picks = {0: "best", len(order) // 2: "median", len(order) - 1: "worst"}
    return [(f"{word} by {metric}", order[i]) for i, word in sorted(picks.items())]


def _truth(pair: Any, inputs: Path) -> list[tuple[str, Path]]:
    """List the truth's strip where it is not the driver's."""
    return [("truth", inputs / pair.truth)] if pair.truth is not None and pair.truth != pair.driver else []


def _strip(label: str, video: Path) -> str:
    count = sum(1 for _ in read_frames(probe(video)))
    numbers = set(np.linspace(0, count - 1, 6).round().astype(int).tolist())
    cells = []
    for frame in read_frames(probe(video)):
        if frame.index in numbers:
            factor = 160 / frame.image.shape[0]
            size = max(1, round(frame.image.shape[1] * factor)), 160
            cells.append(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA))
    done, data = cv2.imencode(".jpg", np.hstack(cells)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    coded = base64.b64encode(np.asarray(data, np.uint8).tobytes()).decode()
    return f'<small>{html.escape(label)}</small><img src="data:image/jpeg;base64,{coded}">'


def _plots(results: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """Plot over time each metric that has a series, all systems in one."""
    series: dict[str, list[tuple[str, list[float | None]]]] = {}
    for scores in results:
        pair = next((p for p in scores["pairs"] if p["name"] == name), None)
        for key, value in ((pair or {}).get("scores") or {"values": {}})["values"].items():
            if value.get("series"):
                series.setdefault(key, []).append((scores["system"], value["series"]))
    return [_svg(key, lines) for key, lines in sorted(series.items())]


def _svg(title: str, lines: list[tuple[str, list[float | None]]]) -> str:
    known = [v for _, numbers in lines for v in numbers if v is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    head = f'<svg width="{_WIDTH}" height="{_HEIGHT + 34}">'
    out = [head, _text(4, 14, title), _text(_WIDTH - 120, 14, f"{low:.3g} to {high:.3g}")]
    for number, (system, numbers) in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        step = _WIDTH / max(len(numbers) - 1, 1)
        points = [(i * step, 20 + _HEIGHT * (1 - (v - low) / span)) for i, v in enumerate(numbers) if v is not None]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        out.append(f'<polyline fill="none" stroke="{colour}" points="{line}"/>')
        out.append(_text(4 + 130 * number, _HEIGHT + 32, system, colour))
    out.append("</svg>")
    return "".join(out)


def _text(x: int, y: int, words: str, colour: str = "#222") -> str:
    return f'<text x="{x}" y="{y}" font-size="11" fill="{colour}">{html.escape(words)}</text>'
