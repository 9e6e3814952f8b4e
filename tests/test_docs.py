# SPDX-License-Identifier: Apache-2.0
"""README and docs say what is there: links lead somewhere, code names what the package has, the README is short."""

import ast
import re
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), *SOURCES.rglob("*.md")])
TEXT_SUFFIXES = (".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".cfg", ".ini", ".sh", ".csv", ".json", "")
FOLDERS = ("src", "tests", "docs", "scripts", "benchmarks", "examples", ".ci")
REGISTRY = re.compile(
    r"[\w.-]*(?:pypi|pythonhosted|npmjs|anaconda|crates|rubygems|download\.pytorch)\.(?:org|com|io)\b", re.IGNORECASE
)
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)|(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOTTED = re.compile(r"`(reenact(?:\.\w+)+)(?:\([^`]*\))?`")


def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page that are marked as `language`."""
    return [code for marked, code in FENCE.findall(page.read_text(encoding="utf-8")) if marked == language]


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"\s+", "-", heading) for heading in plain}


def broken_links(page: Path) -> list[str]:
    """The links of a page that lead to no file of the repository, or to no heading of a page."""
    broken = []
    for groups in LINK.findall(prose(page)):
        address = groups[0] or groups[1]
        path, _, heading = address.partition("#")
        if re.match(r"[a-z]+:", address):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and target.suffix == ".md" and heading not in anchors(target)):
            broken.append(address)
    return broken


def names_of(module: str) -> set[str] | None:
    """What can be imported from a module of the package: its names and submodules; None if there is no such module."""
    base = SOURCES.joinpath(*module.split("."))
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    if not path.is_file():
        return None
    names = (
        {entry.stem for entry in base.glob("*") if entry.suffix == ".py" or entry.is_dir()} if base.is_dir() else set()
    )
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def imports(code: str) -> Iterator[tuple[str, str | None]]:
    """(module, name) of each import from the package in Python code; name None where the module itself is meant."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.split(".")[0] == "reenact")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "reenact":
            yield from ((resolve_name(node.module or "", None), alias.name) for alias in node.names)


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module of the package, or a name in one, or an attribute of such a name."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        names = names_of(".".join(parts[:length]))
        if names is not None:
            return length == len(parts) or parts[length] in names
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_the_docs_imports_what_there_is(page: Path) -> None:
    wrong = []
    for code in blocks(page, "python"):
        for module, name in imports(code):
            names = names_of(module)
            if names is None or (name is not None and name not in names):
                wrong.append(f"{module}: {name}")
    wrong += [dotted for dotted in DOTTED.findall(prose(page)) if not exists(dotted)]
    assert wrong == []


def undocumented(source: str) -> list[str]:
    """The entries under `Args:` in docstrings of Python code that name no parameter; one entry names one parameter."""
    wrong = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        section = re.search(r"^Args:\n((?: {4}.*\n?|\n)+)", ast.get_docstring(node) or "", re.MULTILINE)
        entries = re.findall(r"^ {4}([^\s:][^:]*):", section[1], re.MULTILINE) if section else []
        wrong += [f"{node.name}: {entry}" for entry in entries if entry.lstrip("*") not in parameters(node)]
    return wrong


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> set[str]:
    """The parameters of a function, or of a class: those of its constructor, and its fields if it is a dataclass."""
    if isinstance(node, ast.ClassDef):
        fields = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
        return fields.union(
            *(parameters(n) for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
        )
    given = node.args
    return {a.arg for a in [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg] if a}


def test_docstrings_describe_the_parameters_that_there_are() -> None:
    """The API reference is built with warnings as errors; this finds the usual one at once."""
    found = {str(path.relative_to(ROOT)): undocumented(path.read_text("utf-8")) for path in SOURCES.rglob("*.py")}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_readme_begins_with_pictures_that_are_small() -> None:
    shown = re.findall(r"docs/pictures/[\w.-]+", "".join((ROOT / "README.md").read_text("utf-8").splitlines(True)[:20]))
    assert len(set(shown)) >= 4
    assert all((ROOT / picture).stat().st_size <= 1.5e6 for picture in shown)


def test_no_address_of_a_package_registry() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in TEXT_SUFFIXES]
    files += [path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXT_SUFFIXES]
    found = []
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            found += [f"{path.relative_to(ROOT)}: {hit}" for hit in REGISTRY.findall(path.read_text("utf-8", "ignore"))]
    assert found == []


def test_the_checks_find_what_is_wrong(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](b.md) [c](#one) [d](#two)\n```python\nx[i](y)\n```\n", encoding="utf-8")
    assert broken_links(page) == ["b.md", "#two"]
    assert list(imports("from reenact.media import probe\nimport reenact.pipeline")) == [
        ("reenact.media", "probe"),
        ("reenact.pipeline", None),
    ]
    assert exists("reenact.media.probe") and exists("reenact.media.video")
    assert not exists("reenact.media.no_such_name") and not exists("reenact.no_such_room.x")
    doc = '"""Do it.\n\n    Args:\n        a, b: Both.\n        c: One:\n            more.\n    """'
    assert undocumented(f"def f(a, b, c):\n    {doc}") == ["f: a, b"]
    assert REGISTRY.search("https://" + "py" + "pi.org/simple") and not REGISTRY.search("PyPI")
