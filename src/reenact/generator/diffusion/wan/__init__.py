# SPDX-License-Identifier: Apache-2.0
"""The generator at the paper's scale: a pretrained Wan image-to-video model, conditioned on the head.

Experimental: it is tested with very small models of the same classes, no released weights have been run with it, and
it may change without notice.

plan.py configures a generator, base.py loads the pretrained parts, encoders.py encodes the controls, conditioned.py
adds them to the transformer, latents.py encodes and decodes latents, and sampling.py samples frames. Sampling needs the
`generator` extra; importing this package does not.
"""
