# SPDX-License-Identifier: Apache-2.0
"""What is shipped: small, with a licence line and a card on everything, one version everywhere."""

import re
from pathlib import Path

import reenact

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "src" / "reenact"
ASSETS = PACKAGE / "assets"
FOLDERS = ("src", "tests", "benchmarks", "scripts", "examples")
SOURCES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
PLAIN = [REPOSITORY / name for name in ("Makefile", ".ci/run", "pyproject.toml", "constraints.txt")]
LICENCE_LINE = "# SPDX-License-Identifier: Apache-2.0"


def test_every_source_file_names_its_licence_at_the_top() -> None:
    without = []
    for path in [*SOURCES, *PLAIN]:
        lines = path.read_text(encoding="utf-8").splitlines()
        if lines and LICENCE_LINE not in lines[: 1 + lines[0].startswith("#!")]:
            without.append(str(path.relative_to(REPOSITORY)))
    assert without == []


def test_no_source_file_is_long() -> None:
    lengths = {str(path.relative_to(REPOSITORY)): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_assets_are_small() -> None:
    assert sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()) <= 80e6


def test_every_asset_has_a_card() -> None:
    """`name.md`, or a README beside it that mentions it: where it is from, and under what licence."""
    for path in ASSETS.rglob("*"):
        if path.is_dir() or path.suffix == ".md":
            continue
        stem = path.name.split(".")[0]
        own, shared = path.with_name(f"{stem}.md"), path.with_name("README.md")
        card = own if own.exists() else shared
        assert card.exists(), f"{path.relative_to(REPOSITORY)} has no card"
        text = card.read_text(encoding="utf-8")
        assert stem in text, f"{card.relative_to(REPOSITORY)} does not mention {stem}"
        assert re.search(r"licen[cs]e|public domain|CC0", text, re.IGNORECASE), f"{card} names no licence"


def test_no_pickles() -> None:
    kinds = (".pkl", ".pickle", ".pt", ".pth")
    assert [path for path in PACKAGE.rglob("*") if path.suffix in kinds] == []


def test_one_version_everywhere() -> None:
    released = re.search(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert released is not None
    assert released[1] == reenact.__version__
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert 'path = "src/reenact/__init__.py"' in project


def test_every_dependency_is_pinned_in_the_constraints() -> None:
    """So that `make` installs today what it installed when it was tested."""
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    start, end = project.index("dependencies = ["), project.index("[project.scripts]")
    wanted = set(re.findall(r'"([A-Za-z][\w-]*)(?:\[\w+\])?[<>=]=', project[start:end]))
    pinned = set(re.findall(r"^([A-Za-z][\w-]*)==", (REPOSITORY / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    assert len(wanted) > 10
    assert wanted <= pinned


def test_licence_is_the_whole_apache_licence() -> None:
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
