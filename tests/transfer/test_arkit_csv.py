# SPDX-License-Identifier: Apache-2.0
"""Live Link Face's csv: what goes out comes in again, what the app does is understood, what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from reenact.head.arkit import ACTIONS, index
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.media import InputError
from reenact.tracking import load_motion, save_motion, tracked_subject
from reenact.tracking.face_model import landmark_model
from reenact.transfer.arkit_csv import read_arkit_csv, write_arkit_csv
from reenact.transfer.csv_rows import ANGLES, CURVES, HEADER, frame_times, parse_timecode, timecode_text
from reenact.transfer.retarget import retarget
from tests.made_motions import assert_same
from tests.transfer.made_motions import FACING, angles, bundled, made_motion
from tests.transfer.made_subjects import photographed

FIRST_OF_THE_APP = "Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,"
LAST_OF_THE_APP = ",TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,"


def read(path: Path, **options) -> Motion:
    return read_arkit_csv(path, open_head(), **options)


def recording(path: Path, rows: list[dict[str, float]], codes: list[str] | None = None, leave: int = 63) -> Path:
    """A file of the app with `rows` of values by column, 0 for the others; only the first `leave` columns."""
    lines = [",".join(HEADER[:leave])]
    for i, values in enumerate(rows):
        code = codes[i] if codes else timecode_text(i, Fraction(60))
        cells = [code, "61", *(f"{values.get(name, 0.0):.6f}" for name in HEADER[2:])]
        lines.append(",".join(cells[:leave]))
    path.write_text("\n".join(lines) + "\n")
    return path


# Layout


def test_columns_are_those_of_the_app() -> None:
    header = ",".join(HEADER)
    assert header.startswith(FIRST_OF_THE_APP) and LAST_OF_THE_APP in header and len(HEADER) == 63
    assert {name[0].lower() + name[1:] for name in CURVES} == set(ACTIONS)
    assert CURVES.index("JawRight") + 1 == CURVES.index("JawLeft")  # the app's order, not the alphabet's
    assert CURVES.index("MouthFrownRight") + 1 == CURVES.index("MouthDimpleLeft")


def test_a_written_file_has_a_line_a_frame_with_timecode_and_count(tmp_path: Path) -> None:
    write_arkit_csv(bundled("smile"), tmp_path / "smile.csv")
    lines = (tmp_path / "smile.csv").read_text().splitlines()
    assert len(lines) == 79 and lines[0] == ",".join(HEADER)
    assert [line.split(",")[:2] for line in (lines[1], lines[26], lines[78])] == [
        ["00:00:00:00.000", "61"], ["00:00:01:00.000", "61"], ["00:00:03:02.000", "61"],
    ]  # fmt: skip
    assert all(len(line.split(",")) == 63 for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["smile.csv"]


# There and back


@pytest.mark.parametrize("name", ["talking", "looking-around", "winks", "tongue"])
def test_codes_gaze_and_head_survive_the_file(tmp_path: Path, name: str) -> None:
    track = bundled(name)
    write_arkit_csv(track, tmp_path / "a.csv")
    back = read(tmp_path / "a.csv")
    for field in ("expression", "gaze", "rotation"):
        np.testing.assert_allclose(getattr(back, field), getattr(track, field), atol=1e-5, err_msg=field)
    assert back.fps == track.fps and back.require_clip().seen.all()
    assert back.require_clip().frame.tolist() == list(range(len(track)))
    assert np.ptp(track.rotation.numpy(), axis=0).max() > 0.01


@given(seed=st.integers(0, 10**6), turn=st.floats(0, 3), frames=st.integers(1, 80), fps=st.sampled_from([24, 30, 60]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_any_performance_survives_the_file(tmp_path: Path, seed: int, turn: float, frames: int, fps: int) -> None:
    """However far the head is turned."""
    track = made_motion(frames, 1, seed, Fraction(fps), turn=turn)
    write_arkit_csv(track, tmp_path / "a.csv")
    back = read(tmp_path / "a.csv", fps=Fraction(fps))
    for field in ("expression", "gaze", "rotation"):
        np.testing.assert_allclose(getattr(back, field), getattr(track, field), atol=1e-4, err_msg=field)
    assert back.fps == fps
    save_motion(back, tmp_path / "a.motion.safetensors")
    assert_same(load_motion(tmp_path / "a.motion.safetensors"), back)


def test_a_flipped_angle_is_flipped_on_both_ways(tmp_path: Path) -> None:
    track = bundled("looking-around")
    flipped = ("HeadYaw", "RightEyePitch")
    write_arkit_csv(track, tmp_path / "plain.csv")
    write_arkit_csv(track, tmp_path / "flipped.csv", flipped=flipped)
    first = [np.genfromtxt(tmp_path / f"{name}.csv", delimiter=",", names=True) for name in ("plain", "flipped")]
    for name in ANGLES:
        np.testing.assert_array_equal(first[1][name], first[0][name] * (-1 if name in flipped else 1), err_msg=name)
    assert np.abs(first[0]["HeadYaw"]).max() > 0.05
    assert_same(read(tmp_path / "flipped.csv", flipped=flipped), read(tmp_path / "plain.csv"), but=("source",))
    with pytest.raises(InputError, match="no angle Yaw in a csv"):
        read(tmp_path / "plain.csv", flipped=["Yaw"])


# What the columns mean


@pytest.mark.parametrize(
    ("column", "moved"),
    [
        ("HeadYaw", [1.0, 0.0, -1.0]),  # the nose goes to the subject's left, which is right in the picture
        ("HeadPitch", [0.0, -1.0, -1.0]),  # the nose goes up in the picture
        ("HeadRoll", [0.0, 0.0, -1.0]),
    ],
)
def test_head_angles_turn_the_nose_as_documented(tmp_path: Path, column: str, moved: list[float]) -> None:
    track = read(recording(tmp_path / "a.csv", [{column: 0.3}]))
    nose = track.rotation[0].numpy() @ [0.0, 0.0, 1.0]
    wanted = np.asarray(moved) * ([np.sin(0.3), np.sin(0.3), np.cos(0.3)] if column != "HeadRoll" else [1, 1, 1])
    np.testing.assert_allclose(nose, wanted, atol=1e-6)
    if column == "HeadRoll":  # the top goes to the subject's right, which is left in the picture
        top = track.rotation[0].numpy() @ [0.0, 1.0, 0.0]
        np.testing.assert_allclose(top, [-np.sin(0.3), -np.cos(0.3), 0], atol=1e-6)


def test_head_angles_are_applied_roll_first_then_pitch_then_yaw(tmp_path: Path) -> None:
    track = read(recording(tmp_path / "a.csv", [{"HeadYaw": 0.5, "HeadPitch": 0.4, "HeadRoll": 0.3}]))
    yaw, pitch, roll = (Rotation.from_euler(axis, a).as_matrix() for axis, a in (("y", 0.5), ("x", -0.4), ("z", 0.3)))
    np.testing.assert_allclose(track.rotation[0], FACING @ yaw @ pitch @ roll, atol=1e-6)


def test_eye_angles_are_those_of_the_other_side_as_in_recordings_of_the_app(tmp_path: Path) -> None:
    """Public recordings have, for one, EyeLookInRight 0.597 beside LeftEyeYaw -0.360."""
    row = {"EyeLookInRight": 0.597, "EyeLookUpRight": 0.373, "EyeLookOutLeft": 0.503, "EyeLookUpLeft": 0.381}
    eyes = {"LeftEyeYaw": -0.360, "LeftEyePitch": -0.174, "RightEyeYaw": -0.303, "RightEyePitch": -0.174}
    track = read(recording(tmp_path / "a.csv", [row | eyes]))
    np.testing.assert_allclose(track.gaze[0], [[0.303, 0.174], [0.360, 0.174]], atol=1e-6)
    alone = read(recording(tmp_path / "b.csv", [row]))
    np.testing.assert_allclose(alone.gaze[0], track.gaze[0], atol=0.01)
    assert not track.expression.any()  # the looks follow from the gaze


@pytest.mark.parametrize("gaze", [[[0.2, 0.1], [0.3, 0.1]], [[-0.2, -0.15], [-0.25, -0.1]]])
def test_written_looks_say_the_same_as_the_written_angles(tmp_path: Path, gaze: list[list[float]]) -> None:
    track = made_motion(3, 1).replace(gaze=np.repeat([gaze], 3, axis=0))
    write_arkit_csv(track, tmp_path / "a.csv")
    lines = [line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()]
    without = [",".join(cells[:54]) for cells in lines]
    (tmp_path / "b.csv").write_text("\n".join(without))
    np.testing.assert_allclose(read(tmp_path / "b.csv").gaze, track.gaze, atol=1e-6)


def test_an_imported_performance_can_be_given(tmp_path: Path) -> None:
    """It is the mean head, whole in the picture, and the receiver moves as it does."""
    model = open_head()
    rows = [{"JawOpen": 0.7 * (i % 10 == 5), "HeadYaw": 0.02 * (i % 7)} for i in range(40)]
    track = read(recording(tmp_path / "a.csv", rows))
    clip = track.require_clip()
    assert not clip.identity.any() and clip.head == model.name
    person = tracked_subject(model, track)
    assert clip.face_size_m[0] == pytest.approx(landmark_model(person.head).size, rel=1e-5)
    points = person.head.topology.at_landmarks(person.head.neutral).numpy()
    points = points @ track.rotation[0].numpy().T + track.translation[0].numpy()
    px = float(clip.focal_px[0]) * points[:, :2] / points[:, 2:] + 256
    assert px.min() > 60 and px.max() < 452 and np.ptp(px[:, 1]) > 200
    rest = Motion(np.zeros(52), np.zeros((2, 2)), track.rotation[0], track.translation[0])
    states = retarget(track, photographed(rest, person.shape), "relative", {})
    jaw = states.expression[:, index("jawOpen")].numpy()
    assert jaw[5::10].min() > 0.5 and np.delete(jaw, np.arange(5, 40, 10)).max() < 0.1


# Time


def test_a_file_that_counts_sixty_a_second_at_thirty_frames_is_understood(tmp_path: Path) -> None:
    """As the app writes: 12:27:47:57.168, 59.167, 12:27:48:01.167."""
    codes = [f"12:27:{47 + (47 + 2 * i) // 60:02d}:{(47 + 2 * i) % 60:02d}.{169 - i // 2:03d}" for i in range(40)]
    track = read(recording(tmp_path / "a.csv", [{"JawOpen": i / 40} for i in range(40)], codes))
    assert track.fps == 30 and len(track) == 40 and track.require_clip().seen.all()
    np.testing.assert_allclose(track.expression[:, index("jawOpen")], np.arange(40) / 40, atol=1e-6)


def test_frames_that_are_lacking_are_interpolated_and_a_long_gap_is_a_cut(tmp_path: Path) -> None:
    at = [0, 1, 2, 3, 6, 7, 8, 400, 401, 402, 403]
    rows = [{"JawOpen": i / 1000, "HeadYaw": i / 1000} for i in at]
    track = read(recording(tmp_path / "a.csv", rows, [timecode_text(i, Fraction(60)) for i in at]))
    assert track.fps == 60
    clip = track.require_clip()
    assert clip.frame.tolist() == [*range(9), *range(400, 404)] and clip.shot.tolist() == [0] * 9 + [1] * 4
    assert clip.frame[~clip.seen].tolist() == [4, 5] and (clip.residual_px.isnan() == ~clip.seen).all()
    np.testing.assert_allclose(track.expression[:, index("jawOpen")], clip.frame / 1000, atol=1e-6)
    np.testing.assert_allclose(angles(track.rotation.numpy(), FACING), clip.frame / 1000, atol=1e-6)
    assert clip.identity.shape == (2, 140)


def test_frames_without_a_face_are_interpolated(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.csv", [{"JawOpen": i / 10} for i in range(6)])
    lines = path.read_text().splitlines()
    for line in (3, 4, 6):
        lines[line] = ",".join([lines[line].split(",")[0], "0"])
    path.write_text("\n".join(lines))
    track = read(path)
    assert track.require_clip().seen.tolist() == [True, True, False, False, True, False]
    np.testing.assert_allclose(track.expression[:, index("jawOpen")], [0, 0.1, 0.2, 0.3, 0.4, 0.4], atol=1e-6)


def test_midnight_passes_and_a_stated_rate_is_taken(tmp_path: Path) -> None:
    codes = [f"23:59:59:{f:02d}.5" for f in range(50, 60)] + [f"00:00:00:{f:02d}.5" for f in range(10)]
    path = recording(tmp_path / "a.csv", [{"JawOpen": i / 20} for i in range(20)], codes)
    assert len(read(path)) == 20 and read(path).fps == 60
    assert_same(read(path, fps=Fraction(60000, 1001)), read(path).replace(fps=Fraction(60000, 1001)))


@given(st.sampled_from([10, 12, 24, 25, 30, 48, 50, 60, 120]), st.integers(0, 80000), st.integers(130, 200))
@settings(max_examples=30, deadline=None)
def test_the_rate_of_any_recording_is_told_by_its_timecodes(fps: int, start: int, frames: int) -> None:
    codes = [parse_timecode(timecode_text(start * fps + row, Fraction(fps))) for row in range(frames)]
    times, told = frame_times([code for code in codes if code is not None])
    assert told == fps and times == list(range(frames))


@pytest.mark.parametrize(
    "text", ["", "12:00:00", "24:00:00:00", "12:60:00:00", "1.5", "a:b:c:d", "12:00:00:00.", "-1:0:0:0"]
)
def test_what_is_no_timecode_is_none(text: str) -> None:
    assert parse_timecode(text) is None
    assert parse_timecode("12:34:56;07") == (45296, 7)


# Other files than the newest of the app


def test_order_capitals_separators_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    plain = tmp_path / "a.csv"
    write_arkit_csv(bundled("smile"), plain)
    table = [line.split(",") for line in plain.read_text().splitlines()]
    order = np.random.default_rng(0).permutation(63)
    for number, row in enumerate(table):
        row[:] = [row[i] for i in order] + ["Note" if number == 0 else "hello"]
    table[0] = ["BlendShapeCount" if name == "BlendshapeCount" else name for name in table[0]]
    for delimiter in ",;\t":
        other = tmp_path / "b.csv"
        other.write_text("\ufeff" + "\r\n".join(delimiter.join(row) for row in table) + "\r\n\r\n", encoding="utf-8")
        assert_same(read(other), read(plain), but=("source",))


def test_tongue_and_angles_may_be_missing(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.csv", [{"JawOpen": 0.5, "HeadYaw": 0.3, "EyeLookOutLeft": 0.5}], leave=53)
    track = read(path)
    assert track.expression[0, index("jawOpen")] == 0.5 and track.expression[0, index("tongueOut")] == 0
    np.testing.assert_allclose(track.rotation[0], FACING, atol=1e-7)
    assert track.gaze[0, 0, 0] == pytest.approx(0.3015)


# What is wrong


def without(column: str) -> Callable[[list[list[str]]], None]:
    def spoil(table: list[list[str]]) -> None:
        place = table[0].index(column)
        for row in table:
            del row[place]

    return spoil


def cell(line: int, column: str, value: str) -> Callable[[list[list[str]]], None]:
    def spoil(table: list[list[str]]) -> None:
        table[line - 1][HEADER.index(column)] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without("JawOpen"), "lacks the column JawOpen; want"),
        (without("HeadRoll"), "lacks the column HeadRoll; want"),
        (without("Timecode"), "lacks the column Timecode; want"),
        (
            lambda t: t.__setitem__(slice(None), [row[:30] for row in t]),
            r"lacks the columns MouthDimpleRight, .* and 20 more",
        ),
        (cell(3, "MouthClose", "abc"), "line 3, column MouthClose: 'abc' is no number"),
        (cell(3, "MouthClose", ""), "line 3, column MouthClose: '' is no number"),
        (cell(4, "HeadYaw", "nan"), "line 4, column HeadYaw: 'nan' is no number"),
        (cell(4, "HeadYaw", "0,5"), "line 4 has 64 values; want the 63"),
        (cell(2, "HeadYaw", "-35.0"), "line 2, column HeadYaw is -35; want radians"),
        (cell(2, "JawOpen", "55"), "line 2, column JawOpen is 55; want an activation from 0 to 1"),
        (cell(5, "Timecode", "yesterday"), "line 5, column Timecode: 'yesterday' is no HH:MM:SS:FF.sss"),
        (cell(5, "Timecode", "00:00:00:00.000"), "line 5 has a timecode before that of the line above"),
        (cell(1, "JawLeft", "JawRight"), "has the column JawRight twice"),
        (lambda t: t[3].__delitem__(slice(40, None)), "line 4 has 40 values; want the 63 of its first line"),
        (lambda t: t.__delitem__(slice(1, None)), "has a first line and no frames after it"),
        (lambda t: [row.__setitem__(slice(1, None), ["0"]) for row in t[1:]], "shows no face in any of its 10 frames"),
        (lambda t: t.__delitem__(0), "begins with '00:00:00:00.000,.*; want a Live Link Face csv file"),
    ],
)
def test_a_spoilt_file_is_refused_in_one_sentence(tmp_path: Path, spoil, said: str) -> None:
    path = recording(tmp_path / "spoilt.csv", [{"JawOpen": i / 10} for i in range(10)])
    table = [line.split(",") for line in path.read_text().splitlines()]
    read(path)
    spoil(table)
    path.write_text("\n".join(",".join(row) for row in table))
    with pytest.raises(InputError, match=f"spoilt.csv.*{said}") as caught:
        read(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"hello", b"a,b,c\n1,2,3\n", b"\xff\xfe\x00\x01", b"\x89PNG\r\n\x1a\n\x00\x00", b'"', b"Timecode\n",
     b"\x00" * 50, b'Timecode,"x\n'],
)  # fmt: skip
def test_what_is_no_such_csv_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.csv.*(want|is wanted)") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv does not exist"):
        read(tmp_path / "nothing.csv")
