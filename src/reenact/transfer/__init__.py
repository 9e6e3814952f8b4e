# SPDX-License-Identifier: Apache-2.0
"""Retarget a driving motion to a subject: motion modes, strengths by region, head pose, edits, ARKit csv."""
