"""examples/deploy/Dockerfile: what a linter says of it, and the image itself, built step by step in bare roots and run with a
root that is read-only. There is no engine for containers in it: namespaces and chroot do the same."""
import pathlib
import re
import shutil
import subprocess
import time

import dockerfile
import fresh
import httpx
import pytest
from conftest import ROOT
from nginx import free_port

DOCKERFILE = ROOT / "examples" / "deploy" / "Dockerfile"


def test_a_linter_has_nothing_to_say():
    assert dockerfile.complaints(DOCKERFILE) == []


def test_the_commands_of_the_readme():
    """`docker build` and `run`, which no test can run, name what is there; the site's files are those of test_public_site.py."""
    text = (ROOT / "examples" / "deploy" / "README.md").read_text()
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]
    build, run = (line for line in lines if line.startswith("docker"))
    assert build.split()[3] == str(DOCKERFILE.relative_to(ROOT)) and "--read-only" in run and "-v rastrum:/var/lib/rastrum " in run
    for line in (each for each in lines if each.startswith("cp ")):
        assert (ROOT / line.split()[1]).exists(), line
    head = re.findall(r"^# +(docker .*)$", DOCKERFILE.read_text(), re.M)
    assert head == [build, run]


@pytest.mark.parametrize(("old", "new", "rule"), (
    ("USER 65532:65532\n", "", "DL3002"),
    ("debian:12-slim", "debian", "DL3007"),
    (" --no-install-recommends", "", "DL3015"),
    (" \\\n    && rm -rf /var/lib/apt/lists/* /tmp/rastrum_*.deb", "", "DL3009"),
    ('CMD ["serve"]', "CMD serve", "DL3025"),
    ("HEALTHCHECK", "LABEL", "HEALTHCHECK")))
def test_the_linter_sees(old, new, rule, tmp_path):
    text = DOCKERFILE.read_text()
    assert old in text
    (tmp_path / "Dockerfile").write_text(text.replace(old, new))
    assert any(rule in each for each in dockerfile.complaints(tmp_path / "Dockerfile"))


def test_the_settings_of_the_image(rastrum):
    shown = rastrum("config", "--json", "--config", ROOT / "examples" / "deploy" / "container.lua", env={"PATH": "/usr/bin"}).stdout
    for wanted in ("0.0.0.0:8080", "/var/lib/rastrum/store"):
        assert wanted in shown
    final = dockerfile.stages(DOCKERFILE)[-1]
    assert dockerfile.last(final, "VOLUME") == "/var/lib/rastrum" and dockerfile.last(final, "EXPOSE") == "8080"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    place = tmp_path_factory.mktemp("image")
    bare = fresh.bare(place / "bare")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    count = iter(range(9))
    yield dockerfile.Build(DOCKERFILE, ROOT, [each for each in listed.split("\0") if each],
                           lambda name: bare.copy(place / f"stage{next(count)}"))
    shutil.rmtree(place)


@pytest.fixture
def volume(tmp_path):
    """As an engine makes it: a copy of the image's folder, with its owner."""
    folder = tmp_path / "volume"
    folder.mkdir()
    shutil.chown(folder, 65532, 65532)
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:2]:
        parent.chmod(0o755)
    return folder


@pytest.mark.long
@pytest.mark.release_only
def test_the_image(image, volume, tmp_path):
    """Built by its own steps, it ingests, serves and is healthy as a user without rights, on a root that is read-only."""
    denied = subprocess.run(image.command(["touch", "/etc/rastrum/here"], volume), capture_output=True, text=True, check=False)
    assert "Read-only file system" in denied.stderr
    shutil.copy(ROOT / "examples" / "data" / "coads_climatology.cdf", volume)
    ingest = image.entry()[:1] + ["ingest", "/var/lib/rastrum/coads_climatology.cdf", "--collection", "ocean"]
    done = subprocess.run(image.command(ingest, volume), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in (volume / "store").rglob("*")} == {65532}

    port = free_port()
    image.environment["RASTRUM_LISTEN"] = f"127.0.0.1:{port}"
    with open(tmp_path / "log", "wb") as sink:
        server = subprocess.Popen(image.command(image.entry(), volume), stdin=subprocess.DEVNULL, stdout=sink,
                                  stderr=subprocess.STDOUT)
    health = [word.replace(":8080", f":{port}") for word in image.health()]
    deadline = time.monotonic() + 60
    while subprocess.run(image.command(health, volume), capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline and server.poll() is None, pathlib.Path(sink.name).read_text()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        assert http.get("/tiles/ocean/0/0/0.png?variable=SST").status_code == 200
    fresh.terminate(server)
    assert server.wait(60) == 0
    assert subprocess.run(image.command(health, volume), capture_output=True, check=False).returncode != 0
    for name in ("gcc", "make", "gdal"):
        assert name not in image.root.run("dpkg-query", "-W", "-f", "${Package} ").stdout.split()
