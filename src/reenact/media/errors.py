# SPDX-License-Identifier: Apache-2.0
"""The one exception for input that cannot be used."""


class InputError(ValueError):
    """A file the user gave cannot be used.

    The message is one sentence for the user: it names the file, says what was found and what is wanted.
    The command line prints it without a traceback and exits with status 2.
    """
