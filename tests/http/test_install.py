"""`make install`, what it leaves, and the Debian packages as far as they can be looked at without installing them;
test_fresh_root.py installs them."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import httpx
import pytest
from conftest import ROOT
from server import Server

pytestmark = pytest.mark.release_only
CONFIG = "etc/rastrum/rastrum.lua"


def make(target, **variables):
    done = subprocess.run(["make", target, *(f"{name}={value}" for name, value in variables.items())], cwd=ROOT,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def unpacked(packages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    for package in packages.values():
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder


def control(package):
    text = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^([\w-]+): (.*)$", text, re.M))


def test_install_and_uninstall(store, tmp_path):
    """Below a prefix, staged by DESTDIR; it runs wherever the tree is moved to; nothing but the settings stays behind."""
    stage, prefix = tmp_path / "stage", tmp_path / "stage" / "usr" / "local"
    make("install", PREFIX="/usr/local", DESTDIR=stage)
    there = files(stage)
    for wanted in ("bin/rastrum", "lib/rastrum/librastrum_gdal.so", "lib/systemd/system/rastrum.service", CONFIG,
                   "share/rastrum/lua/rastrum/app.lua", "share/rastrum/plugins/tiles/init.lua",
                   "share/rastrum/colormaps/viridis.json", "share/doc/rastrum/LICENSE", "share/doc/rastrum/copyright",
                   "share/doc/rastrum/examples/nginx.conf", "share/man/man1/rastrum.1.gz",
                   "share/bash-completion/completions/rastrum", "share/zsh/site-functions/_rastrum",
                   "share/fish/vendor_completions.d/rastrum.fish"):
        assert f"usr/local/{wanted}" in there, wanted
    assert all(each.startswith("usr/local/") for each in there)
    assert not any(each.endswith(("_spec.lua", ".py")) or "/meta/" in each for each in there)
    unit = (prefix / "lib/systemd/system/rastrum.service").read_text()
    assert "ExecStart=/usr/local/bin/rastrum serve --config /usr/local/etc/rastrum/rastrum.lua\n" in unit
    written = unit + (prefix / CONFIG).read_text()
    assert str(tmp_path) not in written and not re.search(r"@\w+@", written)

    shutil.copytree(prefix, tmp_path / "moved", symlinks=True)
    with Server(tmp_path / "moved" / "bin" / "rastrum", store, tmp_path / "log") as server, \
            httpx.Client(base_url=server.url) as http:
        assert http.get("/tiles/globe/0/0/0.png?colormap_name=viridis").status_code == 200
        assert http.get("/").status_code == 200 and "viridis" in http.get("/colorMaps").text
        assert http.get("/plugins").json()["refused"] == []

    (prefix / CONFIG).write_text("return { listen = '127.0.0.1:8123' }\n")
    make("install", PREFIX="/usr/local", DESTDIR=stage)
    assert "8123" in (prefix / CONFIG).read_text()  # an administrator's settings are not replaced
    make("uninstall", DESTDIR=stage)
    assert files(stage) == {f"usr/local/{CONFIG}"}
    assert not (prefix / "share" / "rastrum").exists() and not (prefix / "share" / "doc" / "rastrum").exists()


def test_a_relative_prefix(tmp_path):
    where = os.path.relpath(tmp_path / "here", ROOT)
    make("install", PREFIX=where)
    unit = (tmp_path / "here" / "lib/systemd/system/rastrum.service").read_text()
    assert f"ExecStart={tmp_path}/here/bin/rastrum serve" in unit


def test_the_settings_that_come_along(unpacked, rastrum):
    """They are read, and mean what the unit provides."""
    shown = json.loads(rastrum("config", "--json", "--config", unpacked / CONFIG).stdout)
    text = json.dumps(shown)
    unit = (unpacked / "usr/lib/systemd/system/rastrum.service").read_text()
    assert "StateDirectory=rastrum rastrum/incoming\n" in unit and "RuntimeDirectory=rastrum\n" in unit
    for wanted in ("/var/lib/rastrum/store", "/var/lib/rastrum/incoming", "/run/rastrum/admin.sock"):
        assert wanted in text
    assert (unpacked / "etc/rastrum/plugins").is_dir() and (unpacked / "etc/rastrum/colormaps").is_dir()


def needed(path):
    text = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"NEEDED\s+(\S+)", text)


def owners(libraries):
    """library -> the packages that this machine has it from: dpkg's word, where dpkg-shlibdeps reads symbols."""
    found = subprocess.run(["dpkg", "-S", *(f"*/{each}" for each in libraries)], capture_output=True, text=True, check=True)
    out = {}
    for line in found.stdout.splitlines():
        package, path = line.split(": ")
        out.setdefault(path.rsplit("/")[-1], set()).add(package.split(":")[0])
    return out


@pytest.mark.parametrize(("package", "file"), (("rastrum", "usr/bin/rastrum"), ("rastrum-gdal", "usr/lib/rastrum/librastrum_gdal.so")))
def test_a_package_depends_on_each_library(packages, unpacked, package, file):
    depends = {re.split(r"[ (]", each.strip())[0] for each in control(packages[package])["Depends"].replace("|", ",").split(",")}
    libraries = needed(unpacked / file)
    assert len(libraries) > 1
    for library, found in owners(libraries).items():
        assert found & depends, f"{library}: none of {found} is in Depends"
    if package == "rastrum":
        assert not any("gdal" in each for each in depends)
    else:
        assert "rastrum" in depends


def test_a_package_as_debian_wants_it(packages, tmp_path):
    fields = control(packages["rastrum"])
    assert fields["Package"] == "rastrum" and fields["Section"] == "science" and fields["Maintainer"]
    subprocess.run(["dpkg-deb", "-e", packages["rastrum"], tmp_path / "control"], check=True)
    assert (tmp_path / "control" / "conffiles").read_text() == f"/{CONFIG}\n"
    for script in ("postinst", "prerm", "postrm"):
        path = tmp_path / "control" / script
        assert path.stat().st_mode & 0o777 == 0o755 and "set -e" in path.read_text()
        subprocess.run(["sh", "-n", path], check=True)
    listing = subprocess.run(["dpkg-deb", "-c", packages["rastrum"]], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        mode, who = line.split()[:2]
        assert who == "root/root" and mode[5] == mode[8] == "-", line


def test_lintian(packages):
    if not shutil.which("lintian"):
        pytest.skip("lintian is not here; the other tests check what matters most")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *packages.values()],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_licence_has_its_words(unpacked):
    """What the ramps say of themselves is in the notices, with the text of each licence that Debian does not carry."""
    notices = (unpacked / "usr/share/doc/rastrum/copyright").read_text()
    ramps = {json.loads(path.read_text())["licence"] for path in (ROOT / "colormaps").glob("*.json")}
    names = {"MIT": ["Expat"], "PSF-style matplotlib licence; BSD-3-Clause (rio-tiler)": ["matplotlib", "BSD-3-Clause"]}
    for licence in ramps:
        for name in names.get(licence, [licence]):
            assert f"\nLicense: {name}\n " in notices, licence
    for carried in ("Fedor Indutny", "Bitstream, Inc.", "Kristen M. Thyng", "Cynthia Brewer",
                    "Natural Earth"):
        assert carried in notices
