# SPDX-License-Identifier: Apache-2.0
"""`reenact train habits`: what people's faces do beyond the sculpted actions, from their fitted heads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from reenact.app.arguments import BadArgument, Verbose


@dataclass(frozen=True)
class TrainHabits:
    """Learn from heads, one a person, what their dynamic offsets have in common; transfer then learns it.

    Printed: the share of each person's offsets that is left when the others are learnt from, and of those held out.
    FILE is what the package ships as assets/habits.safetensors.

    Example: reenact train habits heads/*.head -o habits.safetensors
    """

    heads: Positional[
        Annotated[tuple[Path, ...], arg(metavar="PERSON.head", help="Made by `reenact head`, from videos.")]
    ]
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE", help="The file to write.")]
    held_out: Annotated[
        tuple[Path, ...],
        arg(metavar="PERSON.head", help="People to score and not to learn from.", help_behavior_hint="(default: none)"),
    ] = ()
    verbose: Verbose = False

    def run(self) -> int:
        """Learn, score, write, return the exit code. Raises BadArgument, InputError."""
        if len(self.heads) < 2:
            raise BadArgument(f"{len(self.heads)} head(s) are too few; want at least 2, of different people")
        if not self.output.absolute().parent.is_dir():
            raise BadArgument(f"the folder of output {self.output} does not exist")
        from reenact.lab.training.habits import learn_habits, left_over, performed
        from reenact.media.arrays import write_arrays
        from reenact.subject.store import load_head

        people, unseen = ([performed(load_head(path)[0]) for path in paths] for paths in (self.heads, self.held_out))
        for i, path in enumerate(self.heads):
            left = left_over(learn_habits([*people[:i], *people[i + 1 :]]), people[i])
            print(f"{path.name}: {len(people[i].codes)} frames, {left:.3f} left when learnt from the others")
        habits = learn_habits(people)
        for path, one in zip(self.held_out, unseen, strict=True):
            print(f"{path.name}: held out, {left_over(habits, one):.3f} left")
        write_arrays(self.output, {"vertices": habits.vertices, "answers": habits.answers.astype("float16")})
        print(f"{self.output.absolute()}: {len(people)} people")
        return 0
