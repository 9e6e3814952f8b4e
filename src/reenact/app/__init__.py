# SPDX-License-Identifier: Apache-2.0
"""The command line: one verb a command, and nothing heavy loaded before the arguments are understood."""
