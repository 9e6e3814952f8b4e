# SPDX-License-Identifier: Apache-2.0
"""The small video diffusion transformer that is trained here and shipped."""
