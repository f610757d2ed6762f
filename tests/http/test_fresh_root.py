"""The Debian package on a bare Debian 12: installed with its dependencies, run as its unit says, upgraded, removed, purged."""
import configparser
import json
import re
import shutil
import subprocess
import time

import fresh
import golden
import httpx
import pytest
from conftest import ROOT
from nginx import free_port

pytestmark = [pytest.mark.release_only, pytest.mark.long]
WHO = "61184:61184"  # of the range that systemd takes dynamic users from
SETTINGS = "/etc/rastrum/rastrum.lua"


def commands(heading):
    """The lines of the first block of shell below a heading of the README."""
    text = (ROOT / "examples" / "deploy" / "README.md").read_text()
    return re.search(rf"^## {heading}\n.*?^```sh\n(.*?)^```$", text, re.M | re.S)[1].splitlines()


@pytest.fixture(scope="module")
def root(packages, tmp_path_factory):
    """A bare Debian into which the package was installed as the README says."""
    place = tmp_path_factory.mktemp("fresh")
    root = fresh.bare(place / "root")
    (root.path / "etc/apt/apt.conf.d/quiet").write_text('APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\n')
    folder = root.path / "src" / "build" / "package"
    folder.mkdir(parents=True)
    shutil.copy(packages["rastrum"], folder)
    shutil.copytree(ROOT / "examples" / "data", root.path / "src" / "examples" / "data")
    make, install = commands("The Debian package")
    assert make == "make package"  # test_container.py runs it
    root.run("sh", "-c", f"cd /src && {install}")
    yield root
    shutil.rmtree(place)


def unit(root):
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str
    parser.read(root.path / "usr/lib/systemd/system/rastrum.service")
    return parser["Service"]


def test_it_is_installed(root):
    assert root.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "rastrum").stdout == "installed"
    assert not root.run("dpkg", "--audit").stdout
    assert root.run("rastrum", "version").stdout.startswith("rastrum ")
    wanted = root.path / "etc/systemd/system/multi-user.target.wants/rastrum.service"
    assert wanted.is_symlink()  # the unit is enabled
    missing = root.run("sh", "-c", "ldd /usr/bin/rastrum").stdout
    assert "not found" not in missing
    assert "gdal" not in root.run("dpkg-query", "-W").stdout


class Service:
    """What systemd would do with the unit: its folders, its user, its command; only the port is another."""

    def __init__(self, root, folder):
        self.root, self.service, self.port = root, unit(root), free_port()
        made = [f"/var/lib/{name}" for name in self.service["StateDirectory"].split()]
        made += [f"/run/{name}" for name in self.service["RuntimeDirectory"].split()]
        for path in made:
            root.run("install", "-d", "-o", WHO.split(":")[0], "-g", WHO.split(":")[1], "-m", "0755", path)
        self.log = folder / "log"

    def __enter__(self):
        words = self.root.command(*self.service["ExecStart"].split(), who=WHO, env={"RASTRUM_LISTEN": f"127.0.0.1:{self.port}"})
        with open(self.log, "wb") as sink:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self.wait(lambda: self.ask("/readyz") == 200)
        return self

    def ask(self, path):
        try:
            return self.http.get(path).status_code
        except httpx.TransportError:
            return None

    def wait(self, test):
        deadline = time.monotonic() + 120
        while not test():
            assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def __exit__(self, *_):
        self.http.close()
        fresh.terminate(self.process)
        assert self.process.wait(60) == 0, self.log.read_text()[-3000:]


def test_it_serves_what_is_dropped_into_its_folder(root, tmp_path):
    with Service(root, tmp_path) as service:
        for command in commands("What is served"):
            root.run("sh", "-c", f"cd /src && {command}")
        service.wait(lambda: service.ask("/stac/collections/ocean") == 200)
        picture = golden.png(service.http.get("/tiles/ocean/0/0/0.png?variable=SST").content)
        assert picture[..., 3].any()
        series = service.http.get("/api/timeseries?collection=ocean&variable=SST&lon=-30&lat=10").json()
        assert len(series["timestamps"]) == 12
        assert "viridis" in service.http.get("/colorMaps").text and service.http.get("/").status_code == 200
        assert service.ask("/metrics") == 404 and (root.path / "run/rastrum/admin.sock").is_socket()
    owners = {path.stat().st_uid for path in (root.path / "var/lib/rastrum/store").rglob("*")}
    assert owners == {int(WHO.split(":")[0])}


def test_a_command_as_the_user_of_the_service_is_as_the_unit(root):
    """There is no systemd here to run it; what it asks for is what the unit says."""
    text = (ROOT / "examples" / "deploy" / "README.md").read_text()
    asked = dict(re.findall(r" -p (\w+)=(\w+)", text))
    service = unit(root)
    assert set(asked) == {"DynamicUser", "User", "StateDirectory"}
    assert all(value in service[name].split() for name, value in asked.items())


def test_the_doctor_is_content(root):
    found = json.loads(root.run("rastrum", "doctor", "--json", "--config", SETTINGS).stdout)
    assert found["status"] in ("ok", "warn"), found
    listed = root.run("rastrum", "catalog", "list", "--config", SETTINGS).stdout
    assert "ocean" in listed


def test_settings_outlive_an_upgrade_and_data_a_purge(root):
    settings = root.path / SETTINGS[1:]
    own = settings.read_text() + "-- of this machine\n"
    settings.write_text(own)
    root.run("sh", "-c", "dpkg -i /src/build/package/rastrum_*.deb")
    assert settings.read_text() == own
    root.run("apt-get", "-qq", "-y", "remove", "rastrum")
    assert not (root.path / "usr/bin/rastrum").exists() and not (root.path / "usr/share/rastrum").exists()
    assert settings.read_text() == own
    root.run("apt-get", "-qq", "-y", "purge", "rastrum")
    assert not (root.path / "etc/rastrum").exists()
    assert not re.search("rastrum", "".join(str(each) for each in (root.path / "etc/systemd/system").rglob("*")))
    assert list((root.path / "var/lib/rastrum/store").iterdir())
