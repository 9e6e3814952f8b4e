# SPDX-License-Identifier: Apache-2.0
"""Rebuild the shipped head: ``pip install -e .[build-head] && python -m scripts.build_head``."""
