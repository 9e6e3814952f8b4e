# SPDX-License-Identifier: Apache-2.0
"""The tables of measured results in docs/ are what the command makes of benchmarks/results."""

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def tables(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks.tables", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_docs_have_the_tables_that_the_results_give() -> None:
    done = tables(REPOSITORY, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_changed_by_hand_is_found_and_made_anew(tmp_path: Path) -> None:
    for name in ("benchmarks", "docs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    page, result = tmp_path / "docs" / "measurements.md", tmp_path / "benchmarks" / "results" / "memory.json"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("| 100 | 797 |", "| 100 | 79 |"), encoding="utf-8")
    done = tables(tmp_path, "--check")
    assert done.returncode == 1 and "docs/measurements.md differs" in done.stdout
    assert tables(tmp_path).returncode == 0
    assert page.read_text(encoding="utf-8") == text

    shutil.copyfile(result, result.with_name("nobody-asks.json"))
    assert "nobody-asks.json is in no table" in tables(tmp_path, "--check").stdout
    page.write_text(text.replace("<!-- table: memory -->", ""), encoding="utf-8")
    assert "the table memory is on no page" in tables(tmp_path, "--check").stdout
