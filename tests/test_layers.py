# SPDX-License-Identifier: Apache-2.0
"""The plan of the house: a room imports only itself and lower rooms, wherever in a file the import is."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOMS = (
    "media",
    "head",
    "rendering",
    "perception",
    "tracking",
    "subject",
    "transfer",
    "generator",
    "pipeline",
    "api",
    "app",
    "lab.workers",
    "lab.synthetic",
    "lab.training",
    "lab.evaluation",
    "lab.commands",
    "cli",
    "__main__",
)
"""Lowest floor first. What an inference user needs ends with `app`; `lab` is what a researcher needs besides, and
nothing of the product may import it. `cli` puts the verbs of both together."""

ROOT = "__init__"
"""The package itself: every import of a room runs it, so it may import no room but `media.lazy`, by which it finds what
it offers when that is first used; and for type checkers what it offers."""

SOURCES = Path(__file__).parents[1] / "src"


def imported_modules(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import in `source`, a module of the dotted `package`.

    Covers function bodies, TYPE_CHECKING blocks, relative imports, and `import_module` of a literal.
    A `from a import b` gives `a.b`: whether b is a module or a name in a, its room is the same.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            start = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                yield node.lineno, f"{start}.{alias.name}"
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = ast.unparse(node.func).rsplit(".", 1)[-1]
            value = node.args[0].value
            if name in ("import_module", "__import__") and isinstance(value, str):
                yield node.lineno, value


def violations(sources: Path, package: str = "reenact") -> list[str]:
    """One sentence for each import that climbs, and for each room that is not on the plan."""
    floors = {room: floor for floor, room in enumerate(ROOMS)} | {ROOT: -1, "lab.__init__": -1}
    found = []
    for path in sorted((sources / package).rglob("*.py")):
        parts = path.relative_to(sources / package).with_suffix("").parts
        room = room_of(parts)
        if room not in floors:
            found.append(f"{room} is not a room of the plan ({path})")
            continue
        home = ".".join((package, *parts[:-1]))
        source = path.read_text(encoding="utf-8")
        for line, name in imported_modules(source if room != ROOT else at_run_time(source), home):
            target = name.split(".")
            if room == ROOT and target[1:3] == ["media", "lazy"]:
                continue
            if target[0] != package or len(target) < 2:
                continue
            other = room_of(target[1:])
            is_room = other in floors or any((sources / package).glob(f"{other.replace('.', '/')}*"))
            if is_room and other != room and floors.get(other, len(ROOMS)) >= floors[room]:
                found.append(f"{room} imports {other} ({'/'.join(parts)}.py line {line})")
    return found


def at_run_time(source: str) -> str:
    """The source without its `if TYPE_CHECKING:` blocks."""
    tree = ast.parse(source)
    tree.body = [n for n in tree.body if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")]
    return ast.unparse(tree)


def imports_of_tools(folder: Path) -> list[str]:
    """One sentence for each import of `benchmarks` or `scripts`, which measure and build the package."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        home = ".".join(path.relative_to(folder.parent).parts[:-1])
        for line, name in imported_modules(path.read_text(encoding="utf-8"), home):
            if name.split(".")[0] in ("benchmarks", "scripts"):
                found.append(f"{path.relative_to(folder)} imports {name} (line {line})")
    return found


def room_of(parts: Sequence[str]) -> str:
    """The room of a module below the package: its first part; in the lab its first two."""
    return ".".join(parts[:2]) if parts[0] == "lab" else parts[0]


def import_graph(sources: Path, package: str = "reenact") -> dict[str, set[str]]:
    """Module -> modules of the package that it imports, each by its dotted name; a package stands for its __init__."""
    paths = {path: path.relative_to(sources).with_suffix("").parts for path in (sources / package).rglob("*.py")}
    names = {path: ".".join(parts).removesuffix(".__init__") for path, parts in paths.items()}
    known, graph = set(names.values()), {}
    for path, name in names.items():
        imported, source = set(), path.read_text(encoding="utf-8")
        source = at_run_time(source) if name == package else source
        for _, target in imported_modules(source, ".".join(paths[path][:-1])):
            while target and target not in known:  # a name in a module
                target = target.rpartition(".")[0]
            imported.add(target)
        graph[name] = imported - {name, ""}
    return graph


def test_no_module_imports_itself_by_way_of_others() -> None:
    order = list(graphlib.TopologicalSorter(import_graph(SOURCES)).static_order())
    assert len(order) > 200


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import reenact, sys; print({'torch', 'numpy', 'cv2', 'av'} & set(sys.modules), len(dir(reenact)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["set()", "11"]


def test_a_circle_of_imports_is_found(tmp_path: Path) -> None:
    write(tmp_path, "head/rig.py", "from .lids import meet")
    write(tmp_path, "head/lids.py", "if TYPE_CHECKING:\n    from .rig import Rig")
    with pytest.raises(graphlib.CycleError, match=r"reenact\.head\.(rig|lids)"):
        list(graphlib.TopologicalSorter(import_graph(tmp_path)).static_order())


def test_rooms_import_only_lower_rooms() -> None:
    assert violations(SOURCES) == []


def test_neither_the_package_nor_a_test_imports_benchmarks_or_scripts() -> None:
    repository = SOURCES.parent
    assert imports_of_tools(repository / "src") == []
    assert imports_of_tools(repository / "tests") == []


@pytest.mark.parametrize("statement", ["import benchmarks.common", "def f():\n    from scripts import fit_people"])
def test_checker_finds_an_import_of_a_tool(tmp_path: Path, statement: str) -> None:
    (tmp_path / "test_a.py").write_text(statement, encoding="utf-8")
    assert len(imports_of_tools(tmp_path)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "import reenact.cli",
        "from reenact.app import cli",
        "from reenact import app",
        "from .. import app",
        "from ..app.cli import main",
        "from reenact.lab import training",
        "from ..lab.synthetic.people import synthetic_person",
        "def f():\n    from reenact.pipeline import animate",
        "if TYPE_CHECKING:\n    from ..generator.warp.generator import Warp",
        "import importlib\nimportlib.import_module('reenact.lab.training.loop')",
        "__import__('reenact.app')",
        "from reenact import __main__",
    ],
)
def test_checker_finds_an_import_that_climbs(tmp_path: Path, statement: str) -> None:
    write(tmp_path, "tracking/fit.py", statement)
    assert len(violations(tmp_path)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "from reenact.media.video import probe",
        "from ..head import open",
        "from . import sequence",
        "from .sequence import run",
        "from reenact.tracking.fit import run",
        "from reenact import __version__",
        "import reenact",
        "import app, reenact_other.app",
    ],
)
def test_checker_accepts_imports_that_do_not_climb(tmp_path: Path, statement: str) -> None:
    write(tmp_path, "tracking/fit.py", statement)
    assert violations(tmp_path) == []


def test_checker_follows_relative_imports_from_nested_packages_and_inits(tmp_path: Path) -> None:
    write(tmp_path, "head/parts/__init__.py", "from ...rendering import camera")
    write(tmp_path, "head/__init__.py", "from . import parts")
    write(tmp_path, "media/__init__.py", "from ..media import errors")
    assert violations(tmp_path) == ["head imports rendering (head/parts/__init__.py line 1)"]


def test_checker_refuses_rooms_off_the_plan_and_rooms_in_the_package_root(tmp_path: Path) -> None:
    write(tmp_path, "utils.py", "")
    write(tmp_path, "media/video.py", "from reenact import utils")
    write(tmp_path, "__init__.py", "from .media import video")
    found = violations(tmp_path)
    assert [sentence.split(" (")[0] for sentence in found] == [
        "__init__ imports media",
        "media imports utils",
        "utils is not a room of the plan",
    ]


def write(sources: Path, name: str, text: str) -> None:
    path = sources / "reenact" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
