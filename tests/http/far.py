"""A server of files with byte ranges, on the loopback, that answers wrongly when it is told to."""
import contextlib
import http.server
import os
import re
import threading


class Far:
    """`how`: None, or what goes wrong with ranges of NetCDF files: "longer", "other", "whole", "tag", "hang", "away", "gone", "error"."""

    def __init__(self, folder):
        self.how, self.seen, self.release = None, [], threading.Event()
        self.waiting = threading.Semaphore(0)
        far = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):  # noqa: N802
                far.answer(self, os.path.join(folder, self.path.split("?")[0].lstrip("/")))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, to, path):
        self.seen.append((to.path, to.headers.get("Range")))
        how = self.how if path.endswith(".nc") else None
        if how == "hang":
            self.waiting.release()
            self.release.wait(60)
        if how == "gone" or not os.path.isfile(path):
            return self.send(to, 404, {}, b"")
        if how == "error":
            return self.send(to, 500, {}, b"out of order")
        if how == "away":
            return self.send(to, 302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b"")
        with open(path, "rb") as file:
            data = file.read()
        tag = {"ETag": f'"{os.stat(path).st_mtime_ns}{"x" if how == "tag" else ""}"'}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", to.headers.get("Range") or "")
        if not asked or how == "whole":
            return self.send(to, 200, tag, data)
        first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
        shift = 1 if how == "other" else 0
        body = data[first + shift:last + 1 + shift]
        return self.send(to, 206, {**tag, "Content-Range": f"bytes {first + shift}-{last + shift}/{len(data)}"}, body,
                         b"more" if how == "longer" else b"")

    @staticmethod
    def send(to, status, headers, body, extra=b""):
        with contextlib.suppress(OSError):
            to.send_response(status)
            for name, value in headers.items():
                to.send_header(name, value)
            if extra:
                to.send_header("Connection", "close")
            else:
                to.send_header("Content-Length", str(len(body)))
            to.end_headers()
            to.wfile.write(body + extra)
        to.close_connection = to.close_connection or bool(extra)

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
