"""Admission by the bytes that a request will fetch and hold: who asks for everything is refused or waits, and the tiles of
others don't."""
import contextlib
import json
import random

import httpx
import pytest
from conftest import SANITIZED
from gates import GET, SERIES, TILE, lane, send
from traffic import Asking, Heart, Loop, TILES, get, post
from wire import ask, wait_for

COUNT = 60 if SANITIZED else 300
ATTEMPTS = 6
BIG_TILES = [f"/tiles/globe/{z}/0/0.png?variable=sst&tilesize=1024" for z in (0, 1)]


def everywhere(points=1000):
    """A series over the whole globe."""
    dice = random.Random(7)
    return {"type": "MultiPoint",
            "coordinates": [[round(dice.uniform(-179, 179), 4), round(dice.uniform(-80, 80), 4)] for _ in range(points)]}


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


@pytest.mark.release_only  # what is loaded in front of the C library goes badly with the sanitizers
def test_others_are_answered_while_heavy_requests_stand(start, wide, gated):
    """The lane of the heavy is full and one more is told so; tiles, series and searches of others go past it."""
    gate = gated("/store/wide/")
    server = start(wide, "--threads", "2", "--queue", "32", env=gate.env)  # one heavy job runs, two wait
    gate.close()
    held = [send(server.port, request) for request in (GET.format(TILE, ""), SERIES, GET.format(TILE, ""))]
    wait_for(lambda: lane(server.port, "running", "heavy") == 1 and lane(server.port, "waiting", "heavy") == 2)
    for request in (GET.format(TILE, ""), SERIES):
        status, headers, body = ask(server.port, request)
        assert status == 503 and headers["retry-after"] and "waiting already" in json.loads(body)["detail"]
    for path in (*TILES, "/api/timeseries?collection=globe&lon=3&lat=4", "/stac/search", "/tiles/globe/tilejson.json"):
        assert ask(server.port, GET.format(path, ""))[0] == 200
    assert lane(server.port, "running", "heavy") == 1 and lane(server.port, "waiting", "heavy") == 2
    gate.open()
    assert [wire.answer()[0] for wire in held] == [200, 200, 200]
    for wire in held:
        wire.socket.close()


def p99(server):
    """Of what tiles take that are asked for one after another, in seconds; all have to be answered 200."""
    with Heart(server.port, TILES, 0.003, COUNT) as heart:
        heart.process.wait(120)
    return heart.seen["p99"]


def p99_beside(server, crowd, pause):
    """(times the idle p99, idle p99, p99 beside the crowd)"""
    idle = p99(server)
    with contextlib.ExitStack() as stack:
        for each in crowd:
            stack.enter_context(Loop(each, pause))
        beside = p99(server)
    return beside / idle, idle, beside


# Options of the server, what four clients ask for again and again, what they are answered, seconds until they ask again:
# those who are refused at once would keep the loop busy with nothing but reading their bodies.
HEAVY = {
    "tiles of 1024 pixels": ((), [get(path) for path in 2 * BIG_TILES], {200, 503}, 0),
    "series at 1000 points": ((), 4 * [post("/api/timeseries?collection=wide", json.dumps(everywhere()))], {200, 503}, 0),
    "series over the limit": (("--request-bytes", "4M"),
                              4 * [post("/api/timeseries?collection=wide", json.dumps(everywhere()))], {413, 503}, 0.1),
}
seen = {}


@pytest.mark.parametrize("kind", HEAVY)
def test_tiles_beside_heavy_requests(start, wide, timed, stress_report, kind):
    """Whatever others ask for, each tile is answered, in the long run about as fast as without them."""
    options, requests, statuses, pause = HEAVY[kind]
    server, tries = start(wide, *options), []
    crowd = [Asking(server.port, request) for request in requests]
    while len(tries) < (ATTEMPTS if timed else 1) and min(tries, default=(3,))[0] > 2:
        tries.append(p99_beside(server, crowd, pause))
    found = {status for each in crowd for status, _, _ in each.answers}
    assert found and found <= statuses
    seen[kind] = (found, *min(tries))
    stress_report["Tiles beside heavy requests"] = ["| beside | answered | tile p99 idle, beside (ms) |", "|---|---|---|"] + [
        f"| {case} | {', '.join(map(str, sorted(told)))} | {idle * 1e3:.2f}, {beside * 1e3:.2f} |"
        for case, (told, _, idle, beside) in seen.items()]
    assert not timed or seen[kind][1] <= 2, tries
