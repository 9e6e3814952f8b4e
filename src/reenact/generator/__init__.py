# SPDX-License-Identifier: Apache-2.0
"""Turn the rendered head into frames: `warp` has no learned weights, `diffusion` holds the learned generators."""
