# SPDX-License-Identifier: Apache-2.0
"""What is trained, one file each, on one shared loop. Imports nothing that a bare torch machine lacks."""
