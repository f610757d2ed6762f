"""What a service manager sees: the messages of Type=notify, and the unit that comes along."""
import configparser
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from conftest import ROOT
from server import Server

UNIT = ROOT / "examples" / "deploy" / "rastrum.service.in"


class Manager:
    """The receiving end of NOTIFY_SOCKET: a path, or a name in the abstract space."""

    def __init__(self, address):
        self.address, self.heard = str(address), []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.address[1:] if self.address[0] == "@" else self.address)
        self.socket.settimeout(20)

    def next(self, wanted):
        """The next message that has this line; what comes before it is dropped."""
        while True:
            message = self.socket.recv(4096).decode().split("\n")
            self.heard.append(message)
            if wanted in message:
                return message

    def close(self):
        self.socket.close()


@pytest.fixture(params=("path", "abstract"))
def manager(request, tmp_path):
    manager = Manager(tmp_path / "notify" if request.param == "path" else f"@rastrum-test-{tmp_path.name}-{time.time_ns()}")
    yield manager
    manager.close()


def environment(process):
    text = pathlib.Path(f"/proc/{process}/environ").read_bytes()
    return {each.split(b"=")[0].decode() for each in text.split(b"\0") if each}


def test_what_the_manager_is_told(binary, store, manager, tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    settings = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"}
    with Server(binary, store, tmp_path / "log", ("--workers", 2, "--plugins", plugins), settings) as server:
        ready = manager.next("READY=1")
        assert f"STATUS=2 of 2 workers answer on {server.url}" in ready
        assert not any("READY=1" in each for each in manager.heard[:-1])
        for _ in range(3):
            manager.next("WATCHDOG=1")
        children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert len(children) == 2
        for child in children:
            assert not environment(child) & {*settings, "WATCHDOG_PID"}

        (plugins / "broken.lua").write_text("return {")
        server.process.send_signal(signal.SIGHUP)
        manager.next("RELOADING=1")
        status = manager.next("READY=1")[1]
        assert "; the last reload failed: " in status and "broken" in status
        (plugins / "broken.lua").unlink()
        server.process.send_signal(signal.SIGHUP)
        manager.next("RELOADING=1")
        assert manager.next("READY=1")[1] == ready[1]

        server.process.terminate()
        manager.next("STOPPING=1")
        assert server.process.wait(30) == 0


def test_a_watchdog_of_another_process(binary, store, tmp_path):
    manager = Manager(tmp_path / "notify")
    settings = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": "1"}
    with Server(binary, store, tmp_path / "log", env=settings) as server:
        manager.next("READY=1")
        server.process.terminate()
        manager.next("STOPPING=1")
    assert not any("WATCHDOG=1" in each for each in manager.heard)
    manager.close()


@pytest.mark.parametrize("address", ("relative", "/nowhere/notify", "@", "/" + "x" * 200))
def test_a_manager_that_is_not_there(binary, store, address, tmp_path):
    """The server serves all the same."""
    with Server(binary, store, tmp_path / "log", env={"NOTIFY_SOCKET": address}) as server:
        assert server.stop() == 0
        assert ("cannot be used" in server.log()) == (address != "/nowhere/notify")


# ---- the unit

@pytest.fixture
def unit(tmp_path):
    text = UNIT.read_text().replace("@bin@/rastrum", "/bin/true")
    path = tmp_path / "rastrum.service"
    path.write_text(re.sub(r"@\w+@", "/etc", text))
    return path


def settings():
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    return dict(parser["Service"])


def test_the_unit_says_what_the_program_does():
    service = settings()
    assert service["Type"] == "notify" and service["DynamicUser"] == "yes" and service["StateDirectory"].split()[0] == "rastrum"
    assert service["ExecReload"].startswith("kill -HUP")
    assert service["OOMPolicy"] == "continue"  # a worker that the kernel killed is replaced, the others go on
    assert int(service["TimeoutStopSec"]) > 25  # within which the program ends by itself
    assert int(service["LimitNOFILE"]) > 10000 + 512  # max_connections and its own
    assert not service["CapabilityBoundingSet"] and service["ProtectSystem"] == "strict"


def test_systemd_takes_the_unit(unit):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    about = [line for line in done.stderr.splitlines() if "rastrum.service" in line]
    assert done.returncode == 0 and not about, done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout  # an exposure of 2.0 at most, of 10
