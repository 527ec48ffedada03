"""The console entry: which commands there are, and how the program ends."""

import os
import subprocess
import sys

import pytest

import tracked_inference
from tracked_inference import cli
from tracked_inference.cli import COMMANDS, Entry, main

click = pytest.importorskip("click", reason="click is not installed: pip install 'tracked-inference[cli]'")
pytest.importorskip("rich", reason="rich is not installed: pip install 'tracked-inference[cli]'")


@pytest.fixture(autouse=True)
def samples(monkeypatch):
    for name in ("fine", "wrong", "interrupted", "aborted", "ends"):
        monkeypatch.setitem(COMMANDS, name, Entry(f"tests.cli.sample:{name}", "A sample."))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_asked_for_help(name, capsys):
    """Each registered command exists and explains itself."""
    code = main([name, "--help"])

    assert code == 0
    assert f"Usage: tracked-inference {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_is_whole(name, capsys):
    """In 80 columns no summary of a subcommand is cut off, and no markup of the docstring is left in."""
    main([name, "--help"])

    out = capsys.readouterr().out
    assert "\\b" not in out
    assert "..." not in out.partition("Commands:")[2]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_summary_and_an_extra_that_exists(name):
    """The help of the program has one line a command; what a command misses can be installed by a real extra."""
    import importlib.metadata

    entry = COMMANDS[name]

    assert entry.summary.endswith(".")
    assert "\n" not in entry.summary
    assert entry.extra in importlib.metadata.metadata("tracked-inference").get_all("Provides-Extra")


def test_help_lists_the_commands(capsys):
    """`--help` shows every command with its summary."""
    assert main(["--help"]) == 0

    out = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert name in out
        assert entry.summary.split(",")[0] in out


def test_version(capsys):
    """`--version` says the version of the package."""
    assert main(["--version"]) == 0

    assert capsys.readouterr().out == f"tracked-inference, version {tracked_inference.__version__}\n"


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_only_what_is_used_is_imported():
    """The module imports neither click nor rich; help imports no command; a command imports no other."""
    code = """
import sys
from tracked_inference.cli import COMMANDS, main
print("click" in sys.modules, "rich" in sys.modules)
main(["--help"])
print(any(entry.at.partition(":")[0] in sys.modules for entry in COMMANDS.values()))
main(["features", "--help"])
print(COMMANDS["demo"].at.partition(":")[0] in sys.modules)
"""
    ended = run(code)

    assert ended.returncode == 0, ended.stderr
    assert [line for line in ended.stdout.splitlines() if line in ("True", "False", "False False")] == [
        "False False",
        "False",
        "False",
    ]


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_click_or_rich_it_says_what_to_install(missing):
    """The command line is an extra; without it there is one clear line and exit code 2."""
    ended = run(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from tracked_inference.cli import main\nraise SystemExit(main(['features', 'list', '--help']))"
    )

    assert ended.returncode == 2
    assert f"{missing}" in ended.stderr
    assert "pip install 'tracked-inference[cli]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_command_that_misses_a_library_names_the_extra(monkeypatch, capsys):
    """A command whose library is not installed says which extra brings it."""
    monkeypatch.setitem(COMMANDS, "lacks", Entry("module_that_nobody_has:command", "Lacks.", "report"))

    assert main(["lacks"]) == 2

    err = capsys.readouterr().err
    assert "'lacks' needs module_that_nobody_has" in err
    assert "pip install 'tracked-inference[report]'" in err


def test_a_command_that_is_lost_is_a_fault_of_ours(monkeypatch):
    """A module of our own that is not there is no matter of extras."""
    monkeypatch.setitem(COMMANDS, "lost", Entry("tracked_inference.cli.nowhere:command", "Lost."))

    with pytest.raises(ModuleNotFoundError):
        main(["lost"])


def test_a_fault_in_importing_click_is_not_hidden(monkeypatch):
    """Only what is missing is explained; other import errors are shown."""
    monkeypatch.delitem(sys.modules, "tracked_inference.cli._group", raising=False)
    monkeypatch.setitem(sys.modules, "difflib", None)

    with pytest.raises(ModuleNotFoundError, match="difflib"):
        main(["--help"])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["featurs"], "No such command 'featurs'. Did you mean features?"),
        (["xyzzy"], "No such command 'xyzzy'. There are: "),
        (["--frob"], "No such option"),
        (["fine", "--color", "red"], "--colour"),
        (["fine", "--colour", "green"], "'green' is not one of"),
        (["fine", "more"], "unexpected extra argument"),
    ],
)
def test_what_it_does_not_know_it_says_with_a_hint(args, said, capsys):
    """Unknown commands, options and values end with 2, and a hint at what may have been meant."""
    assert main(args) == 2

    assert said in capsys.readouterr().err


def test_a_command_that_does_well_ends_with_0(capsys):
    """Nothing to report is 0."""
    assert main(["fine", "--colour", "blue"]) == 0

    assert capsys.readouterr().out == "fine blue\n"


def test_our_own_errors_are_one_line_and_2(capsys):
    """An error of this package is its message on standard error, without a traceback."""
    assert main(["wrong"]) == 2

    assert capsys.readouterr().err == (
        "tracked-inference: prices.toml: models.gpt-9.input: -1 is negative; give a price of 0 or more\n"
    )


@pytest.mark.parametrize(
    ("how", "code"), [("context", 3), ("system", 1), ("words", 1), ("returned", 3), ("bare", 0)]
)
def test_the_code_of_a_command_is_the_code_of_the_program(how, code, capsys):
    """However a command ends, its exit code is kept."""
    assert main(["ends", how]) == code

    assert ("said why" in capsys.readouterr().err) is (how == "words")


@pytest.mark.parametrize("how", ["interrupted", "aborted"])
def test_ctrl_c_is_quiet(how, capsys):
    """Ctrl-C ends with 130 and says nothing, at a prompt too."""
    assert main([how]) == 130

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip() == ""


@pytest.mark.parametrize("sample", ["flood", "drawn"])
def test_a_reader_that_leaves_is_no_error(sample):
    """`tracked-inference ... | head -1` ends quietly, and not with the code of a failed check."""
    code = (
        "from tracked_inference.cli import COMMANDS, Entry, main\n"
        f"COMMANDS['sample'] = Entry('tests.cli.sample:{sample}', 'A sample.')\n"
        "raise SystemExit(main(['sample']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None

    first = process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()

    assert first == b"line 0\n"
    assert process.wait(timeout=30) == 141
    assert said == b""


def test_an_output_that_lacks_a_letter_is_no_traceback(tmp_path):
    """A console of another code page, or a pipe on Windows: a question mark stands for what it cannot say."""
    registry = tmp_path / "registry.toml"
    registry.write_text('[features.search]\nteam = "discovery"\nmodels = ["m\u00f6del"]\n', encoding="utf-8")

    found = subprocess.run(
        [sys.executable, "-m", "tracked_inference", "features", "list", str(registry)],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )

    assert (found.returncode, b"m?del" in found.stdout, found.stderr) == (0, True, b"")


def test_a_reader_that_leaves_before_the_last_flush_is_no_error(monkeypatch):
    """A pipe that breaks when the buffer is written out at the end is treated alike."""

    class Broken:
        def __getattr__(self, name):
            return getattr(sys.__stdout__, name)

        def write(self, text):
            return len(text)

        def flush(self):
            raise BrokenPipeError

        def fileno(self):
            raise OSError

    monkeypatch.setattr(sys, "stdout", Broken())

    assert main(["ends", "bare"]) == cli.READER_GONE


def test_it_runs_as_a_module():
    """`python -m tracked_inference` is the same program."""
    ended = subprocess.run(
        [sys.executable, "-m", "tracked_inference", "--version"], capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 0
    assert ended.stdout.startswith("tracked-inference, version ")


def test_it_completes_in_the_shell(monkeypatch, capsys):
    """The shell can ask what a word may become."""
    monkeypatch.setenv("_TRACKED_INFERENCE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "tracked-inference feat")
    monkeypatch.setenv("COMP_CWORD", "1")

    assert main([]) == 0
    assert "features" in capsys.readouterr().out
