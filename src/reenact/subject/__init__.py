# SPDX-License-Identifier: Apache-2.0
"""The personalised head: the coarse head's mesh upsampled, with room for what one face has that the model does not."""
