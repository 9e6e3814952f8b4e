# SPDX-License-Identifier: Apache-2.0
"""Wan's own transformer, told about the head. It is diffusers' class untouched, and nothing of it is copied here.

The photo is an extra latent frame before the clip, taken in as the released image-to-video model takes its first frame.
So the transformer at the beginning is the pretrained model, making a clip that starts with the photo; all its blocks
attend to the photo's tokens with the weights they have; and no block needs another layer. (Tokens appended without a
place in the clip would need positions and weights of their own, and would change the attention from the first step on.)
What the two encoders say is added to the tokens by a hook on the patch embedding, and is zero at the beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reenact.generator.diffusion.controls import Controls
from reenact.media.errors import InputError

from .encoders import Grid, PoseEncoder, ReferenceEncoder
from .extra import WanTransformer3DModel, required
from .plan import INPUTS, WanPlan

PROMPT_TOKENS = 512
"""Of a text, padded; the transformer tells the image's tokens from the text's by this number."""
STEPS = 1000.0
"""The time the transformer is given is this many times the noise level."""
_LORA = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]


@dataclass(frozen=True)
class Given:
    """What is known beside the controls, as latents; T is their number in the clip, z their channels."""

    photo: Tensor
    """[B, z, 1, h, w]"""
    photo_noise: Tensor
    """[B, z, 1, h, w] the photo's latent is made as noisy as the clip is."""
    blank: Tensor
    """[1, z, T, h, w] of a grey clip, which stands for frames that are not known."""
    frames: Tensor
    """[B, z, T, h, w] of which the first `known` are, carried over from an earlier window."""
    known: int
    image_tokens: Tensor | None = None
    """[B, n, d] of the image encoder that Wan2.1 has."""


class ConditionedWan(nn.Module):
    """The transformer and what is added to it.

    prompt: [1, 512, d] embedding of a text, the same for all; zeros if None. Raises InputError if the transformer's
    input is neither of the two known forms.
    """

    prompt: Tensor

    def __init__(
        self,
        transformer: WanTransformer3DModel,
        latent_channels: int,
        frames: int,
        pixels: int,
        plan: WanPlan,
        prompt: Tensor | None = None,
    ) -> None:
        """frames, pixels: how many of a clip one latent stands for."""
        super().__init__()
        config = transformer.config
        self.plan, self.latent_channels = plan, latent_channels
        self.concatenates = _concatenates(config.in_channels, latent_channels, frames, plan)
        self.patch = config.patch_size
        self.frames_a_latent = frames
        dim = config.num_attention_heads * config.attention_head_dim
        grid = Grid(frames, pixels, self.patch[1])
        self.reference = ReferenceEncoder(grid, dim, plan.width)
        self.pose = PoseEncoder(grid, dim, plan.width)
        if prompt is None:
            prompt = torch.zeros(1, PROMPT_TOKENS, config.text_dim)
        self.register_buffer("prompt", prompt)
        self.transformer = _trainable(transformer, plan.rank)

    def forward(self, noisy: Tensor, sigma: Tensor, given: Given, controls: Controls, on: Tensor) -> Tensor:
        """Velocity [B, z, T, h, w] of the clip, float32; meaningless in the frames that are known.

        noisy: [B, z, T, h, w]. sigma: [B] noise level from 0 to 1. on: [B, 6] 1 where an input of plan.INPUTS is told.
        """
        on = on * torch.tensor([float(name in self.plan.inputs) for name in INPUTS], device=on.device)
        seen = on[:, INPUTS.index("photo"), None, None, None, None]
        added = torch.cat([self.reference(controls, on), self.pose(controls, on)], dim=2)
        x, time = self._taken_in(noisy, sigma, given, seen)
        prompt = self.prompt.to(x.dtype).expand(len(x), -1, -1)
        image = None
        if self.transformer.config.image_dim is not None:
            image = self._image_tokens(given, seen[:, 0, 0, 0], x)
        hook = self.transformer.patch_embedding.register_forward_hook(lambda _m, _i, out: out + added.to(out.dtype))
        try:
            (found,) = self.transformer(x, time, prompt, image, return_dict=False)
        finally:
            hook.remove()
        return found[:, :, 1:].float()

    def _taken_in(self, noisy: Tensor, sigma: Tensor, given: Given, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The transformer's input [B, c, 1 + T, h, w] and its time, [B] or [B, tokens]."""
        b, _, t, h, w = noisy.shape
        photo, known = given.photo * seen, given.known
        if not self.concatenates:  # what is known is put in place of the noise, and its time is 0
            x = torch.cat([photo, given.frames[:, :, :known], noisy[:, :, known:]], dim=2)
            time = (STEPS * sigma)[:, None, None].expand(b, 1 + t, (h // self.patch[1]) * (w // self.patch[2])).clone()
            time[:, : 1 + known] = 0.0
            return x, time.flatten(1)
        level = sigma[:, None, None, None, None]
        clip = torch.cat([(1.0 - level) * photo + level * given.photo_noise, noisy], dim=2)
        blank = given.blank[:, :, known:].expand(b, -1, -1, -1, -1)
        shown = torch.cat([photo, given.frames[:, :, :known], blank], dim=2)
        mask = noisy.new_zeros(b, self.frames_a_latent, 1 + t, h, w)
        mask[:, :, 1 : 1 + known] = 1.0
        mask[:, :, :1] = seen
        return torch.cat([clip, mask, shown], dim=1), STEPS * sigma

    def _image_tokens(self, given: Given, seen: Tensor, x: Tensor) -> Tensor:
        tokens = given.image_tokens
        if tokens is None:
            return x.new_zeros(len(x), 1, self.transformer.config.image_dim)
        return tokens.to(x.dtype) * seen[:, :, None]


def _concatenates(in_channels: int, latent: int, frames: int, plan: WanPlan) -> bool:
    """Whether the image enters as more channels (Wan2.1, Wan2.2-A14B) or in place of noise (Wan2.2-TI2V-5B)."""
    more = 2 * latent + frames
    if in_channels not in (latent, more):
        raise InputError(
            f"{plan.base}/{plan.subfolder} takes {in_channels} channels, and its VAE has {latent}: not an "
            f"image-to-video model; want one that takes {more} (Wan2.1-I2V, Wan2.2-I2V-A14B) or {latent} "
            "(Wan2.2-TI2V-5B)"
        )
    return in_channels == more


def _trainable(transformer: WanTransformer3DModel, rank: int) -> WanTransformer3DModel:
    """With a LoRA of which B is zero, in float32, and all else frozen; or, of rank 0, all of it trainable."""
    if not rank:
        return transformer.float()
    transformer.requires_grad_(False)
    peft = required("peft")
    transformer.add_adapter(peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=_LORA))
    for parameter in transformer.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return transformer
