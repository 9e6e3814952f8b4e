# SPDX-License-Identifier: Apache-2.0
"""`python -m reenact`: the command line, for when the `reenact` script is not on the PATH."""

from reenact.cli import main

if __name__ == "__main__":
    main()
