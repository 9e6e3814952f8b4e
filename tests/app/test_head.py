# SPDX-License-Identifier: Apache-2.0
"""`reenact head` and `reenact train`: what they refuse, and a head from one photo."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from reenact.app.head import Head
from reenact.media.files import asset
from reenact.subject.fit import PERSON
from reenact.subject.head_fit import fit_head
from reenact.subject.store import load_head
from reenact.subject.texture import require_motion
from tests.command_line import refusal

PHOTO = asset("demo/astronaut.jpg")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("head nobody.mp4 -o a.head", "nobody.mp4 does not exist"),
        (f"head {PHOTO} -o a.glb", "must have a name that ends in .head"),
        (f"head {PHOTO} -o a.head --maps a --maps b", "2 --maps for 1 source(s)"),
        (f"head {PHOTO} -o a.head --maps nowhere", "nowhere is not a folder"),
        (f"head {PHOTO} -o a.head --head-model mine.npz", "mine.npz does not exist; an SMPL-X or FLAME model"),
        (f"head {PHOTO} -o a.head --head-model {PHOTO}", "ends in '.jpg'; want an SMPL-X or FLAME model"),
        ("train dense -o runs --size 100", "want a multiple of 32"),
        ("train dense -o runs --steps 0", "want at least 1"),
        ("train dense -o no/such/folder", "the folder of output"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(command: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(*command.split(), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_head_from_one_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process and with a quarter of the steps: the command line is above, and what a fit finds is tested in
    subject/test_fit.py.
    """
    short = [replace(stage, steps=stage.steps // 4) for stage in PERSON]
    monkeypatch.setattr("reenact.subject.fit_subject.fit_head", partial(fit_head, stages=short))
    out = tmp_path / "her.head"
    assert Head((PHOTO,), output=out).run() == 0
    assert "1 frame(s)" in capsys.readouterr().out
    head = load_head(out)
    motion = require_motion(head)
    assert head.provenance["sources"] == ["astronaut.jpg"] and len(motion) == 1 and not head.references
    assert head.static_offset is not None
    assert 0.0003 < head.static_offset.norm(dim=1).max() < 0.03 * float(motion.require_clip().face_size_m[0]) / 0.0522
    assert out.stat().st_size < 1e6
    assert head.texture is not None and head.texture.shape == (1024, 1024, 3)
    middle = head.texture[300:420, 440:580].reshape(-1, 3).float().mean(0)  # nose and cheeks: skin, and lit
    assert middle[0] > middle[1] > middle[2] > 60
