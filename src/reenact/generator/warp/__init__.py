# SPDX-License-Identifier: Apache-2.0
"""Warp the source image by the head's 3D motion: skin, background, lids, irises, lips, teeth and light."""
