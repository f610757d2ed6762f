"""The manual page and the shells' completions: whole, right by their checkers, and the shells do complete."""
import re
import subprocess

import pytest
from conftest import ROOT

DATA = ROOT / "examples" / "data"


@pytest.fixture(scope="module")
def commands(rastrum):
    """command -> its options, by --help."""
    names = re.findall(r"^  (\w+) ", rastrum("--help").stdout, re.M)
    return {name: re.findall(r"^  --([\w-]+)", rastrum(name, "--help").stdout, re.M) for name in names}


@pytest.fixture(scope="module")
def page(rastrum, tmp_path_factory):
    path = tmp_path_factory.mktemp("man") / "rastrum.1"
    path.write_text(rastrum("man").stdout)
    return path


def as_read(page):
    done = subprocess.run(["mandoc", "-T", "utf8", page], capture_output=True, text=True, check=True)
    return re.sub(r".\x08", "", done.stdout)


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30, stdin=subprocess.DEVNULL, **options).stdout


# ---- the manual page

def test_the_page_has_every_command_and_option(page, commands):
    text = as_read(page)
    for name, options in commands.items():
        assert re.search(rf"^     +{name}\b", text, re.M), name
        for option in options:
            assert re.search(rf"^ +--{option}( |$)", text, re.M), option
    for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES"):
        assert re.search(rf"^{title}$", text, re.M), title
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_page_is_right_for_both_formatters(page):
    for words in (["mandoc", "-T", "lint", "-W", "warning", page], ["groff", "-man", "-T", "utf8", "-ww", "-z", page]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), words


def test_its_day_can_be_told(rastrum):
    assert ' 2001-09-09 ' in rastrum("man", env={"SOURCE_DATE_EPOCH": "1000000000"}).stdout.splitlines()[0]


def test_its_examples_work(page, binary, start, tmp_path):
    found = re.search(r"^\.EX\n(.*?)^\.EE$", page.read_text(), re.M | re.S)[1].replace("\\-", "-").splitlines()
    assert len(found) >= 5
    (tmp_path / "coads_climatology.cdf").write_bytes((DATA / "coads_climatology.cdf").read_bytes())
    for line in found:
        words = line.split()
        assert words[0] == "rastrum"
        if words[1] == "serve":
            assert start(tmp_path / "rastrum-data", *[w for w in words[2:] if w not in ("--listen", "127.0.0.1:8080")]).url
        elif words[1] != "doctor":  # test_doctor.py
            done = subprocess.run([str(binary), *words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, f"{line}: {done.stderr}"


# ---- completion

@pytest.fixture(scope="module")
def script(rastrum, tmp_path_factory):
    """shell -> the file of its completion."""
    folder = tmp_path_factory.mktemp("completion")
    names = {"bash": "rastrum.bash", "zsh": "_rastrum", "fish": "rastrum.fish"}
    for shell, name in names.items():
        (folder / name).write_text(rastrum("completion", shell).stdout)
        run(shell, "-n", folder / name)
    return {shell: folder / name for shell, name in names.items()}


@pytest.fixture
def place(tmp_path):
    (tmp_path / "north").mkdir()
    (tmp_path / "north sea.nc").write_text("")
    return tmp_path


def bash(script, place, *words):
    """What bash offers for the last word. `compopt` is for a line that is being typed only."""
    text = "\n".join(['source "$1"; shift; compopt() { :; }', 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rastrum',
                      'printf "%s\\n" "${COMPREPLY[@]}"'])
    return [each for each in run("bash", "--norc", "-c", text, "bash", script["bash"], *words, cwd=place).splitlines() if each]


def fish(script, place, line):
    text = 'source $argv[1]; complete -C $argv[2]'
    found = run("fish", "--no-config", "-c", text, script["fish"], line, cwd=place,
                env={"HOME": str(place), "PATH": "/usr/bin:/bin"})
    return [each.split("\t")[0] for each in found.splitlines()]


def zsh(script, place, line, *expected):
    """Types a line and a tab into a zsh of its own, and waits until it shows the expected, one after the other."""
    text = r"""
      zmodload zsh/zpty
      zpty shell zsh -f
      zpty -w shell "PS1='rea''dy> '; LISTMAX=1000; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u; \
        zstyle ':completion:*' insert-tab false; unsetopt automenu"
      zpty -r shell said '*ready> *'
      zpty -n -w shell "$2"$'\t'
      for expected in "${@:3}"; do zpty -r shell said "*$expected*"; done
    """
    run("zsh", "-f", "-c", text, "zsh", script["zsh"].parent, line, *expected, cwd=place,
        env={"HOME": str(place), "PATH": "/usr/bin:/bin", "TERM": "dumb"})


def test_bash_completes_commands(script, place, commands):
    assert bash(script, place, "rastrum", "") == [*commands, "--help", "--version"]
    assert bash(script, place, "rastrum", "col") == ["colormap"]
    assert bash(script, place, "rastrum", "catalog", "re") == ["remove"]


def test_bash_completes_the_options_of_each_command(script, place, commands):
    for name, options in commands.items():
        offered = [each.removeprefix("--").removeprefix("no-") for each in bash(script, place, "rastrum", name, "--")]
        assert sorted(offered) == sorted([*options, "help"]), name


def test_bash_completes_files_where_files_are_wanted(script, place):
    assert sorted(bash(script, place, "rastrum", "ingest", "no")) == ["north", "north sea.nc"]
    assert bash(script, place, "rastrum", "ingest", "--scratch", "no") == ["north"]
    assert sorted(bash(script, place, "rastrum", "serve", "--config", "=", "no")) == ["north", "north sea.nc"]
    assert bash(script, place, "rastrum", "serve", "--listen", "no") == []
    assert bash(script, place, "rastrum", "config", "no") == []


def test_fish_completes(script, place, commands):
    assert set(fish(script, place, "rastrum ")) == set(commands)
    for name, options in commands.items():
        offered = {each.removeprefix("--").removeprefix("no-") for each in fish(script, place, f"rastrum {name} --")}
        assert {*options, "help"} <= offered, name
    assert set(fish(script, place, "rastrum catalog ")) == {"list", "show", "remove", "gc"}
    assert fish(script, place, "rastrum ingest --scratch no") == ["north/"]


def test_zsh_completes(script, place):
    zsh(script, place, "rastrum colo", "rastrum colormap")
    zsh(script, place, "rastrum serve --work", "rastrum serve --workers=")
    zsh(script, place, "rastrum catalog rem", "rastrum catalog remove")
    zsh(script, place, "rastrum ingest --", "--collection", "--dry-run", "--memory", "--no-compact")


def test_another_shell_is_refused(rastrum):
    assert "bash, zsh and fish" in rastrum("completion", "tcsh", code=2).stderr
