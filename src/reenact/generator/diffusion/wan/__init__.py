# SPDX-License-Identifier: Apache-2.0
"""The generator at the paper's scale: a pretrained Wan image-to-video model, told about the head.

Experimental: it is tested with very small models of the same classes, no released weights have been run with it, and
it may change without notice.

plan.py says what is built, base.py loads the pretrained parts, encoders.py reads the controls, conditioned.py puts them
into the transformer, latents.py is the way to latents and back, sampling.py how frames are made. Needs the `generator`
extra; importing this room does not.
"""
