# SPDX-License-Identifier: Apache-2.0
"""`reenact edit` as a user runs it: what is written, in which order options act, and one sentence for what is wrong."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reenact.app.arguments import BadArgument
from reenact.app.edit import (
    Retime,
    parse_amounts,
    parse_cut,
    parse_fps,
    parse_mixes,
    parse_ranges,
    parse_retime,
)
from reenact.head.open import open_head
from reenact.lab.synthetic import as_tracked, synthetic_motion
from reenact.subject.store import save_head
from reenact.tracking import load_motion
from reenact.transfer import edit
from reenact.transfer.arkit_csv import read_arkit_csv
from reenact.transfer.edit import mix
from reenact.transfer.smoothing import smooth
from reenact.transfer.timing import retime
from tests.command_line import refusal, run_here, run_reenact
from tests.made_motions import assert_same, made_subject
from tests.transfer.made_motions import bundled


def test_all_options_act_in_the_documented_order(tmp_path: Path) -> None:
    options = (
        "--cut 10:50 --mirror --mix surprise:mouth,gaze --retime 0.5x --smooth 0.08 --clamp all=0.05:1 "
        "--offset jawOpen=0.1 --offset mouthSmile=-0.1 --scale mouth=1.2 --scale head=0.5"
    )
    done = run_reenact("edit", "talking", "-o", "out.motion.safetensors", *options.split(), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    path = tmp_path / "out.motion.safetensors"
    assert done.stdout == f"{path}: 40 frames, 1.3 s at 30 frames per second\n"
    wanted = edit.scale(edit.scale(bundled("talking"), "mouth", 1.2), "head", 0.5)
    wanted = edit.offset(edit.offset(wanted, "jawOpen", 0.1), "mouthSmile", -0.1)
    wanted = retime(smooth(edit.clamp(wanted, "all", 0.05, 1.0), 0.08), speed=0.5)
    wanted = edit.cut(edit.mirror(mix(wanted, bundled("surprise"), ["mouth", "gaze"])), 10, 50)
    assert_same(load_motion(path), wanted, atol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["out.motion.safetensors"]


def test_to_csv_and_back_by_way_of_the_command(tmp_path: Path) -> None:
    run_here(*"edit winks -o winks.csv --csv-flip HeadYaw".split(), folder=tmp_path)
    back = "edit winks.csv -o b.motion.safetensors --csv-flip HeadYaw --csv-fps 30000/1001"
    run_here(*back.split(), folder=tmp_path)
    track, found = bundled("winks"), load_motion(tmp_path / "b.motion.safetensors")
    assert found.fps == Fraction(30000, 1001) and found.source == "winks.csv"
    for name in ("expression", "gaze", "rotation"):
        np.testing.assert_allclose(getattr(found, name), getattr(track, name), atol=1e-4, err_msg=name)
    assert_same(read_arkit_csv(tmp_path / "winks.csv", open_head(), fps=found.fps, flipped=["HeadYaw"]), found)


def test_a_head_files_performance_is_edited(tmp_path: Path) -> None:
    track = as_tracked(synthetic_motion(1, 3))
    save_head(made_subject(track), tmp_path / "a.head")
    run_here("edit", "a.head", "-o", "a.motion.safetensors", "--mirror", folder=tmp_path)
    found = load_motion(tmp_path / "a.motion.safetensors")
    np.testing.assert_allclose(found.expression, edit.mirror(track).expression, atol=1e-6)
    np.testing.assert_allclose(found.rotation, edit.mirror(track).rotation, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("missing.csv -o out.csv", "missing.csv does not exist"),
        ("missing.motion.safetensors -o out.csv", "missing.motion.safetensors does not exist"),
        ("missing.head -o out.csv", "missing.head does not exist"),
        ("clip.mp4 -o out.csv", "clip.mp4 is neither a .motion.safetensors, .head or .csv file nor a bundled"),
        ("odd.csv -o out.motion.safetensors", "odd.csv begins with 'no csv'; want a Live Link Face csv"),
        ("smile -o out.mp4", "out.mp4 must have a name that ends in .motion.safetensors or .csv"),
        ("smile -o nowhere/out.csv", "nowhere"),
        ("odd.csv -o odd.csv", "odd.csv is also an input"),
        ("smile -o odd.csv --mix odd.csv:mouth", "odd.csv is also an input"),
        ("smile -o out.csv --scale nose=2", "nothing called nose"),
        ("smile -o out.csv --mix smile:nose", "no region nose"),
        ("smile -o out.csv --cut 10:5000", "78 frames and cannot be cut to 10:5000"),
        ("smile -o out.csv --csv-flip Yaw", "no angle Yaw"),
        ("smile -o out.csv --smooth -1", "smoothing over -1 seconds"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(tmp_path: Path, arguments: str, said: str) -> None:
    (tmp_path / "odd.csv").write_text("no csv")
    (tmp_path / "clip.mp4").write_text("no video")
    assert said in refusal("edit", *arguments.split(), folder=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "odd.csv"]
    assert (tmp_path / "odd.csv").read_text() == "no csv"


def test_options_are_read_as_written() -> None:
    assert parse_amounts("--scale", ["mouth=1.2", "head=0"]) == [("mouth", 1.2), ("head", 0.0)]
    assert parse_ranges(["all=0:1", "jawOpen=.1:.5"]) == [("all", 0.0, 1.0), ("jawOpen", 0.1, 0.5)]
    assert parse_retime("0.5x") == Retime(speed=0.5) and parse_retime("120") == Retime(frames=120)
    assert parse_retime("30fps") == Retime(fps=Fraction(30))
    assert parse_retime("30000/1001fps") == Retime(fps=Fraction(30000, 1001))
    assert parse_fps("29.97") == Fraction(2997, 100)
    assert parse_mixes(["C:/a.csv:mouth,gaze"]) == [(Path("C:/a.csv"), ["mouth", "gaze"])]
    assert parse_cut("10:50") == (10, 50) and parse_cut(":50") == (None, 50) and parse_cut("10:") == (10, None)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *(
            (lambda t: parse_amounts("--scale", [t]), text)
            for text in ("mouth", "mouth=", "=1", "mouth=x", "mouth=nan")
        ),
        *((lambda t: parse_ranges([t]), text) for text in ("all", "all=0", "all=0:x", "=0:1", "all=0:inf")),
        *((parse_retime, text) for text in ("", "x", "fps", "fast", "-5", "1.5", "0fps", "1/0fps", "12 fps x")),
        *((parse_fps, text) for text in ("", "0", "-3", "fast", "1000", "1/0", "inf")),
        *((lambda t: parse_mixes([t]), text) for text in ("", "a.csv", "a.csv:", ":mouth")),
        *((parse_cut, text) for text in ("", "10", "a:b", "-1:5", "1.5:3", "1:2:3")),
    ],
)
def test_options_that_make_no_sense_are_refused(parse, text: str) -> None:
    with pytest.raises(BadArgument):
        parse(text)
