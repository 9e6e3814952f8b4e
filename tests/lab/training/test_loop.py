# SPDX-License-Identifier: Apache-2.0
"""The loop that trainings share: learns, stops in time, and goes on after a kill as if it had not been killed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from reenact.lab.training.loop import Losses, Run, RunOptions, Schedule, load_checkpoint, save_checkpoint, seeded
from reenact.media import InputError

SCHEDULE = Schedule(steps=40, learning_rate=0.05, warmup=4)
WAY = torch.tensor([[1.0, -2.0, 0.5]])


def model() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def losses_of(net: nn.Module):
    def losses(step: int) -> Losses:
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return {"loss": (net(x) - x @ WAY.T).pow(2).mean()}

    return losses


class Clock:
    """Seconds that pass only when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def trained(folder: Path, seconds: float = math.inf, stop_at: int | None = None) -> Run:
    """Train on a clock by which a step takes half a second, and a check a quarter."""
    net, clock = model(), Clock()
    run = Run(net, RunOptions(folder, seconds=seconds, clock=clock), SCHEDULE)
    losses = losses_of(net)

    def until(step: int) -> Losses:
        if stop_at is not None and step == stop_at:
            raise KeyboardInterrupt
        clock.now += 0.5
        return losses(step)

    def check(run: Run) -> dict[str, float]:
        clock.now += 0.25
        return {"steps_done": float(run.step)}

    run.train(until, check_every=10, check=check)
    return run


def test_it_learns_and_logs_what_it_does(tmp_path: Path) -> None:
    run = trained(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [10, 20, 30, 40] == [row["steps_done"] for row in rows]
    assert [row["steps_per_second"] for row in rows] == [2.0] * 4  # checks do not count
    assert rows[-1]["loss"] < 0.3 * rows[0]["loss"]
    assert run.step == 40


def test_a_killed_run_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", stop_at=17)
    resumed = trained(tmp_path / "killed")
    assert resumed.step == 40
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
        assert torch.equal(whole.average[name], resumed.average[name]), name


def test_what_is_frozen_is_neither_changed_nor_kept(tmp_path: Path) -> None:
    def half_frozen() -> nn.Module:
        net = model()
        net.get_submodule("0").requires_grad_(False)
        return net

    net = half_frozen()
    before = net.get_parameter("0.weight").clone()
    run = Run(net, RunOptions(tmp_path), SCHEDULE)
    run.train(losses_of(net), check_every=40, check=lambda r: {})
    assert torch.equal(net.get_parameter("0.weight"), before)
    assert set(run.average) == set(run.kept()) == {"2.weight", "2.bias"}
    found = load_checkpoint(tmp_path)
    assert found is not None and not any(name.startswith(("model.0", "average.0")) for name in found[0])
    again = Run(half_frozen(), RunOptions(tmp_path), SCHEDULE)
    assert again.step == 40
    assert all(torch.equal(value, again.model.state_dict()[name]) for name, value in net.state_dict().items())


def test_weights_that_a_run_begins_with_give_way_to_its_checkpoint(tmp_path: Path) -> None:
    begun = {name: value + 1.0 for name, value in model().state_dict().items()}
    first = Run(model(), RunOptions(tmp_path, start=begun), SCHEDULE)
    assert all(torch.equal(value, begun[name]) for name, value in first.model.state_dict().items())
    assert all(torch.equal(value, begun[name]) for name, value in first.averaged(model()).state_dict().items())
    first.train(losses_of(first.model), check_every=40, check=lambda r: {})
    again = Run(model(), RunOptions(tmp_path, start=begun), SCHEDULE)
    assert all(torch.equal(value, first.model.state_dict()[name]) for name, value in again.model.state_dict().items())


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    Run(model(), RunOptions(tmp_path), SCHEDULE).save()
    with pytest.raises(InputError, match=r"another network \(of another shape: 0.weight, 0.bias, 2.weight\)"):
        Run(nn.Sequential(nn.Linear(3, 9), nn.Tanh(), nn.Linear(9, 1)), RunOptions(tmp_path), SCHEDULE)


def test_a_network_begins_the_same_every_time() -> None:
    torch.manual_seed(1)
    one = seeded(lambda: nn.Linear(3, 2))
    after = torch.rand(())
    torch.manual_seed(1)
    assert torch.equal(torch.rand(()), after)  # what is random elsewhere is left alone
    assert torch.equal(seeded(lambda: nn.Linear(3, 2)).weight, one.weight)


def test_of_several_processes_one_writes_and_all_stop_together(tmp_path: Path) -> None:
    net = model()
    run = Run(net, RunOptions(tmp_path), SCHEDULE, writes=False, agreed=lambda mine: mine and run.step < 7)
    run.train(losses_of(net), check_every=5, check=lambda r: {})
    assert run.step == 7 and not list(tmp_path.iterdir())


def test_it_stops_when_the_time_is_over_checks_included_and_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    parts = trained(tmp_path / "parts", seconds=7.6)  # 10 steps, a check, 5 steps
    assert parts.step == 15
    log = (tmp_path / "parts" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [10, 15]
    parts = trained(tmp_path / "parts")
    assert parts.step == 40
    assert all(torch.equal(value, parts.average[name]) for name, value in whole.average.items())


def test_no_time_is_no_step(tmp_path: Path) -> None:
    run = trained(tmp_path, seconds=0.0)
    assert run.step == 0 and not (tmp_path / "log.jsonl").exists()


def test_a_batch_that_is_not_finite_is_not_learned_from(tmp_path: Path) -> None:
    net = model()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    run = Run(net, RunOptions(tmp_path), SCHEDULE)

    def broken(step: int) -> Losses:
        return {"loss": net(torch.full((1, 3), torch.inf)).mean() * torch.nan}

    run.schedule = Schedule(steps=1, learning_rate=0.05)
    run.train(broken, check_every=9, check=lambda r: {})
    assert run.step == 1
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_rate_rises_then_falls() -> None:
    rates = [SCHEDULE.rate(step) for step in range(40)]
    top = rates.index(max(rates))
    assert 3 <= top <= 4 and rates[0] < rates[2] and rates[-1] < 0.1 * max(rates)
    assert all(a >= b for a, b in zip(rates[top:], rates[top + 1 :], strict=False))


def test_a_checkpoint_is_many_small_files_and_the_old_ones_go(tmp_path: Path) -> None:
    tensors = {f"t{i}": torch.full((1_000_000,), float(i)) for i in range(7)}
    save_checkpoint(tmp_path, tensors, {"step": 1})
    save_checkpoint(tmp_path, {k: v + 1 for k, v in tensors.items()}, {"step": 2})
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) == 3 and max(f.stat().st_size for f in files) < 13_000_000
    found = load_checkpoint(tmp_path)
    assert found is not None and found[1] == {"step": 2}
    assert all(torch.equal(found[0][k], v + 1) for k, v in tensors.items())


def test_an_empty_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    ("module", "beside"),
    [("dense", ()), ("expression", ()), ("compact", ("PIL",))],
    ids=["dense", "expression", "compact"],
)
def test_training_needs_torch_numpy_and_safetensors(module: str, beside: tuple[str, ...]) -> None:
    """A rented machine has no more; pictures of scenes take Pillow."""
    absent = {"cv2", "mediapipe", "scipy", "PIL", "av", "warp", "tyro"} - set(beside)
    code = f"import sys; sys.modules.update(dict.fromkeys({sorted(absent)})); import reenact.lab.training.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_goes_on_only_with_the_parts_that_were_frozen(tmp_path: Path) -> None:
    def run(folder: str, frozen: bool) -> Run:
        net = seeded(lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)))
        net[0].requires_grad_(not frozen)
        return Run(net, RunOptions(tmp_path / folder), Schedule(3, 0.1))

    for begun, said in ((False, "parameters learned"), (True, "missing: 0.weight")):
        first = run(str(begun), begun)
        first.train(lambda _, net=first.model: {"loss": net(torch.ones(1, 2)).sum()}, check_every=3, check=lambda _: {})
        assert run(str(begun), begun).step == 3
        with pytest.raises(InputError, match=said):
            run(str(begun), not begun)
