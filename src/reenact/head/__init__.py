# SPDX-License-Identifier: Apache-2.0
"""Parametric head models behind one protocol: the open head, and a user's own SMPL-X or FLAME file (experimental)."""
