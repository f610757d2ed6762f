"""Every ```sh block of README.md is run here, or said by whom it is run instead; what the folders' READMEs say is there."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import golden
import httpx
import numpy as np
import pytest
from conftest import ROOT
from server import Server

BINARY = "build/release/rastrum"
# Commands that have a test of their own, or that would begin this run again.
ELSEWHERE = {"make demo": "test_demo", "make test": "this run", "make install PREFIX=/usr/local": "test_install.py",
             "make package": "test_container.py"}


def blocks():
    text = (ROOT / "README.md").read_text()
    found = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    return [line.strip() for block in found for line in block.splitlines() if line.strip() and not line.startswith("#")]


PAGES = sorted(str(path.relative_to(ROOT)) for folder in ("", "core", "colormaps", "examples", "lua", "plugins", "terraform", "tests")
               for path in ((ROOT / folder).rglob("README.md") if folder else ROOT.glob("README.md")))
# The ```sh blocks of a folder's README -> the tests that run them.
RUN_BY = {"examples/deploy/README.md": ("test_fresh_root.py", "test_container.py", "test_public_site.py")}


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_language(page):
    text = (ROOT / page).read_text()
    assert all(re.findall(r"^```(\w*)$", text, re.M)[::2])
    if re.search(r"^```sh$", text, re.M) and page != "README.md":
        assert page in RUN_BY and all((ROOT / "tests" / "http" / name).exists() for name in RUN_BY[page])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)\)", (ROOT / page).read_text()):
        assert target.startswith("http") or ((ROOT / page).parent / target).exists(), target


def test_the_codes_of_findings_are_in_the_table():
    sources = "".join(path.read_text() for path in (ROOT / "core").rglob("*.c"))
    calls = sources.count("ra__cf_find(") - 1  # its definition
    found = re.findall(r'ra__cf_find\(\s*cf,\s*"([^"]+)",\s*"([^"]+)"', sources)
    assert len(found) == calls > 0
    plugin = (ROOT / "plugins/ingest/packing.lua").read_text()
    found += [(code, "warning") for code in re.findall(r'finding\("([^"]+)", variable', plugin)]
    told = re.findall(r"^\| `([a-z-]+)` \| (info|warning|error) \|", (ROOT / "plugins/ingest/README.md").read_text(), re.M)
    assert told == sorted(set(found))


@pytest.fixture(scope="module")
def words(rastrum):
    """The program's commands, and the options that they take, by --help."""
    commands = set(re.findall(r"^  (\w+) ", rastrum("--help").stdout, re.M))
    options = {each for name in commands for each in re.findall(r"^  --([\w-]+)", rastrum(name, "--help").stdout, re.M)}
    return commands, options | {f"no-{each}" for each in options} | {"help", "version"}


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_that_are_told_of_exist(page, words):
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.M | re.S)
    commands, options = words
    for piece in re.findall(r"`([^`]+)`", text):
        for command in re.findall(r"^rastrum ([a-z]+)", piece):
            assert command in commands, piece
        if piece.startswith(("rastrum ", "--")):
            for option in re.findall(r"(?:^| )--([a-z][\w-]*)", piece):
                assert option in options, piece


def test_every_command(binary, tmp_path):
    """One after the other, as a reader would, in a folder that looks like the checkout."""
    (tmp_path / "build" / "release").mkdir(parents=True)
    (tmp_path / BINARY).symlink_to(pathlib.Path(binary).resolve())
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    commands = blocks()
    assert len(commands) >= 5
    for command in commands:
        if command in ELSEWHERE:
            continue
        words = command.split()
        assert words[0] == BINARY, f"no test runs: {command}"
        if words[1] == "serve":
            with Server(tmp_path / BINARY, tmp_path / "rastrum-data", tmp_path / "log",
                        [tmp_path / w if w.startswith("examples") else w for w in words[2:]]) as server:
                assert server.url
            continue
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
    assert (tmp_path / "build" / "sst.png").read_bytes()[:4] == b"\x89PNG"


def test_the_plugin_of_the_text_is_the_file():
    text = (ROOT / "README.md").read_text()
    for block in re.findall(r"^```lua\n(.*?)^```$", text, re.M | re.S):
        assert any(block.strip() == path.read_text().strip() or block.strip() in path.read_text()
                   for path in (ROOT / "examples").rglob("*.lua")), block


@pytest.mark.release_only
def test_demo(tmp_path):
    """`make demo` ends with a URL that shows the map; Ctrl-C ends it."""
    with open(tmp_path / "out", "wb") as sink:
        demo = subprocess.Popen(["make", "demo"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                                env={**os.environ, "LISTEN": "127.0.0.1:18080"}, start_new_session=True)
    try:
        deadline, found = time.monotonic() + 400, None
        while not found and demo.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
            found = re.search(r"The map is at (http://\S+)/ ", (tmp_path / "out").read_text(errors="replace"))
        assert found, (tmp_path / "out").read_text(errors="replace")[-3000:]
        with httpx.Client(base_url=found[1], timeout=60) as http:
            assert http.get("/").status_code == 200
            names = {each["id"] for each in http.get("/stac/collections").json()["collections"]}
            assert names == {"weather", "europe", "ocean_climate", "relief"}
            for name in names:
                picture = golden.png(http.get(f"/tiles/{name}/0/0/0.png").content)
                assert picture[..., 3].any() and len(np.unique(picture)) > 20
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(30) in (0, 2, 130, -signal.SIGINT)


@pytest.mark.parametrize("target", ("deps", "build", "demo", "demo-real", "test", "test-long", "install", "uninstall",
                                    "package"))
def test_the_makefile_has(target):
    if not shutil.which("make"):
        pytest.fail("make is needed")
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
