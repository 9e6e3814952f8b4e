# SPDX-License-Identifier: Apache-2.0
"""MkDocs hook: add the pages of the documentation site that are not written by hand in docs/.

These are the home page (README.md), the changelog, the licence, the cards of the shipped assets, the examples, and the
API reference, one page for each room of the package. The package and examples/ are walked when the site is built, so no
list of modules or scripts has to be kept.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import griffe

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = "reenact"
PLAN: Final = ROOT / "tests" / "test_layers.py"
"""The plan of the rooms, `ROOMS`, whose order is that of the reference. A room that is not on it comes last."""
NOT_IN_REFERENCE: Final = ("app", "cli", "__main__", "lab", "lab.commands")
"""Modules of the command line, which is no programming interface, and the lab's empty package."""
COPIED: Final = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "LICENSE": "licence-text.md"}
"""Files of the repository's root and the pages of the site that show them."""
CARDS: Final = "src/reenact/assets"
EXAMPLES: Final = "examples"
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages where the navigation of mkdocs.yml has the words `CARDS`, `EXAMPLES` and `REFERENCE`."""
    generated = {
        "CARDS": list(cards().values()),
        "EXAMPLES": list(examples().values()),
        "REFERENCE": reference_pages(load_package()),
    }
    config.nav = with_pages(config.nav, generated)
    return config


def with_pages(entry: Any, generated: dict[str, list[Any]]) -> Any:
    """Replace words in a part of the navigation by the pages that they stand for."""
    if isinstance(entry, dict):
        return {title: with_pages(inner, generated) for title, inner in entry.items()}
    if isinstance(entry, list):
        return [new for old in entry for new in generated.get(str(old), [with_pages(old, generated)])]
    return entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of docs/."""
    from mkdocs.structure.files import File

    for source, page in {**COPIED, **cards()}.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text if source != "LICENSE" else f"```text\n{text}```\n"))
    for source, page in examples().items():
        files.append(File.generated(config, page, content=example_page(ROOT / source)))
    package = load_package()
    files.append(File.generated(config, "reference/index.md", content=reference_index(package)))
    for room in rooms(package):
        files.append(File.generated(config, f"reference/{room}.md", content=reference_page(package, room)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    pages = {**COPIED, **cards(), **examples()}
    source = {page: source for source, page in pages.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return _LINK.sub(lambda link: site_link(link, source, page.file.src_uri, pages), markdown)


def site_link(link: re.Match[str], source: str, page: str, pages: dict[str, str]) -> str:
    """Give the link in `page`, which shows the file `source`, the address that its target has in the site.

    Args:
        link: A match of a Markdown link or picture.
        source: The file that the link is in, from the repository's root.
        page: The page that shows this file, from the site's root.
        pages: File of the repository -> page of the site, for the files outside docs/.
    """
    picture, text, address = link.groups()
    path, _, part = address.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return link[0]
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if not (ROOT / target).exists():  # no link but code, or a wrong link, of which MkDocs warns
        return link[0]
    found = pages.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    if found is None:  # a file that the site does not have: its name remains
        return text
    relative = posixpath.relpath(found, posixpath.dirname(page) or ".")
    return f"{picture}[{text}]({relative}{'#' + part if part else ''})"


def cards() -> dict[str, str]:
    """Map the cards of the shipped assets to the site's pages: `src/reenact/assets/dense.md` to `models/dense.md`."""
    found = sorted((ROOT / CARDS).rglob("*.md"))
    names = {path: path.parent.name if path.name == "README.md" else path.stem for path in found}
    return {path.relative_to(ROOT).as_posix(): f"models/{name}.md" for path, name in names.items()}


def examples() -> dict[str, str]:
    """Map the examples to the site's pages: `examples/07_export.py` to `examples/07_export.md`."""
    found = sorted(path for path in (ROOT / EXAMPLES).iterdir() if path.suffix in (".py", ".ipynb"))
    return {path.relative_to(ROOT).as_posix(): f"{EXAMPLES}/{path.stem}.md" for path in found}


def example_page(path: Path) -> str:
    """Write the page of an example: a script's docstring, then its code; a notebook's cells in their order."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
        return "\n\n".join(f"```python\n{code}\n```" if kind == "code" else code for kind, code in cells) + "\n"
    tree = ast.parse(text)
    first, _, about = (ast.get_docstring(tree) or "").partition("\n")
    code = "\n".join(text.splitlines()[tree.body[0].end_lineno :]).strip()
    return f"# {path.stem[3:].replace('_', ' ').capitalize()}\n\n{first}\n{about}\n\n```python\n{code}\n```\n"


@cache
def load_package() -> griffe.Module:
    """Read the package's source without importing it."""
    loaded = griffe.load(PACKAGE, search_paths=[str(ROOT / "src")])
    assert isinstance(loaded, griffe.Module)
    return loaded


def reference_pages(package: griffe.Module) -> list[Any]:
    """List the pages of the reference as the navigation has them: the product's rooms, then a section of the lab's."""
    product, lab = [], []
    for room in rooms(package):
        (lab if room.startswith("lab.") else product).append(f"reference/{room}.md")
    return ["reference/index.md", *product, {"Lab": lab}]


def rooms(package: griffe.Module) -> list[str]:
    """List the rooms that have a page of the reference, in their order."""
    found = [*submodules(package), *(f"lab.{name}" for name in submodules(package.modules["lab"]))]
    shown = [room for room in found if room not in NOT_IN_REFERENCE and room != "assets"]
    plan = next(
        node for node in ast.parse(PLAN.read_text(encoding="utf-8")).body if ast.unparse(node).startswith("ROOMS =")
    )
    assert isinstance(plan, ast.Assign)
    order = ast.literal_eval(plan.value)
    return sorted(shown, key=lambda room: (order.index(room) if room in order else len(order), room))


def modules(room: griffe.Module) -> Iterator[griffe.Module]:
    """List a room's modules, those of its packages after its own."""
    if room.docstring or set(room.members) - set(submodules(room)):
        yield room
    for _, module in sorted(submodules(room).items(), key=lambda item: (bool(submodules(item[1])), item[0])):
        yield from modules(module)


def submodules(package: griffe.Module) -> dict[str, griffe.Module]:
    """Map names to the public modules that lie in a package; modules that it imports are not among them."""
    return {
        name: module for name, module in package.modules.items() if not module.is_alias and not name.startswith("_")
    }


def reference_index(package: griffe.Module) -> str:
    """Write the first page of the reference: what the package exports, and its rooms."""
    lines = ["# API reference", "", docstring(package), "", *exports(package)]
    lines += ["## Rooms", "", "A room imports only from the rooms above it.", ""]
    lines += ["| room | what it does |", "|---|---|"]
    lines += [f"| [{PACKAGE}.{room}]({room}.md) | {summary(package[room])} |" for room in rooms(package)]
    return "\n".join([*lines, ""])


def reference_page(package: griffe.Module, name: str) -> str:
    """Write the page of one room: what it exports, a table of its modules, then each module's docstrings."""
    room = package[name]
    listed = [module for module in modules(room) if module is not room]
    lines = [f"# {PACKAGE}.{name}", ""]
    if listed:
        lines += [docstring(room), "", *exports(room)]
        lines += ["| module | what it does |", "|---|---|"]
        lines += [f"| [`{m.path}`][{m.path}] | {summary(m)} |" for m in listed] + [""]
        for module in listed:
            only_docstring = ["    options:", "      members: false"] if module.is_init_module else []
            lines += [f"::: {module.path}", *only_docstring, ""]
    else:
        lines += [f"::: {room.path}", "    options:", "      show_root_heading: false", ""]
    return "\n".join(lines)


def exports(package: griffe.Module) -> list[str]:
    """Write a table of the names that a package exports from its modules, then what it defines itself."""
    members = [package.members[name] for name in map(str, package.exports or ()) if name in package.members]
    imported = [member for member in members if isinstance(member, griffe.Alias)]
    defined = [member.path for member in members if not member.is_alias and not member.name.startswith("_")]
    lines = []
    if imported:
        lines += [f"Exported: `from {package.path} import ...`", "", "| name | what it is |", "|---|---|"]
        lines += [f"| [`{m.name}`][{m.final_target.path}] | {summary(m.final_target)} |" for m in imported] + [""]
    for path in defined:
        lines += [f"::: {path}", ""]
    return lines


def docstring(module: griffe.Module) -> str:
    """Give a module's docstring, empty if it has none."""
    return module.docstring.value if module.docstring else ""


def summary(thing: griffe.Object | griffe.Alias) -> str:
    """Give the first sentence of a docstring on one line that fits a table's cell."""
    text = thing.docstring.value if thing.docstring else ""
    first = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.?!]) (?=[A-Z`])", first)[0].replace("|", "\\|")
