"""HTTP by hand: what a proper client library would not send, and answers as they are on the wire."""
import socket


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
