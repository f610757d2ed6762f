"""nginx on loopback, as a judge: a proxy in front of a server that answers "ok" to all."""
import pathlib
import socket
import subprocess
import time

from conftest import ROOT

BINARY = ROOT / "build" / "tools" / "nginx" / "usr" / "sbin" / "nginx"
CONFIG = """daemon off; master_process off; error_log {folder}/error.log; pid {folder}/pid;
events {{ worker_connections 512; }}
http {{
  access_log off; client_max_body_size 2m; large_client_header_buffers 4 8k;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  {http}
}}
"""
JUDGE = """server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{back}; proxy_ignore_client_abort on; }} }}
  server {{ listen 127.0.0.1:{back}; location / {{ return 200 "ok"; }} }}"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """A context manager; `port` answers. `http` is what stands inside the http block, with {port} for the port."""

    def __init__(self, folder, http=JUDGE):
        self.port, self.folder = free_port(), pathlib.Path(folder)
        text = CONFIG.format(folder=folder, http=http.format(port=self.port, back=free_port()))
        (self.folder / "conf").write_text(text)

    def __enter__(self):
        self.process = subprocess.Popen([BINARY, "-p", self.folder, "-c", self.folder / "conf"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                time.sleep(0.02)
        self.process.kill()
        raise RuntimeError(f"nginx did not start: {self.process.communicate()[1].decode()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()
