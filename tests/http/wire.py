"""HTTP by hand: what a proper client library would not send, and answers as they are on the wire."""
import re
import socket
import struct
import time


class Wire:
    """One connection. `send` takes text or bytes; `answer` reads one whole response."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def _read(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.rest += data
        return bool(data)

    def answer(self, head=False):
        """(status, {lower-case name: value}, body), or None when the server closed without a word."""
        while b"\r\n\r\n" not in self.rest:
            if not self._read():
                return None
        text, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = text.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        size = 0 if head else int(headers.get("content-length", 0))
        while len(self.rest) < size and self._read():
            pass
        body, self.rest = self.rest[:size], self.rest[size:]
        return int(first.split()[1]), headers, body

    def end(self):
        """Sends nothing more; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Goes without a word: the other end gets RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def closed(self):
        """True when the server ends the connection within the timeout; what it still sends is dropped."""
        while True:
            try:
                if not self.socket.recv(65536):
                    return True
            except ConnectionResetError:
                return True
            except TimeoutError:
                return False


def ask(port, request, head=False):
    with Wire(port) as wire:
        wire.send(request)
        return wire.answer(head)


def statuses(port, data, end=False):
    """All answers to these bytes until the server ends the connection (`end`: this side ends first): [status, …]."""
    with Wire(port) as wire:
        try:
            wire.send(data)
            if end:
                wire.end()
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused in the middle; the answer is there
        found = []
        while (answer := wire.answer()) is not None:
            found.append(answer[0])
    return found


def gauge(port, name):
    """A sample of /metrics by its name with its labels, asked for on a connection of its own."""
    _, _, body = ask(port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    found = re.search(rf"^{re.escape(name)} (\S+)$", body.decode(), re.M)
    return float(found[1]) if found else 0.0


def wait_for(truth, seconds=20, what=""):
    """Waits until truth() holds, which is what a test synchronises on; its value."""
    deadline = time.monotonic() + seconds
    while not (value := truth()):
        assert time.monotonic() < deadline, f"it did not come to be: {what or truth}"
        time.sleep(0.01)
    return value
