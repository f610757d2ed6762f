"""An HTTP server for what asks others: answers by path, and remembers what it was asked."""
import contextlib
import http.server
import threading


class Peer:
    """A server that answers by path and remembers what it was asked."""

    def __init__(self):
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                peer.asked.append((self.command, self.path, dict(self.headers), body))
                if self.path == "/slow":
                    peer.released.wait(30)
                if self.path == "/away":
                    self.send_response(302)
                    self.send_header("Location", peer.elsewhere)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = b"x" * 100000 if self.path == "/large" else b'{"ok":true}'
                self.send_response(404 if self.path == "/none" else 200)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("X-Twice", "a")
                self.send_header("X-Twice", "b")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = _answer  # noqa: N815

        self.asked, self.released, self.elsewhere = [], threading.Event(), "http://localhost/"
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
