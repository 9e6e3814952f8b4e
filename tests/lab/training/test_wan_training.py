# SPDX-License-Identifier: Apache-2.0
"""Training of the Wan generator, end to end on very small models of its own classes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("accelerate")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from reenact.generator.diffusion.wan.latents import encode
from reenact.generator.diffusion.wan.plan import WanPlan
from reenact.generator.diffusion.wan.sampling import WanGenerator, load_trained, load_vae
from reenact.lab.training.data.scenes import Scene
from reenact.lab.training.loop import Run, RunOptions, Schedule
from reenact.lab.training.wan import WanTraining, train_wan
from reenact.lab.training.wan_data import Windows, scene_controls, window_starts
from reenact.media.errors import InputError
from tests.made_wan import SIZE, TEXT, Kind, made_controls, made_scene, save_base

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wan")
    for kind in ("wan2.1", "a14b", "5b"):
        save_base(root / kind, kind)
    for size in {*SIZE.values()}:
        (root / f"{size}").mkdir()
        for seed, runs in enumerate([(7, 4, 5), (7, 4, 5), (5,)]):
            made_scene(root / f"{size}" / f"scene{seed}.safetensors", seed, runs, size)
    return root


@pytest.fixture(scope="module")
def whole(root: Path) -> tuple[Run, Path]:
    """A run to the end, and its folder."""
    return trained(root, root / "whole", settings_of(root)), root / "whole"


def settings_of(root: Path, kind: Kind = "a14b", steps: int = 4, rank: int = 2) -> WanTraining:
    return WanTraining(
        WanPlan(str(root / kind), rank=rank, width=8),
        Schedule(steps, 1e-2, warmup=1),
        frames=5,
        drop=0.3,
        dtype=torch.float32,
        check_every=2,
    )


def trained(root: Path, folder: Path, settings: WanTraining, *, stop_at: int | None = None) -> Run:
    def progress(what: str, done: int, _all: int | None) -> None:
        if what == "training" and done == stop_at:
            raise KeyboardInterrupt

    size = SIZE["5b" if settings.plan.base.endswith("5b") else "a14b"]
    scenes = [root / f"{size}" / f"scene{seed}.safetensors" for seed in range(3)]
    return train_wan(settings, scenes[:2], scenes[2:], RunOptions(folder, progress=progress))


@pytest.mark.parametrize(("kind", "rank"), [("wan2.1", 2), ("5b", 2), ("a14b", 0)])
def test_it_learns_is_saved_and_gives_frames(root: Path, tmp_path: Path, kind: Kind, rank: int) -> None:
    run = trained(root, tmp_path, settings_of(root, kind, rank=rank))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]
    assert rows[1]["held_out_0.6"] < rows[0]["held_out_0.6"]
    saved = load_file(tmp_path / "trained.safetensors")
    learned = {name for name, p in run.model.named_parameters() if p.requires_grad}
    assert set(saved) == learned | {"prompt"}
    assert any(".lora_" in name for name in learned) == (rank > 0)
    assert ("transformer.proj_out.weight" in learned) == (rank == 0)
    model = load_trained(tmp_path, load_vae(str(root / kind)), torch.float32)
    for name, value in model.state_dict().items():
        if name in run.average:
            assert torch.equal(value, run.average[name]), name
    generator = WanGenerator.from_folder(tmp_path, device=CPU, dtype=torch.float32)
    frames = generator.sample(made_controls(size=SIZE[kind]), steps=2, seed=1)
    assert frames.shape == (1, 5, 3, SIZE[kind], SIZE[kind]) and bool(frames.isfinite().all())


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_very_same_losses_and_weights(
    root: Path, tmp_path: Path, whole: tuple[Run, Path]
) -> None:
    settings = settings_of(root)
    with pytest.raises(KeyboardInterrupt):
        trained(root, tmp_path, settings, stop_at=3)
    resumed = trained(root, tmp_path, settings)
    assert resumed.step == whole[0].step == 4
    last = [json.loads((folder / "log.jsonl").read_text().splitlines()[-1]) for folder in (whole[1], tmp_path)]
    assert [last[0][f"held_out_{s}"] for s in (0.3, 0.6, 0.9)] == [last[1][f"held_out_{s}"] for s in (0.3, 0.6, 0.9)]
    for name, value in whole[0].kept().items():
        assert torch.equal(value, resumed.kept()[name]), name
        assert torch.equal(whole[0].average[name], resumed.average[name]), name


def test_only_what_is_trained_is_kept_and_the_rest_stays_as_it_was(root: Path, whole: tuple[Run, Path]) -> None:
    from diffusers import WanTransformer3DModel

    run, folder = whole
    before = WanTransformer3DModel.from_pretrained(root / "a14b", subfolder="transformer").state_dict()
    after = {name.replace(".base_layer", ""): v for name, v in run.model.state_dict().items()}
    assert all(torch.equal(after[f"transformer.{name}"], value) for name, value in before.items())
    kept = [name for file in folder.glob("?-*.safetensors") for name in load_file(file)]
    assert not any("base_layer" in name or "proj_out" in name for name in kept)


@pytest.mark.slow
def test_half_precision_and_checkpointing_come_to_nearly_the_same(root: Path, tmp_path: Path) -> None:
    exact = settings_of(root, steps=2)
    runs = {
        "exact": exact,
        "plain": replace(exact, checkpointing=False),
        "half": replace(exact, dtype=torch.bfloat16),
    }
    losses = {}
    for name, settings in runs.items():
        run = trained(root, tmp_path / name, settings)
        losses[name] = json.loads((tmp_path / name / "log.jsonl").read_text())["loss"]
        assert all(p.dtype == torch.float32 for p in run.model.parameters() if p.requires_grad)
    assert losses["plain"] == pytest.approx(losses["exact"], rel=1e-6)
    assert losses["half"] == pytest.approx(losses["exact"], rel=0.02) and losses["half"] != losses["exact"]


def test_latents_are_encoded_once_and_again_when_a_scene_is_made_anew(root: Path, tmp_path: Path) -> None:
    scene, cache = made_scene(tmp_path / "s.safetensors", 5, (7, 4, 5)), tmp_path / "latents"
    told = []
    windows = Windows([scene], cache, 5, str(root / "a14b"), 16)
    windows.encode(CPU, lambda *about: told.append(about), 0, 1, images=False)
    windows.encode(CPU, lambda *about: told.append(about), 0, 1, images=False)
    assert told == [("encoding", 0, 1)] and [w.first for w in windows.windows] == [0, 2, 11]
    sample = windows.sample(2, CPU)
    video = torch.stack([torch.from_numpy(Scene(scene).picture("frames", 11 + i).copy()) for i in range(5)])
    wanted = encode(load_vae(str(root / "a14b")), video.permute(0, 3, 1, 2)[None] / 127.5 - 1.0)
    torch.testing.assert_close(sample.clip, wanted, atol=2e-3, rtol=1e-3)
    assert sample.controls.warped.shape == (1, 5, 3, 32, 32)
    made_scene(scene, 6, (9, 7))
    again = Windows([scene], cache, 5, str(root / "a14b"), 16)
    again.encode(CPU, lambda *about: told.append(about), 0, 1, images=False)
    assert len(told) == 2 and not torch.equal(again.sample(0, CPU).clip, windows.sample(0, CPU).clip)


def test_windows_fill_each_run_and_end_with_it() -> None:
    assert window_starts([7, 4, 5, 15], 5) == [0, 2, 11, 16, 21, 26]


def test_controls_of_a_scene_are_those_of_its_frames(root: Path) -> None:
    scene = Scene(root / "32" / "scene0.safetensors")
    controls = scene_controls(scene, 7, 4)
    assert controls.frames == 4
    assert torch.equal(controls.regions[0, 2], torch.from_numpy(scene.picture("regions", 9).copy()))


def test_what_cannot_be_trained_is_refused_in_a_sentence(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run of the 2 scenes is 9 frames long, the longest 7"):
        trained(root, tmp_path, replace(settings_of(root), frames=9))
    with pytest.raises(InputError, match=r"got 6 frames; .* such as 5 or 9"):
        trained(root, tmp_path, replace(settings_of(root), frames=6))
    large = made_scene(tmp_path / "large.safetensors", 4, (5,), size=48)
    with pytest.raises(InputError, match=r"scene0.safetensors of 32 px, .*large.safetensors of 48 px; want all of one"):
        Windows([root / "32" / "scene0.safetensors", large], tmp_path, 5, "base", 16)
    with pytest.raises(InputError, match=r"large.safetensors of 48 px; want all of one size, a multiple of 32 px"):
        Windows([large], tmp_path, 5, "base", 32)
    prompt = tmp_path / "prompt.safetensors"
    save_file({"prompt_embeds": torch.zeros(1, 7, TEXT + 1)}, prompt)
    with pytest.raises(InputError, match=r"prompt_embeds of shape \(1, 7, 9\); want \[n, 8\], n up to 512"):
        trained(root, tmp_path, replace(settings_of(root), prompt=prompt))
    prompt.unlink()
    run = trained(root, tmp_path, settings_of(root, steps=1))
    save_file({"prompt": run.average["prompt"]}, tmp_path / "trained.safetensors")
    with pytest.raises(InputError, match="has 0 weights too many and lacks"):
        WanGenerator.from_folder(tmp_path, device=CPU)


def test_a_prompt_is_kept_with_the_weights(root: Path, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.safetensors"
    save_file({"prompt_embeds": torch.ones(7, TEXT)}, prompt)
    trained(root, tmp_path / "run", replace(settings_of(root, steps=1), prompt=prompt))
    found = load_file(tmp_path / "run" / "trained.safetensors")["prompt"]
    assert found.shape == (1, 512, TEXT) and float(found.sum()) == pytest.approx(7 * TEXT)


def test_training_imports_no_tracker_no_head_and_no_rasteriser() -> None:
    """So that a bare torch machine trains; and the extra is not asked for before it is needed."""
    code = (
        f"import sys; sys.path[:] = {sys.path}\n"
        "import reenact.lab.training.wan\n"
        "print([m for m in ('mediapipe', 'anny', 'warp', 'diffusers', 'peft') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
