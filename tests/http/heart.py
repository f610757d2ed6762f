"""heart.py PORT PAUSE COUNT TARGET… - asks for the targets in turn on one connection, PAUSE seconds after each answer, COUNT
times (0: until standard input ends), and prints JSON: the median gap from answer to answer, the longest one's share of all, and
the 99th percentile of the time that an answer took, in seconds. A process of its own: threads of one Python wait for each other."""
import json
import pathlib
import select
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from wire import Wire  # noqa: E402


def main(port, pause, count, *targets):
    gaps, took = [], []
    with Wire(port, 60) as wire:
        last = time.perf_counter()
        while len(gaps) < count or (not count and not select.select([sys.stdin], [], [], 0)[0]):
            time.sleep(pause)
            begin = time.perf_counter()
            wire.send(f"GET {targets[len(gaps) % len(targets)]} HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = wire.answer()
            now = time.perf_counter()
            assert answer and answer[0] == 200, answer
            gaps.append(now - last)
            took.append(now - begin)
            last = now
    print(json.dumps({"count": len(gaps), "gap": statistics.median(gaps), "longest": max(gaps) / sum(gaps),
                      "p99": sorted(took)[int(len(took) * 0.99)]}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
