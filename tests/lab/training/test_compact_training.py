# SPDX-License-Identifier: Apache-2.0
"""Training of the compact generator on scenes small enough for a test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.generator.diffusion.compact.network import CompactConfig
from reenact.generator.diffusion.controls import Controls
from reenact.head.regions import REGIONS
from reenact.lab.training import compact
from reenact.lab.training.compact import CompactTraining, begin, train_compact
from reenact.lab.training.data.scenes import MOVING, PHOTO, Scene, save_scene
from reenact.lab.training.generator_batches import Cut, batch, window
from reenact.lab.training.generator_loss import generator_losses, importance, mouths, palette_distance
from reenact.lab.training.loop import Run, RunOptions, Schedule
from reenact.media.arrays import read_arrays, write_arrays

SIDE, RUN = 64, 4
TINY = CompactConfig(widths=(8, 16, 64), depth=1)


def driven_landmarks(seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 1]).uniform(20, 44, (2 * RUN, 478, 2))


def made_scene(path: Path, seed: int) -> Path:
    """A disc that is redder in truth than in its warp: something that can be learnt."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    pictures: dict[str, list[np.ndarray]] = {name: [] for name in (*PHOTO, *MOVING)}
    for i in range(2 * RUN):
        disc = np.hypot(x - 32 - i, y - 30) < 18
        warped = np.where(disc[..., None], draw.integers(60, 120, 3), 20).astype(np.uint8)
        truth = warped.copy()
        truth[disc, 0] += 60
        normals = np.where(disc[..., None], (128, 128, 1), 128).astype(np.uint8)
        regions = np.where(disc, REGIONS.index("skin"), 255).astype(np.uint8)
        regions[34:40, 28 + i : 38 + i] = REGIONS.index("teeth_upper")
        found = (truth, warped, normals, regions, np.where(disc, 255, 0).astype(np.uint8))
        for name, picture in zip(MOVING, found, strict=True):
            pictures[name].append(picture)
    for name, source in zip(PHOTO, ("warped", "normals", "regions"), strict=True):
        pictures[name].append(pictures[source][0])
    about = {"person": f"p{seed}", "source": "made", "licence": "none"}
    crosswise = np.asfortranarray(driven_landmarks(seed))  # as numpy's einsum leaves them
    save_scene(path, pictures, crosswise, [RUN, RUN], about)
    return path


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("scenes")
    return [made_scene(folder / f"{i}.safetensors", i) for i in range(3)]


def trained(scenes: list[Path], folder: Path, seconds: float = 1e9, steps: int = 4, until: int = 10**9) -> Run:
    settings = CompactTraining(Schedule(steps, 3e-3, warmup=1), TINY, Cut(32, 3), clips=2)

    def progress(stage: str, done: int, total: int | None) -> None:
        if done >= until:
            raise KeyboardInterrupt

    return train_compact(settings, scenes[:2], scenes[2:], RunOptions(folder, seconds=seconds, progress=progress))


def test_a_scene_is_read_as_it_was_written(scenes: list[Path]) -> None:
    scene = Scene(scenes[0])
    assert len(scene) == 2 * RUN
    assert scene.person == "p0"
    np.testing.assert_allclose(scene.landmarks, driven_landmarks(0), atol=0.02)
    regions = scene.picture("regions", 5)
    assert set(np.unique(regions)) == {REGIONS.index("skin"), REGIONS.index("teeth_upper"), 255}
    assert scene.picture("visibility", 5)[30, 37] == 255
    truth, warped = (scene.picture(n, 5).astype(int) for n in ("frames", "warped"))
    assert truth[30, 37, 0] - warped[30, 37, 0] == pytest.approx(60, abs=8)  # but for what JPEG leaves


def test_scenes_of_earlier_versions_are_read(scenes: list[Path], tmp_path: Path) -> None:
    """They have the coarse head's normals and the photo's landmarks too."""
    arrays, about = read_arrays(scenes[0], "scene")
    older = {"coarse_normals": arrays["normals"], "coarse_normals.ends": arrays["normals.ends"]}
    older["landmarks_photo"] = arrays["landmarks"][0]
    write_arrays(tmp_path / "older.safetensors", arrays | older, about)
    new, old = (
        window(Scene(p), np.random.default_rng(0), Cut(32, 3)) for p in (scenes[0], tmp_path / "older.safetensors")
    )
    torch.testing.assert_close(old[1], new[1])
    torch.testing.assert_close(old[0].normals, new[0].normals)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(scenes: list[Path], tmp_path: Path) -> None:
    """The same weights to the last bit, so the same loss at every later step."""
    whole = trained(scenes, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(scenes, tmp_path / "cut", until=2)
    cut = trained(scenes, tmp_path / "cut")
    assert whole.step == cut.step == 4
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, cut.model.state_dict()[name]), name
    assert (tmp_path / "cut" / "samples" / "0000004.png").exists()


def test_some_steps_begin_with_noise_and_some_without(
    scenes: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sampling does when asked to, and as it does by itself."""
    noisy: list[bool] = []

    def spied(start: torch.Tensor, controls: Controls, noise: torch.Tensor) -> torch.Tensor:
        noisy.append(bool(noise.abs().max() > 0))
        return begin(start, controls, noise)

    monkeypatch.setattr(compact, "begin", spied)
    trained(scenes, tmp_path, steps=12)
    assert 2 < sum(noisy) < 10


def test_noise_is_added_where_the_photo_does_not_show_the_head() -> None:
    regions = torch.full((1, 3, 48, 48), 255, dtype=torch.uint8)
    regions[..., :16, :] = 0
    visibility = torch.ones(1, 3, 1, 48, 48)
    visibility[..., :8, :] = 0.0
    frames, blank = torch.rand(1, 3, 3, 48, 48), torch.zeros(1, 3, 3, 48, 48)
    controls = Controls(blank[:, 0], blank[:, 0], regions[:, 0], frames, blank, regions, visibility)
    noise = torch.randn(1, 1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    added = begin(frames, controls, noise) - frames
    torch.testing.assert_close(added[:, 0], added[:, 1])  # what all frames share cannot flicker
    spread = added.std(dim=(0, 1, 2, 4))
    assert spread[:8].min() > 3 * spread[8:].max()
    assert spread[8:].min() > 0.005


@pytest.mark.slow
def test_what_can_be_learnt_is_learnt(scenes: list[Path], tmp_path: Path) -> None:
    trained(scenes, tmp_path, steps=60)
    row = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert row["face_db_gained"] > 3.0


def test_a_whole_picture_is_not_changed_unless_it_is_augmented(scenes: list[Path]) -> None:
    scene = Scene(scenes[0])
    controls, frames = window(scene, np.random.default_rng(0), Cut(SIDE, 3, augment=False))
    assert frames.shape == (3, 3, SIDE, SIDE)
    matches = [
        n
        for n in range(2 * RUN)
        if np.abs(((frames[0].permute(1, 2, 0).numpy() + 1) * 127.5) - scene.picture("frames", n)).max() < 1
    ]
    assert len(matches) == 1
    torch.testing.assert_close(controls.regions[0], torch.from_numpy(scene.picture("regions", matches[0]).copy()))
    assert controls.normals.min() >= -1.02  # but for what JPEG leaves
    assert abs(float(controls.normals[0, :, 0, 0].max())) < 0.02  # no surface, no direction


def test_augmented_pictures_of_a_window_still_fit_each_other(scenes: list[Path]) -> None:
    """Where the labels say skin, all of the disc's pictures are the disc, however they were mapped."""
    scene_list = [Scene(p) for p in scenes]
    for seed in range(6):
        controls, frames = batch(scene_list, np.random.default_rng(seed), Cut(32, 3), 2)
        skin = controls.regions == REGIONS.index("skin")
        inner = torch.zeros_like(skin)
        inner[..., 3:-3, 3:-3] = -torch.nn.functional.max_pool2d(-skin.float(), 7, stride=1) > 0
        if not inner.any():
            continue
        assert controls.visibility[:, :, 0][inner].min() > 0.9
        assert controls.normals[:, :, 2][inner].max() < -0.9  # towards the camera
        assert (frames[:, :, 0] - controls.warped[:, :, 0])[inner].median() > 0.15


def test_a_mirrored_normal_points_to_the_other_side() -> None:
    from reenact.lab.training.generator_batches import _Change

    change = _Change(
        torch.tensor([[-1.0, 0.0, 8.0], [0.0, 1.0, 0.0]]),
        8,
        8,
        torch.ones(3),
        1.0,
        torch.tensor([[-1.0, 0.0], [0.0, 1.0]]),
    )
    picture = np.full((8, 8, 3), 128, np.uint8)
    picture[:, :4] = (255, 128, 128)  # the left half looks to the right
    mapped = change.normals([picture])[0]
    assert mapped[0, :, 5:].max() < -0.9
    assert mapped[0, :, :3].abs().max() < 0.01


def test_a_lamp_lights_what_faces_it_and_the_light_behind_is_another() -> None:
    from reenact.lab.training.generator_batches import _Light

    light = _Light(torch.tensor([0.5, 0.0, 0.0]), torch.tensor([0.5, 1.0, 1.0]))
    pictures, normals = torch.full((1, 3, 32, 32), -0.5), torch.zeros(1, 3, 32, 32)
    normals[:, 0, :, :16], normals[:, 0, :, 16:] = -1.0, 1.0
    regions = torch.zeros(1, 32, 32, dtype=torch.uint8)
    regions[:, 16:] = 255
    lit = (light.on(pictures, normals, regions)[0] + 1.0) / 0.5
    assert lit[:, :12, :16] == pytest.approx(np.exp(-0.5), abs=1e-5)
    assert lit[:, :12, 16:] == pytest.approx(np.exp(0.5), abs=1e-5)
    assert lit[0, 20:] == pytest.approx(0.5, abs=1e-5) and lit[1, 20:] == pytest.approx(1.0, abs=1e-5)
    edge = lit[0, 12:20, 0]
    assert (edge.diff() < 0).sum() >= 5  # no seam


def test_warped_photo_and_frames_are_lit_alike(scenes: list[Path]) -> None:
    """All that a disc and its warp differ in is the redness that the warp lacks."""
    scene = Scene(scenes[0])
    for seed in range(6):
        controls, frames = window(scene, np.random.default_rng(seed), Cut(SIDE, 2))
        disc = (controls.regions == REGIONS.index("skin"))[:, None].float()
        inner = 1.0 - torch.nn.functional.max_pool2d(1.0 - disc, 9, 1, 4) > 0
        for colour in (1, 2):  # green and blue are as the warp has them
            away = (controls.warped - frames)[:, colour : colour + 1][inner]
            assert away.abs().mean() < 0.02  # but for what JPEG leaves


def test_mouths_weigh_more() -> None:
    regions = torch.full((1, 1, 32, 32), 255, dtype=torch.uint8)
    regions[..., 4:28, 4:28] = REGIONS.index("skin")
    regions[..., 20:24, 12:20] = REGIONS.index("tongue")
    blank = torch.zeros(1, 1, 3, 32, 32)
    controls = Controls(blank[:, 0], blank[:, 0], regions[:, 0], blank, blank, regions, blank[:, :, :1])
    weight = importance(controls)[0, 0, 0]
    assert weight[22, 16] > weight[8, 8] > weight[0, 0] > 0
    off = blank.clone()
    off[..., 22, 16] = 0.5
    elsewhere = blank.clone()
    elsewhere[..., 0, 0] = 0.5
    inside = generator_losses(off, blank, importance(controls), mouths(controls))["loss"]
    assert inside > 5 * generator_losses(elsewhere, blank, importance(controls), mouths(controls))["loss"] > 0


def test_blurred_paint_costs_more_than_its_colours_say() -> None:
    """Stripes a pixel off are as wrong in colour as none at all are; but they are stripes."""
    stripes = torch.zeros(1, 2, 3, 32, 32)
    stripes[..., ::4] = stripes[..., 1::4] = 0.5
    weight = torch.ones(1, 2, 1, 32, 32)
    off, none, own = (
        {name: float(value) for name, value in generator_losses(painted, stripes, weight, weight < 0).items()}
        for painted in (stripes.roll(1, -1), torch.full_like(stripes, 0.25), stripes)
    )
    assert off["colour"] == pytest.approx(none["colour"], rel=0.05)
    assert none["sharpness"] > 20 * off["sharpness"]
    assert own["loss"] == pytest.approx(0.0, abs=1e-6)
    assert none["loss"] == pytest.approx(none["colour"] + 0.5 * none["edges"] + 2 * none["sharpness"])  # nothing moves


def test_grey_teeth_cost_more_than_teeth_that_are_elsewhere() -> None:
    """A mouth of bright and dark stripes, and the same stripes exchanged; pixel by pixel grey is the better guess."""
    regions = torch.full((1, 2, 32, 32), REGIONS.index("skin"), dtype=torch.uint8)
    regions[..., 12:20, 8:24] = REGIONS.index("mouth_cavity")
    blank = torch.zeros(1, 2, 3, 32, 32)
    controls = Controls(blank[:, 0], blank[:, 0], regions[:, 0], blank, blank, regions, blank[:, :, :1])
    inside = mouths(controls)
    assert int(inside[0, 0].sum()) == 12 * 20
    true, grey = torch.zeros_like(blank), torch.zeros_like(blank)
    true[..., 12:20, 8:24] = torch.tensor([0.8, -0.8]).repeat_interleave(2).repeat(4)
    elsewhere = true.clone()
    elsewhere[..., 12:20, 8:24] = -true[..., 12:20, 8:24]
    spoilt = true.clone()
    spoilt[..., :8, :] = 1.0  # far from the mouth
    found = {n: float(palette_distance(x, true, inside)) for n, x in (("e", elsewhere), ("g", grey), ("s", spoilt))}
    assert found["s"] == 0.0
    assert found["g"] > 3 * found["e"]
    assert (elsewhere - true).abs().sum() == pytest.approx(2 * float((grey - true).abs().sum()))
    none = torch.zeros_like(inside)
    assert float(palette_distance(grey, true, none)) == 0.0
    weight = importance(controls)
    costs = [
        float(
            generator_losses(grey, true, weight, where)["loss"]
            / generator_losses(elsewhere, true, weight, where)["loss"]
        )
        for where in (none, inside)
    ]
    assert costs[1] > 1.5 * costs[0], costs
    parts = generator_losses(grey, true, weight, inside)
    rest = parts["colour"] + 0.5 * parts["edges"] + 2 * parts["sharpness"]  # nothing moves
    assert float(parts["loss"]) > 1.5 * float(rest)  # most of what it costs is its palette


@pytest.mark.parametrize("part", ["colour", "edges", "sharpness", "motion"])
def test_single_pixels_in_mouths_count_little(part: str) -> None:
    """Where teeth begin is never sure; else grey would be the cheapest, and a woven grid as good as teeth."""
    regions = torch.full((1, 2, 48, 48), REGIONS.index("lips"), dtype=torch.uint8)
    regions[..., 8:40, 8:40] = REGIONS.index("mouth_cavity")
    blank = torch.zeros(1, 2, 3, 48, 48)
    controls = Controls(blank[:, 0], blank[:, 0], regions[:, 0], blank, blank, regions, blank[:, :, :1])
    wrong, inside = blank.clone(), mouths(controls)
    wrong[:, 1, :, 20:28:2, 20:28] = 0.5
    loose, firm = (generator_losses(wrong, blank, importance(controls), m)[part] for m in (inside, inside & False))
    assert 0 < float(loose) < 0.2 * float(firm)


def test_sharpness_is_scored(scenes: list[Path], tmp_path: Path) -> None:
    """What the flow starts from is as steep at a disc's edge as the truth, less the redness that it lacks."""
    trained(scenes, tmp_path, steps=1)
    row = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert 0.5 < row["face_sharpness_start"] < 0.99
    assert row["face_sharpness"] > row["face_sharpness_start"]  # one long step leaves grain
    assert 0.0 < row["mouth_palette_start"] < 0.5
    assert row["mouth_palette"] != row["mouth_palette_start"]
