"""heart.py PORT COUNT - the median gap, in seconds, of so many beats of a heartbeat that asks a millisecond after each answer.
A process of its own: threads of one Python wait for each other."""
import socket
import statistics
import sys
import time

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
END = b'{"status":"ok"}'


def gaps(port, count):
    with socket.create_connection(("127.0.0.1", port), 60) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        last = time.perf_counter()
        for _ in range(count):
            time.sleep(0.001)
            server.sendall(REQUEST)
            answer = b""
            while not answer.endswith(END):
                piece = server.recv(4096)
                assert piece, answer
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            now = time.perf_counter()
            yield now - last
            last = now


if __name__ == "__main__":
    print(statistics.median(gaps(int(sys.argv[1]), int(sys.argv[2]))))
