"""The static types, under pyright, mypy and ty, with both SDKs installed, and with each alone."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracked_inference import track

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
SDKS = ("anthropic", "openai")
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(sdk) is None for sdk in SDKS), reason="needs both SDKs, to leave either out"
)

Errors = dict[str, dict[int, set[str]]]
"""By file name and line, the codes of what a checker found."""


def _tool(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{name} is not installed")
    return found


def _mypy(interpreter: Path, files: list[Path]) -> Errors:
    cache = REPOSITORY / ".mypy_cache" / f"typing-{interpreter.parent.parent.name}"
    command = [_tool("mypy"), "--strict", "--no-color-output", "--no-error-summary", f"--cache-dir={cache}"]
    command += ["--config-file=", f"--python-executable={interpreter}", *map(str, files)]
    output = _output(command)
    found: Errors = defaultdict(lambda: defaultdict(set))
    for path, line, code in re.findall(r"^(.+?):(\d+): error: .*?(?:\[([\w-]+)\])?$", output, re.MULTILINE):
        found[Path(path).name][int(line)].add(code)
    return found


def _pyright(interpreter: Path, files: list[Path]) -> Errors:
    command = [_tool("pyright"), "--outputjson", f"--pythonpath={interpreter}", *map(str, files)]
    found: Errors = defaultdict(lambda: defaultdict(set))
    for one in json.loads(_output(command))["generalDiagnostics"]:
        if one["severity"] == "error":
            found[Path(one["file"]).name][one["range"]["start"]["line"] + 1].add(one.get("rule", ""))
    return found


def _ty(interpreter: Path, files: list[Path]) -> Errors:
    command = [_tool("ty"), "check", "--output-format=concise", "--color=never"]
    command += [f"--python={interpreter.parent.parent}", *map(str, files)]
    found: Errors = defaultdict(lambda: defaultdict(set))
    for path, line, code in re.findall(
        r"^(.+?):(\d+):\d+: error\[([\w-]+)\]", _output(command), re.MULTILINE
    ):
        found[Path(path).name][int(line)].add(code)
    return found


def _output(command: list[str]) -> str:
    made = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "MYPYPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode in (0, 1), made.stdout + made.stderr
    return made.stdout


def _among(errors: Errors, files: list[Path]) -> dict[str, dict[int, set[str]]]:
    """The errors in these files and in the stub; the rest of the package has its own check."""
    names = {"client.pyi", *(file.name for file in files)}
    return {name: dict(lines) for name, lines in errors.items() if name in names}


CHECKERS: dict[str, Callable[[Path, list[Path]], Errors]] = {"mypy": _mypy, "pyright": _pyright, "ty": _ty}


@pytest.fixture(scope="module")
def interpreter_without(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """An environment like this one, of links, from which one SDK is left out."""
    made: dict[str, Path] = {}

    def make(left_out: str) -> Path:
        if left_out not in made:
            home = tmp_path_factory.mktemp("environments") / f"without-{left_out}"
            venv.create(home, symlinks=True)
            (packages,) = home.glob("lib/python*/site-packages")
            for one in Path(importlib.util.find_spec("pytest").origin).parent.parent.iterdir():  # type: ignore[union-attr, arg-type]
                if re.match(r"[a-z0-9_]+", one.name.lower()) and not one.name.lower().startswith(left_out):
                    if not (packages / one.name).exists():
                        (packages / one.name).symlink_to(one)
            made[left_out] = home / "bin" / "python"
        return made[left_out]

    return make


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_tracked_client_is_the_vendors_client_to_every_checker(checker: str) -> None:
    """Everything that the SDKs' own types allow is allowed, with the very same types."""
    files = sorted(HERE.glob("*_must_check.py"))

    errors = CHECKERS[checker](Path(sys.executable), files)

    assert _among(errors, files) == {}


@pytest.mark.parametrize("checker", CHECKERS)
def test_what_is_wrong_is_refused_line_by_line(checker: str) -> None:
    """Every marked line is an error, and no other line is."""
    path = HERE / "must_not_check.py"
    expected = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        marked = re.search(r"  # error: ([\w-]+)(?: \(not (\w+)\))?$", line)
        if marked and marked[2] != checker:
            expected[number] = marked[1]

    found = CHECKERS[checker](Path(sys.executable), [path])[path.name]

    assert sorted(found) == sorted(expected)
    if checker == "mypy":
        assert found == {line: {code} for line, code in expected.items()}


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize(("left_out", "installed"), [("openai", "anthropic"), ("anthropic", "openai")])
def test_one_sdk_is_enough(
    checker: str, left_out: str, installed: str, interpreter_without: Callable[[str], Path]
) -> None:
    """With one SDK not installed, the other one's clients keep their exact types: nothing decays to Any."""
    interpreter = interpreter_without(left_out)
    files = [HERE / f"{installed}_must_check.py", HERE / "attribution_must_check.py"]

    errors = CHECKERS[checker](interpreter, files)

    assert {name: dict(errors[name]) for name in (file.name for file in files)} == {
        file.name: {} for file in files
    }


def test_the_stub_has_the_arguments_of_the_code() -> None:
    """The stub's options are the keyword arguments of `track`, in their order."""
    stub = ast.parse((REPOSITORY / "tracked_inference" / "client.pyi").read_text())
    (options,) = (node for node in stub.body if isinstance(node, ast.ClassDef) and node.name == "_Options")
    declared = [node.target.id for node in options.body if isinstance(node, ast.AnnAssign)]  # type: ignore[union-attr]

    assert ["client", *declared] == list(inspect.signature(track).parameters)
