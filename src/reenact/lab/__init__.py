# SPDX-License-Identifier: Apache-2.0
"""What a researcher needs besides the product: synthetic data, training, evaluation. The product imports none of it."""
