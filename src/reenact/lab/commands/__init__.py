# SPDX-License-Identifier: Apache-2.0
"""The command line's verbs of the lab: `train` and `evaluate`."""
