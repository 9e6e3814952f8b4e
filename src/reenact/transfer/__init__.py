# SPDX-License-Identifier: Apache-2.0
"""From a performer's motion to the receiver's: motion modes, rest, strengths, head pose."""
