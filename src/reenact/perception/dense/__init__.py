# SPDX-License-Identifier: Apache-2.0
"""Dense normals, depth and classes of an image, from the shipped network or from files of any estimator."""
