# SPDX-License-Identifier: Apache-2.0
"""The small video diffusion transformer whose weights are shipped."""
