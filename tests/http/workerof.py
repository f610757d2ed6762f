"""The process that answers, as the kernel sees it."""
import re

from wire import wait_for


def worker_of(server):
    """The process id of the server's (only) worker."""
    children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    return int(wait_for(lambda: open(children, encoding="ascii").read().split())[0])


def memory_of(pid):
    """Resident bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024
