# SPDX-License-Identifier: Apache-2.0
"""`reenact export`: a person's own head for other tools."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from .arguments import BadArgument, Verbose, check_output


@dataclass(frozen=True)
class Export:
    """Write a head as glTF: textured, with the 52 ARKit targets, eyes that turn, and its motion as an animation.

    Example: reenact export me.head -o me.glb
    """

    head: Positional[Annotated[Path, arg(metavar="PERSON.head", help="What `reenact head` has written.")]]
    output: Annotated[Path, arg(aliases=["-o"], metavar="PERSON.glb", help="The file to write.")]
    detail: Annotated[
        Literal["coarse", "fit", "detailed"], arg(help="How fine: about 5,000, 21,000 or 84,000 vertices.")
    ] = "fit"
    verbose: Verbose = False

    def run(self) -> int:
        """Write the file, say where it is, return the exit code. Raises BadArgument, InputError."""
        check_output(self.output, ".glb", [self.head])

        from reenact.media.files import written_beside
        from reenact.subject.gltf import head_to_glb
        from reenact.subject.store import load_head

        started = time.monotonic()
        subject = load_head(self.head)
        if subject.motion is None:
            raise BadArgument(f"{self.head} holds no motion to export; want a head made of a video or photo")
        content = head_to_glb(subject, self.detail)
        with written_beside(self.output) as partial:
            partial.write_bytes(content)
        seconds, size = time.monotonic() - started, len(content) / 1e6
        print(f"{self.output.absolute()}: {len(subject.motion)} frame(s), {size:.1f} MB, written in {seconds:.1f} s")
        return 0
