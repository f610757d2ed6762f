"""Admission by the bytes that a request will fetch and hold: who asks for everything is refused or waits, and the tiles of
others don't."""
import json
import os
import random

import httpx
import pytest
from conftest import SANITIZED
from traffic import Asking, Heart, Loop, TILES, get, post
from wire import wait_for

COUNT = 60 if SANITIZED else 300
ATTEMPTS = 1 if SANITIZED else 6
BIG_TILES = [f"/tiles/globe/{z}/0/0.png?variable=sst&tilesize=1024" for z in (0, 1)]


def everywhere(points=1000):
    """A series over the whole globe."""
    dice = random.Random(7)
    return {"type": "MultiPoint", "coordinates": [[dice.uniform(-179, 179), dice.uniform(-80, 80)] for _ in range(points)]}


def test_over_the_limit_the_answer_tells_the_cost_and_a_cheaper_request(start, store):
    server = start(store, "--request-bytes", "1500K")
    with httpx.Client(base_url=server.url, timeout=60) as http:
        answers = [http.post("/api/timeseries", params={"collection": "globe"}, json=everywhere()), http.get(BIG_TILES[0])]
        for answer, cheaper in zip(answers, ("fewer points", "smaller tilesize")):
            told = answer.json()
            assert answer.status_code == 413 and answer.headers["content-type"].startswith("application/problem+json")
            assert cheaper in told["detail"] and " 1536000" in told["detail"], told
        assert http.post("/api/timeseries", params={"collection": "globe"}, json=everywhere(2)).status_code == 200


def test_over_the_queue_the_answer_is_503_with_retry_after(start, store):
    server = start(store, "--queue", "16", "--threads", "1")  # one heavy job runs, one waits
    crowd = [Asking(server.port, *map(get, BIG_TILES)) for _ in range(6)]
    loops = [Loop(each) for each in crowd]
    for loop in loops:
        loop.start()
    answers = lambda: [answer for each in crowd for answer in each.answers]  # noqa: E731
    wait_for(lambda: {200, 503} <= {status for status, _, _ in answers()}, 60)
    for loop in loops:
        loop.__exit__()
    assert {status for status, _, _ in answers()} == {200, 503}
    for status, headers, body in answers():
        if status == 503:
            assert headers["retry-after"] and "waiting already" in json.loads(body)["detail"], body


def p99_beside(server, crowd):
    """(times the idle p99, idle p99, p99 beside them) of tiles that are asked for one after another"""
    def p99():
        with Heart(server.port, TILES, 0.003, COUNT) as heart:
            heart.process.wait(120)
        return heart.seen["p99"]

    idle, loops = p99(), [Loop(each) for each in crowd]
    for loop in loops:
        loop.start()
    beside = p99()
    for loop in loops:
        loop.__exit__()
    return beside / idle, idle, beside


@pytest.mark.parametrize("kind", ("tiles", "series"))
def test_tiles_do_not_wait_for_heavy_requests(server, kind):
    if kind == "tiles":
        crowd = [Asking(server.port, *map(get, BIG_TILES)) for _ in range(4)]
    else:
        request = post("/api/timeseries?collection=globe", json.dumps(everywhere()))
        crowd = [Asking(server.port, request) for _ in range(4)]
    seen = []
    while len(seen) < ATTEMPTS and min(seen, default=(3,))[0] > 2:
        seen.append(p99_beside(server, crowd))
    statuses = {status for each in crowd for status, _, _ in each.answers}
    assert statuses <= {200, 413, 503}
    print(f"tile p99 idle {min(seen)[1] * 1e3:.1f} ms, beside heavy {kind} {min(seen)[2] * 1e3:.1f} ms, "
          f"load {os.getloadavg()[0]:.1f}")
    assert SANITIZED or min(seen)[0] <= 2, seen
