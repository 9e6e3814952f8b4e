# SPDX-License-Identifier: Apache-2.0
"""Arguments are understood or refused in one sentence that names them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reenact.app.animate import Animate
from reenact.app.arguments import (
    BadArgument,
    bundled_motions,
    check_driving,
    check_output,
    parse_strengths,
)
from reenact.cli import parse

REGIONS = st.sampled_from(["eyes", "brows", "mouth", "jaw", "gaze", "head"])


@given(st.dictionaries(REGIONS, st.floats(0, 1e6)))
def test_strengths_survive_writing_and_reading(strengths: dict[str, float]) -> None:
    assert parse_strengths([f"{region}={value}" for region, value in strengths.items()]) == strengths


@pytest.mark.parametrize("item", ["", "eyes", "eyes=", "=1", "eyes=big", "eyes=-1", "eyes=nan", "eyes=inf", "1"])
def test_bad_strength_is_refused_by_name(item: str) -> None:
    with pytest.raises(BadArgument, match="--strength") as error:
        parse_strengths(["mouth=1", item])
    assert item in str(error.value)


def test_output_must_be_a_new_file_of_the_right_kind_in_an_existing_folder(tmp_path: Path) -> None:
    photo = tmp_path / "a.mp4"
    photo.write_bytes(b"x")
    (tmp_path / "folder.mp4").mkdir()
    check_output(tmp_path / "new.mp4", ".mp4", [photo])
    for name in ("a.avi", ".mp4", "folder.mp4", "missing/b.mp4", "a.mp4"):
        with pytest.raises(BadArgument):
            check_output(tmp_path / name, ".mp4", [photo])


def test_relative_output_is_looked_for_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_output(Path("new.mp4"), ".mp4", [])


def test_unknown_performance_lists_the_bundled_ones() -> None:
    with pytest.raises(BadArgument) as error:
        check_driving(Path("no-such-motion"))
    assert all(name in str(error.value) for name in bundled_motions())


def test_animate_understands_every_option() -> None:
    command = parse(
        "animate p.jpg talking -o out.mp4 --mode absolute --strength eyes=1.2 --strength head=0.5 --face 2"
        " --size 512 --crop --compare --lost skip --cuts first -v".split()
    )
    assert command == Animate(
        source=Path("p.jpg"),
        driving=Path("talking"),
        output=Path("out.mp4"),
        mode="absolute",
        strength=("eyes=1.2", "head=0.5"),
        face=2,
        size=512,
        crop=True,
        compare=True,
        lost="skip",
        cuts="first",
        verbose=True,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "dance",
        "animate p.jpg talking",
        "animate p.jpg -o out.mp4",
        "animate p.jpg talking -o out.mp4 --mode fast",
        "animate p.jpg talking -o out.mp4 --size big",
        "track v.mp4 -o v.motion.safetensors --crop",
        "doctor now",
    ],
)
def test_arguments_that_make_no_sense_exit_with_2(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        parse(arguments.split())
    assert leaving.value.code == 2
    assert capsys.readouterr().err
