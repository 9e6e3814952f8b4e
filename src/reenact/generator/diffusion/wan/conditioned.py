# SPDX-License-Identifier: Apache-2.0
"""Wan's own transformer, conditioned on the head. It is diffusers' class unchanged; nothing of it is copied here.

The reference is an extra latent frame before the clip, which enters as the first frame of the released image-to-video
model does. So the untrained model is the pretrained one, making a clip that starts with the reference; all its blocks
attend to the reference's tokens with the weights that they have; and no block needs another layer. (Tokens appended
without a place in the clip would need positions and weights of their own, and would change the attention from the first
step on.) A hook on the patch embedding adds the output of the two encoders to the tokens; untrained it is zero.
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
"""Tokens of a text, padded; the transformer tells the image's tokens from the text's by this number."""


@dataclass(frozen=True)
class LatentConditions:
    """Conditioning beside the controls, as latents; T is their number in the clip, z their channels."""

    reference: Tensor
    """[B, z, 1, h, w]"""
    reference_noise: Tensor
    """[B, z, 1, h, w] noise of the reference's latent, which is made as noisy as the clip is."""
    grey: Tensor
    """[1, z, T, h, w] of a grey clip, which stands for frames that are not given."""
    frames: Tensor
    """[B, z, T, h, w] of which the first `prefix` are given, by an earlier window."""
    prefix: int
    image_tokens: Tensor | None = None
    """[B, n, d] of the image encoder that Wan2.1 has."""


class ConditionedWan(nn.Module):
    """The transformer with encoders and LoRA.

    Args:
        transformer: of diffusers.
        latent_channels: z.
        frames: frames of a clip for each latent.
        pixels: px for each latent.
        plan: of the generator.
        prompt: [1, 512, d] embedding of a text, the same for all; None for zeros.

    Raises:
        InputError: the transformer's input has neither of the two known forms.
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

    def forward(
        self, noisy: Tensor, sigma: Tensor, latents: LatentConditions, controls: Controls, input_mask: Tensor
    ) -> Tensor:
        """Predict the velocity of the clip [B, z, T, h, w] float32; it means nothing in the prefix.

        Args:
            noisy: [B, z, T, h, w].
            sigma: [B] noise level from 0 to 1.
            latents: conditioning as latents.
            controls: conditioning as images.
            input_mask: [B, 6] 1 for each of plan.INPUTS that is used, 0 where it is left out.
        """
        mask = input_mask * torch.tensor([float(name in self.plan.inputs) for name in INPUTS], device=input_mask.device)
        reference_mask = mask[:, INPUTS.index("photo"), None, None, None, None]
        added = torch.cat([self.reference(controls, mask), self.pose(controls, mask)], dim=2)
        x, time = self._input(noisy, sigma, latents, reference_mask)
        prompt = self.prompt.to(x.dtype).expand(len(x), -1, -1)
        image = None
        if self.transformer.config.image_dim is not None:
            image = self._image_tokens(latents, reference_mask[:, 0, 0, 0], x)
        hook = self.transformer.patch_embedding.register_forward_hook(lambda _m, _i, out: out + added.to(out.dtype))
        try:
            (velocity,) = self.transformer(x, time, prompt, image, return_dict=False)
        finally:
            hook.remove()
        return velocity[:, :, 1:].float()

    def _input(
        self, noisy: Tensor, sigma: Tensor, latents: LatentConditions, reference_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the transformer's input [B, c, 1 + T, h, w] and its time (1000 sigma) [B] or [B, tokens]."""
        b, _, t, h, w = noisy.shape
        reference, prefix = latents.reference * reference_mask, latents.prefix
        if not self.concatenates:  # what is given takes the place of the noise, and its time is 0
            x = torch.cat([reference, latents.frames[:, :, :prefix], noisy[:, :, prefix:]], dim=2)
            tokens = (h // self.patch[1]) * (w // self.patch[2])
            time = (1000.0 * sigma)[:, None, None].expand(b, 1 + t, tokens).clone()
            time[:, : 1 + prefix] = 0.0
            return x, time.flatten(1)
        level = sigma[:, None, None, None, None]
        clip = torch.cat([(1.0 - level) * reference + level * latents.reference_noise, noisy], dim=2)
        grey = latents.grey[:, :, prefix:].expand(b, -1, -1, -1, -1)
        images = torch.cat([reference, latents.frames[:, :, :prefix], grey], dim=2)
        mask = noisy.new_zeros(b, self.frames_a_latent, 1 + t, h, w)
        mask[:, :, 1 : 1 + prefix] = 1.0
        mask[:, :, :1] = reference_mask
        return torch.cat([clip, mask, images], dim=1), 1000.0 * sigma

    def _image_tokens(self, latents: LatentConditions, reference_mask: Tensor, x: Tensor) -> Tensor:
        tokens = latents.image_tokens
        if tokens is None:
            return x.new_zeros(len(x), 1, self.transformer.config.image_dim)
        return tokens.to(x.dtype) * reference_mask[:, :, None]


def _concatenates(in_channels: int, latent: int, frames: int, plan: WanPlan) -> bool:
    """Return whether the image enters as more channels (Wan2.1, Wan2.2-A14B) or in place of noise (Wan2.2-TI2V-5B)."""
    more = 2 * latent + frames
    if in_channels not in (latent, more):
        raise InputError(
            f"{plan.base}/{plan.subfolder} takes {in_channels} channels, and its VAE has {latent}: not an "
            f"image-to-video model; want one that takes {more} (Wan2.1-I2V, Wan2.2-I2V-A14B) or {latent} "
            "(Wan2.2-TI2V-5B)"
        )
    return in_channels == more


def _trainable(transformer: WanTransformer3DModel, rank: int) -> WanTransformer3DModel:
    """Freeze the transformer and add a LoRA in float32 whose B is zero; or, for rank 0, leave all of it trainable."""
    if not rank:
        return transformer.float()
    transformer.requires_grad_(False)
    peft = required("peft")
    targets = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]
    transformer.add_adapter(peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=targets))
    for parameter in transformer.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return transformer
