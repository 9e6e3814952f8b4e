# SPDX-License-Identifier: Apache-2.0
"""`reenact doctor` finds what is there and names the remedy for what is not."""

import sys
from pathlib import Path

import pytest

from reenact.app import doctor
from reenact.app.doctor import GROUPS, Check, Doctor


def test_every_missing_thing_has_a_remedy_and_something_found() -> None:
    for group in GROUPS:
        for check in group():
            assert check.found, check.name
            assert check.ok or check.remedy, check.name


def test_core_of_this_installation_is_sound() -> None:
    groups = (doctor.python, doctor.packages, doctor.single_opencv, doctor.face_models, doctor.encoders)
    found = [check for group in groups for check in group()]
    assert [check.name for check in found if not check.ok] == []
    assert {"torch", "mediapipe", "libx264", "aac", "face models"} <= {check.name for check in found}


def test_package_that_is_absent_is_missing_with_its_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    check = next(check for check in doctor.packages() if check.name == "safetensors")
    assert check.failed
    assert "pip install" in check.remedy
    assert "safetensors" in check.remedy


@pytest.mark.parametrize(("version", "failed"), [((3, 9, 18), True), ((3, 10, 0), False), ((3, 14, 1), False)])
def test_python_that_is_too_old_is_missing(
    version: tuple[int, int, int], failed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    assert next(doctor.python()).failed == failed


def test_face_model_that_is_absent_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("reenact.perception.shipped.MODELS", (tmp_path / "face_landmarker.task",))
    check = next(doctor.face_models())
    assert check.failed and "face_landmarker.task" in check.found


@pytest.mark.parametrize(
    ("check", "code", "words"),
    [
        (Check("a", True, "1.0"), 0, "Ready"),
        (Check("a", False, "no module", "pip install a"), 1, "-> pip install a"),
        (Check("a", False, "no module", "pip install a", needed=False), 0, "not used"),
    ],
)
def test_exit_code_follows_what_is_needed(
    check: Check, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reenact.app.doctor.GROUPS", (lambda: iter([check]),))
    assert Doctor().run() == code
    assert words in capsys.readouterr().out
