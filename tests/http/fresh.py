"""Bare Debian roots to install into: made by debootstrap, entered by chroot in namespaces of their own, so that nothing of
them is left mounted or running. Needs root, leave to mount, and packages to be had; skips the test where one is missing."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

RELEASE = "bookworm"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}
ENTER = """set -e
root=$1 volume=$2 who=$3; shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
[ -z "$volume" ] || { mount -o remount,bind,ro "$root"; mount --bind "$volume" "$root/var/lib/rastrum"; }
exec chroot --userspec="$who" "$root" "$@"
"""


def mirror():
    """Where this machine has its own Debian packages from."""
    done = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"], capture_output=True, text=True,
                          check=False)
    found = re.search(rf"^(\S+) {RELEASE}$", done.stdout, re.M)
    return found[1] if found else "http://deb.debian.org/debian"


def possible():
    if os.geteuid() != 0:
        return "only root may chroot"
    if not shutil.which("debootstrap"):
        return "debootstrap is not here"
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
                          text=True, check=False)
    return f"no leave to mount: {done.stderr.strip()}" if done.returncode else None


class Root:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    def command(self, *words, env=None, who="0:0", volume=""):
        """The words that run a command inside; with a volume the root is read-only and that folder is its /var/lib/rastrum."""
        outer = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "enter")
        inner = ("env", "-i", *(f"{name}={value}" for name, value in {**ENVIRONMENT, **(env or {})}.items()), *words)
        return [str(word) for word in (*outer, self.path, volume, who, *inner)]

    def run(self, *words, code=0, **options):
        done = subprocess.run(self.command(*words, **options), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=1800, check=False)
        assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def copy(self, path):
        subprocess.run(["cp", "-a", "--reflink=auto", self.path, path], check=True)
        return Root(path)


def terminate(process):
    """SIGTERM for what a Root's command runs; unshare itself takes none."""
    inner = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in inner:
        os.kill(int(pid), signal.SIGTERM)


def bare(path):
    """A minimal Debian, as its own tools make it, whose package lists are read."""
    why = possible()
    if why:
        pytest.skip(why)
    done = subprocess.run(["debootstrap", "--variant=minbase", RELEASE, path, mirror()], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        pytest.skip(f"debootstrap cannot make a root: {done.stdout[-300:]}{done.stderr[-300:]}")
    root = Root(path)
    (root.path / "etc/dpkg/dpkg.cfg.d/quick").write_text("force-unsafe-io\n")
    root.run("apt-get", "-qq", "update")
    return root
