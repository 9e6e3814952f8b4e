# SPDX-License-Identifier: Apache-2.0
"""Data of training and evaluation."""
