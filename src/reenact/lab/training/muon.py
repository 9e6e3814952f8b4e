# SPDX-License-Identifier: Apache-2.0
"""Muon: steps in which every direction of a weight matrix moves as fast (Jordan et al. 2024).

Gradients of matrices, and of convolutions as matrices, are orthogonalised; what is no matrix is left to AdamW. The size
of a step is that of AdamW's (Liu et al. 2025, "Muon is scalable for LLM training", arXiv 2502.16982), so that both have
one learning rate. The dense network, trained for 300 steps at 128 px at a rate of 3e-3, errs by 15.5 degrees, by AdamW
by 16.4; a step takes 1.2 times as long. The compact generator gains .056 dB in faces and .11 in mouths in 250 steps
from nothing at a rate of 2e-3; by AdamW at 1e-3, .042 and .035.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import Tensor

_MOMENTUM: Final = 0.95  # Jordan et al.
_SIZE: Final = 0.2
"""Root mean square of AdamW's usual updates, in learning rates (Liu et al., section 2.2)."""
_BETAS: Final = (0.9, 0.99)  # of AdamW
_POLYNOMIAL: Final = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz iteration of Jordan et al.: it takes singular values to 0.7 .. 1.2."""


class Muon(torch.optim.Optimizer):
    """Optimise matrices and convolutions by Muon, and biases, scales and depthwise convolutions by AdamW.

    Args:
        parameters: of the network.
        learning_rate: of both.
        weight_decay: of both, decoupled.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": learning_rate, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take a step. closure: not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    direction = _matrix_step if is_matrix(parameter) else _adam_step
                    parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                    parameter.add_(direction(parameter.grad, self.state[parameter]), alpha=-group["lr"])


def is_matrix(parameter: Tensor) -> bool:
    """Say whether a parameter mixes channels: a matrix, or a convolution that is not depthwise."""
    return parameter.ndim >= 2 and parameter.shape[1] > 1


def orthogonalised(matrix: Tensor) -> Tensor:
    """Take the singular values of [M, N] to about 1, in half precision as Jordan et al. do."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = (x / (x.norm() + 1e-7)).bfloat16()
    a, b, c = _POLYNOMIAL
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)


def _matrix_step(gradient: Tensor, state: dict[str, Any]) -> Tensor:
    momentum = state.setdefault("momentum", torch.zeros_like(gradient))
    momentum.lerp_(gradient, 1.0 - _MOMENTUM)
    ahead = torch.lerp(gradient, momentum, _MOMENTUM).flatten(1)  # Nesterov's
    return (_SIZE * max(ahead.shape) ** 0.5 * orthogonalised(ahead)).view_as(gradient)


def _adam_step(gradient: Tensor, state: dict[str, Any]) -> Tensor:
    if "step" not in state:
        state |= {"step": torch.zeros(()), "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
    state["step"] += 1
    state["mean"].lerp_(gradient, 1.0 - _BETAS[0])
    state["square"].lerp_(gradient.square(), 1.0 - _BETAS[1])
    mean, square = (
        state[name] / (1.0 - beta ** float(state["step"]))
        for name, beta in zip(("mean", "square"), _BETAS, strict=True)
    )
    return mean / (square.sqrt() + 1e-8)
