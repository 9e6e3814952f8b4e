# SPDX-License-Identifier: Apache-2.0
"""Measuring outputs, so that not moving is not rewarded: pictures on masks, identity, motion, and their stability."""

from .about import About, Value
from .metrics.coefficients import CoefficientEstimator, Coefficients
from .metrics.frechet import NetworkFeatures, frechet_of_features
from .metrics.identity_networks import IdentityNetwork, OnnxIdentity
from .score import ClipScores, Extras, score_clip

__all__ = [
    "About",
    "ClipScores",
    "CoefficientEstimator",
    "Coefficients",
    "Extras",
    "IdentityNetwork",
    "NetworkFeatures",
    "OnnxIdentity",
    "Value",
    "frechet_of_features",
    "score_clip",
]
