# SPDX-License-Identifier: Apache-2.0
"""A whole run, small: made-up people, every system, tables, page; twice the same; resumed."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from halving import halve

from reenact.app.arguments import BadArgument
from reenact.lab.commands.evaluate import Compare, Synth
from reenact.lab.evaluation.folder import load_scores
from reenact.lab.evaluation.mesh import load_heads
from reenact.lab.evaluation.protocol import load_manifest, prepare
from reenact.lab.evaluation.run import run
from reenact.lab.evaluation.synth import draw_benchmark
from reenact.lab.workers import spread
from reenact.media import InputError, probe, read_frames

FRAMES = 6


def quiet(stage: str, done: int, total: int | None) -> None:
    """Tests need no progress."""


def small(folder: Path, **others: int) -> Synth:
    made = {"pairs": 1, "frames": FRAMES, "size": 128, **others}
    return Synth(folder, pairs=made["pairs"], frames=made["frames"], size=made["size"], jobs=1)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert small(folder).run() == 0
    return folder


@pytest.mark.slow
def test_every_system_is_in_every_table(out: Path) -> None:
    report = (out / "report.md").read_text()
    assert report.count("cross-reenactment") == 2
    for system in ("reenact-warp", "STATIC", "WARP-2D", "REAL"):
        assert report.count(f"| {system} |") == 4  # metrics and places, both modes
        for pair in load_scores(out / f"{system}.json")["pairs"]:
            assert pair["problem"] is None and pair["scores"]["measured_on"]["frames_compared"] == FRAMES
    assert "| 1 | STATIC" not in report and "| frozen | STATIC" in report


@pytest.mark.slow
def test_truth_is_used_and_millimetres_are_there(out: Path) -> None:
    values = load_scores(out / "reenact-warp.json")["pairs"][0]["scores"]["values"]
    assert {"psnr/face", "csim_dlib", "aed", "mesh_mm/face", "mesh_motion_mm/mouth"} <= set(values)
    assert 0.1 < values["mesh_mm/face"]["mean"] < 15
    assert values["mesh_turn_deg"]["mean"] < 20  # no head stands on its head
    absent = load_scores(out / "STATIC.json")["pairs"][0]["scores"]["absent"]
    assert "the system left no" in absent["mesh"]


@pytest.mark.slow
def test_the_page_is_whole_and_fetches_nothing(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert not re.search(r"(src|href)=\"http", page) and "<script" not in page
    for part in ("by psnr/face", "truth", "reenact-warp", "<svg", "data:image/jpeg;base64"):
        assert part in page
    assert page.count("<table>") == 4


@pytest.mark.slow
def test_a_seed_always_draws_the_same_people(out: Path, tmp_path: Path) -> None:
    """Also when drawn beside others, and in other processes."""
    again = draw_benchmark(tmp_path, 0, 2, FRAMES, 128, quiet, jobs=2)
    pair = load_manifest(out / "inputs" / "manifest.json").pairs[0]
    assert again.pairs[0] == pair and pair.truth and pair.mesh
    for name in (pair.photo, pair.driver, pair.truth):
        assert (tmp_path / name).read_bytes() == (out / "inputs" / name).read_bytes()
    drawn, before = load_heads(tmp_path / pair.mesh), load_heads(out / "inputs" / pair.mesh)
    np.testing.assert_array_equal(drawn.shapes, before.shapes)
    # It begins as the photo shows it: at rest, looking at the camera.
    np.testing.assert_allclose(drawn.shapes[0], drawn.photo, atol=1e-6)
    np.testing.assert_allclose(drawn.R_cam_head[0], np.diag([1.0, -1.0, -1.0]), atol=1e-6)
    first, last = ([f.image for f in read_frames(probe(tmp_path / pair.truth))][k] for k in (0, -1))
    assert np.abs(first.astype(int) - last).mean() > 2  # something happens
    other = draw_benchmark(tmp_path / "other", 1, 1, 1, 128, quiet).pairs[0]
    assert (tmp_path / "other" / other.photo).read_bytes() != (tmp_path / pair.photo).read_bytes()


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(out: Path) -> None:
    kept = (out / "STATIC.json").read_bytes()
    (out / "REAL.json").unlink()
    (out / "report.md").unlink()
    assert small(out).run() == 0
    assert (out / "STATIC.json").read_bytes() == kept and (out / "REAL.json").exists() and (out / "report.md").exists()


@pytest.mark.slow
def test_compare_needs_one_manifest(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Compare(out / "STATIC.json", out / "reenact-warp.json").run() == 0
    assert "| psnr/face | up |" in capsys.readouterr().out
    other = json.loads((out / "STATIC.json").read_text()) | {"manifest": "another"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="of another"):
        Compare(out / "STATIC.json", tmp_path / "other.json").run()


@pytest.mark.slow
def test_unknown_systems_are_refused(out: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no system called MAGIC"):
        run(partial(prepare, load_manifest(out / "inputs" / "manifest.json"), out), tmp_path, ["MAGIC"], quiet)
    assert not any(tmp_path.iterdir())


def test_nonsense_is_refused(tmp_path: Path) -> None:
    for name, number in (("pairs", 0), ("size", 33), ("frames", 2)):
        with pytest.raises(BadArgument, match=rf"--{name} {number}"):
            small(tmp_path, **{name: number}).run()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_work_comes_back_in_order_and_what_fails_is_raised(jobs: int) -> None:
    assert spread(halve, [5, 4, 7], jobs, "x", quiet) == [0.5, 1.0, 0.25]
    with pytest.raises(ZeroDivisionError):
        spread(halve, [5, 3], jobs, "x", quiet)
