# SPDX-License-Identifier: Apache-2.0
"""Measuring outputs, so that not moving is not rewarded: pictures on masks, identity, motion, and their stability."""
