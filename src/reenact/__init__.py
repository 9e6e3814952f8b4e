# SPDX-License-Identifier: Apache-2.0
"""reenact: one photo gives the performance of a video, through an explicit, personalised 3D head.

Importing this package loads nothing heavy. The main path is in `reenact.pipeline`, the command line in
`reenact.app`.
"""

__version__ = "0.1.0"
