# SPDX-License-Identifier: Apache-2.0
"""One file a kind of number.  Each metric takes frames one by one and gives its values at the end."""
