# SPDX-License-Identifier: Apache-2.0
"""Learned generators over the warp: conditioning, windows and compositing; `compact` and `wan`."""
