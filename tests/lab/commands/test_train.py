# SPDX-License-Identifier: Apache-2.0
"""`reenact train dense`, `expression` and `transfer`, from little data to weights that are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reenact.lab.training.data import expression_portraits, portraits, transfer_shards
from reenact.media.tensors import write_weights
from reenact.perception.dense.shipped import load_dense
from reenact.perception.expression_network import load_expression
from reenact.transfer.dynamic_offsets import load_transfer
from reenact.transfer.network import TransferNet
from tests.command_line import refusal, run_here

KINDS = {
    "dense": (portraits, "prepare_portraits", "--size 32 --frozen 0", load_dense),
    "expression": (expression_portraits, "prepare_expression_portraits", "--frozen 0", load_expression),
    "transfer": (transfer_shards, "prepare_subjects", "", load_transfer),
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", KINDS)
def test_weights_are_written_read_and_gone_on_from(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, prepare, options, load = KINDS[verb]
    made: Callable[..., list[Path]] = getattr(room, prepare)

    def little(*arguments: object, first: int = room.HELD_OUT_SEED, jobs: int = 1) -> list[Path]:
        """One person instead of hundreds."""
        folder, _, *others = arguments
        return made(folder, 1, *others, first=first, jobs=jobs)

    monkeypatch.setattr(room, prepare, little)
    command = f"train {verb} -o run --people 1 --batch 2 {options}".split()
    if verb != "transfer":
        command += ["--each", "2"]
    said = run_here(*command, "--steps", "2", folder=tmp_path)
    weights = tmp_path / "run" / f"{verb}.safetensors"
    assert f"{weights}: step 2 of 2; scores are in" in said
    assert json.loads((tmp_path / "run" / "log.jsonl").read_text())["step"] == 2
    load(weights)
    again = run_here(*command, "--steps", "3", "--start", str(weights), folder=tmp_path)
    assert "step 3 of 3" in again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("dense -o run --size 40", "--size 40 cannot be trained at"),
        ("dense -o run --people 0", "--people 0 is too few"),
        ("dense -o run --window 100", "--window 100 cannot be trained at"),
        ("dense -o run --size 64 --window 96", "--window 96 cannot be trained at"),
        ("dense -o run --photographs .", "--photographs needs --start"),
        ("dense -o run --start a.safetensors --photographs none", "--photographs none is no folder"),
        ("dense -o run --start a.safetensors --pretrained b.pth", "exclude each other"),
        ("transfer -o run --jobs 0", "--jobs 0 is too few"),
        ("transfer -o nowhere/run", "the folder of output nowhere/run does not exist"),
        ("transfer -o run --device abacus", "torch knows no device abacus"),
        ("expression -o run --start none.safetensors", "none.safetensors does not exist"),
        ("expression -o run --photographs none", "--photographs none is no folder"),
        ("action-corrections one.head -o found.safetensors", "want at least 2, of different people"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_sentence(tmp_path: Path, arguments: str, said: str) -> None:
    assert said in refusal("train", *arguments.split(), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_weights_of_an_earlier_transfer_network_are_refused_by_name(tmp_path: Path) -> None:
    older = TransferNet().state_dict() | {"encoder.live_taps": torch.ones(52, 1, 3)}
    write_weights(tmp_path / "older.safetensors", older)
    said = refusal("train", "transfer", "-o", "run", "--start", "older.safetensors", folder=tmp_path)
    assert "older.safetensors holds no weights of the transfer network (unknown: encoder.live_taps)" in said
