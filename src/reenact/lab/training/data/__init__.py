# SPDX-License-Identifier: Apache-2.0
"""What training and evaluation are fed with."""
