# SPDX-License-Identifier: Apache-2.0
"""Every script of examples/ runs, and so does every cell of the notebook; what they promise is there."""

from __future__ import annotations

import ast
import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reenact.media import read_frames

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "08_tour.ipynb"
SLOW = (
    "00_track_and_plot_codes.py",
    "01_subject_from_photos.py",
    "02_normals_of_a_personal_head.py",
    "03_retarget_and_edit.py",
    "05_training_step.py",
    "06_evaluate_a_folder.py",
    "07_export.py",
)
WRITES = {
    "00_track_and_plot_codes.py": ("00_driving.mp4", "00_driving.motion.safetensors", "00_codes.png"),
    "01_subject_from_photos.py": ("01_second.png", "01_subject.head", "01_subject.png"),
    "02_normals_of_a_personal_head.py": ("02_normals.png", "02_personal.head"),
    "03_retarget_and_edit.py": ("03_filmstrip.png",),
    "04_frames_as_tensors.py": ("04_frames.png",),
    "05_training_step.py": ("05_clip.mp4", "05_step.png"),
    "06_evaluate_a_folder.py": ("06_warp.json", "06_still.json", "06_table.md", "06_errors.png"),
    "07_export.py": ("07_subject.head", "07_subject.glb", "07_motion.csv", "07_glb.png"),
}
LINES = 80
"""Of a script, docstring and argument parser included."""


def check_files(folder: Path, names: tuple[str, ...]) -> None:
    """Files are there and not empty; pictures are neither small nor of one colour; videos move."""
    for name in names:
        path = folder / name
        assert path.stat().st_size > 100, name
        if path.suffix == ".png":
            picture = np.asarray(Image.open(path).convert("RGB"))
            assert min(picture.shape[:2]) >= 190 and max(picture.shape[:2]) <= 1600, (name, picture.shape)
            assert picture.std(axis=(0, 1)).min() > 10, name
        elif path.suffix == ".mp4":
            frames = np.stack([frame.image for frame in read_frames(path)]).astype(np.float32)
            assert len(frames) >= 8 and frames.std(axis=0).max() > 10, name


def cells(kind: str) -> list[str]:
    """The notebook's cells of a kind, as text."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_every_script_is_tested() -> None:
    assert set(WRITES) == {path.name for path in EXAMPLES.glob("*.py")}
    assert set(SLOW) < set(WRITES)


@pytest.mark.parametrize("script", WRITES)
def test_scripts_say_what_they_do_and_are_short(script: str) -> None:
    text = (EXAMPLES / script).read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert f"    python examples/{script}\n" in docstring
    for name in WRITES[script]:
        system = re.sub(r"_(warp|still)\.", "_SYSTEM.", name)
        assert name in docstring or system in docstring, name
    assert len(text.splitlines()) <= LINES


@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in WRITES]
)
def test_scripts_write_what_they_promise(script: str, tmp_path: Path) -> None:
    main = runpy.run_path(str(EXAMPLES / script))["main"]
    main(tmp_path / "out")
    check_files(tmp_path / "out", WRITES[script])


def run_cell(code: str, names: dict[str, Any]) -> object:
    """Run a cell as a notebook does; returns the value of its last line, which would be shown."""
    tree = ast.parse("\n".join(line for line in code.splitlines() if not line.startswith(("%", "!"))))
    last = tree.body[-1]
    shown = ast.Expression(last.value) if isinstance(last, ast.Expr) else ast.Expression(ast.Constant(None))
    exec(compile(ast.Module(tree.body[:-1] if isinstance(last, ast.Expr) else tree.body, []), "cell", "exec"), names)
    return eval(compile(ast.fix_missing_locations(shown), "cell", "eval"), names)


def test_the_notebook_holds_no_output() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.slow
def test_the_notebook_runs_and_ends_with_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run_cell(code, names) for code in cells("code")]
    pictures = [value for value in shown if isinstance(value, Image.Image)]
    assert len(pictures) >= 4 and pictures[-1] is shown[-1]
    for picture in pictures:
        assert np.asarray(picture).std() > 10
    check_files(tmp_path / "out", ("08_driving.mp4", "08_animated.mp4", "08_animated.png"))


def test_the_five_lines_are_in_the_notebook() -> None:
    code = "\n".join(cells("code"))
    for name in ("track", "fit_subject", "retarget", "render", "animate"):
        assert f"reenact.{name}(" in code
