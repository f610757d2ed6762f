"""What hostile or broken clients send: every request gets a stated answer, and the others notice nothing."""
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import threading
import time

import httpx
import pytest
from attackcases import CASES, HOST, LOOSER, NEXT, STRICTER
from conftest import ROOT, SANITIZED, Client
from nginx import BINARY as NGINX
from nginx import Nginx
from wire import Wire, ask, gauge, statuses, wait_for

PLUGINS = ROOT / "tests" / "http" / "wireplugins"
GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
TILE = "/tiles/globe/2/1/1.png?variable=sst"
MIB = 1 << 20
LAST = NEXT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def attacked(start, store):
    return start(store, "--plugins", PLUGINS)


@pytest.fixture(scope="module")
def hasty(start, store):
    """With short times and a small table of connections."""
    return start(store, "--plugins", PLUGINS, "--header-timeout", "300ms", "--body-timeout", "300ms", "--write-timeout",
                 "300ms", "--idle-timeout", "600ms", "--max-connections", "40")


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    if not NGINX.exists():
        pytest.skip("nginx is not unpacked in build/tools")
    with Nginx(tmp_path_factory.mktemp("nginx")) as judge:
        yield judge


def worker_of(server):
    """The process id of the server's (only) worker."""
    children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    return int(wait_for(lambda: open(children, encoding="ascii").read().split())[0])


def memory_of(pid):
    """Resident bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024


# ---- what is a request, and where does it end


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[1]}")
def test_taken_or_refused(attacked, case):
    _, _, data, wanted = case
    got = statuses(attacked.port, data + LAST)
    if 200 in wanted and got[:1] == [200]:
        assert got == [200, 200], "what comes next is the next request"
    else:
        assert len(got) == 1 and got[0] in wanted, "a refusal is the last answer"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_as_strict_as_nginx(attacked, nginx, case):
    """Taken by both, refused by both, or refused by us alone for the reason that the table states."""
    _, name, data, _ = case
    ours = statuses(attacked.port, data + LAST) == [200, 200]
    said = [status for status in statuses(nginx.port, data + LAST, end=True) if status != 100]
    theirs = said[:1] == [200]
    assert (name in LOOSER) == (ours and not theirs), f"nginx says {said}"
    assert (name in STRICTER) == (theirs and not ours), f"nginx says {said}"


def test_one_byte_at_a_time(attacked):
    """Where the bytes are cut changes nothing."""
    for _, name, data, wanted in CASES:
        if len(data) > 300 or 200 not in wanted:
            continue
        with Wire(attacked.port) as wire:
            wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(data)):
                wire.send(data[i:i + 1])
            assert wire.answer()[0] in wanted, name
