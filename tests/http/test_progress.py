"""What people see of an ingest: a bar on a terminal, plain lines in a log, JSON for programs, and a dry run that is right."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import feeds
import pytest


def on_terminal(binary, *words, columns=120):
    """Everything that a terminal of this width gets, and the exit code."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([str(binary), *map(str, words)], stdin=subprocess.DEVNULL, stdout=child, stderr=child)
    os.close(child)
    text = b""
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:  # the other end is gone
            break
        if not piece:
            break
        text += piece
    os.close(parent)
    return text.decode(), process.wait(60)


@pytest.fixture(name="large", scope="module")
def a_file_that_takes_a_while(tmp_path_factory):
    return feeds.write(tmp_path_factory.mktemp("large") / "large.nc", 0, steps=1500, mask=0).path


BAR = re.compile(r"\[([#.]{20})\] +(\d+) %  ([\d.]+ \w+) of ([\d.]+ \w+), (\d+) of (\d+) maps, ([\d.]+ \w+)/s, (\d+ \w+) left  (\S+)")


def test_the_bar(binary, large, tmp_path):
    said, code = on_terminal(binary, "ingest", large, "--store", tmp_path / "store")
    assert code == 0
    *bars, rest = said.split("\r\x1b[K")
    shown = [BAR.fullmatch(bar) for bar in bars[1:] if bar.strip()]
    assert shown and all(shown), bars
    done = [int(bar[2]) for bar in shown]
    assert done == sorted(done) and done[-1] == 100
    assert shown[-1][9] == "large.nc" and shown[-1][6] == "1500"
    assert "\x1b" not in rest
    table = rest.replace("\r", "").strip().splitlines()[1:]
    assert table[0].split() == ["file", "dataset", "variables", "steps", "before", "after", "seconds"]
    row = table[1].split()
    assert row[0] == "large.nc" and row[2:4] == ["t", "1500"] and len(table) == 2
    assert float(row[4]) > 0 and float(row[6]) > 0 and float(row[8]) > 0


def test_the_bar_keeps_to_its_line(binary, large, tmp_path):
    for columns in (20, 40, 79):
        said, _ = on_terminal(binary, "ingest", large, "--store", tmp_path / f"store{columns}", columns=columns)
        bars = [bar for bar in said.split("\r\x1b[K")[1:-1] if bar]
        assert bars and all(len(bar) < columns and "\n" not in bar for bar in bars), bars


def test_a_table_of_several_files_has_their_sum(binary, tmp_path):
    paths = [feeds.write(tmp_path / f"{n}.nc", n).path for n in range(3)]
    bad = tmp_path / "bad.nc"
    bad.write_text("nothing")
    said, code = on_terminal(binary, "ingest", *paths, bad, "--collection", "c", "--store", tmp_path / "store")
    table = said.replace("\r", "").split("file ")[-1].splitlines()
    assert code == 1 and len(table) == 5 and table[-1].startswith("3 files") and table[-1].split()[2] == "3"
    assert "rastrum: bad.nc: " in said


def test_a_log_gets_plain_lines(rastrum, large, tmp_path):
    done = rastrum("ingest", large, "--collection", "c", "--store", tmp_path / "store")
    assert done.stdout == "" and "\x1b" not in done.stderr and "\r" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(r"large\.nc: published c/large version \w{16}: t; 1500 steps, [\d.]+ \w+ in, [\d.]+ \w+ out, [\d.]+ s", line)


def test_programs_get_a_line_of_json_an_event(rastrum, binary, large, tmp_path):
    words = ("ingest", large, "--collection", "c", "--store", tmp_path / "store", "--json")
    done = rastrum(*words)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.stderr == "" and [e["event"] for e in events] == ["step"] * 5 + ["published"]
    assert {"collection", "dataset", "version", "variables", "steps", "bytes_in", "bytes_out", "seconds"} <= set(events[-1])
    assert events[-1]["variables"] == ["t"] and events[-1]["steps"] == 1500 and events[-1]["bytes_in"] == large.stat().st_size
    again = [json.loads(line) for line in rastrum(*words).stdout.splitlines()]
    assert again[-1]["event"] == "unchanged"
    (tmp_path / "bad.nc").write_text("nothing")
    bad = rastrum("ingest", tmp_path / "bad.nc", "--store", tmp_path / "store", "--json", code=1)
    error = json.loads(bad.stdout.splitlines()[-1])
    assert error["event"] == "error" and {"code", "message", "where"} <= set(error)
    assert bad.stderr == f"rastrum: bad.nc: {error['message']}\n"


def test_a_name_cannot_command_the_terminal(binary, tmp_path):
    evil = tmp_path / "a\x1b]0;title\x07\x1b[2J.nc"
    evil.write_text("nothing")
    said, code = on_terminal(binary, "ingest", evil, "--collection", "c", "--store", tmp_path / "store")
    assert code == 1 and "\x1b]" not in said and "\x07" not in said and "\x1b[2J" not in said
    assert "rastrum: a?]0;title??[2J.nc: " in said


NUMBER = re.compile(r"([\d.]+) (B|kB|MB|GB)")


def amount(text):
    number, unit = NUMBER.match(text).groups()
    return float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]


@pytest.mark.parametrize("name", ["zone", "globe", "alps"])
def test_a_dry_run_is_right(rastrum, sources, tmp_path, name):
    """In words and in JSON: what is foretold is what comes, within a tenth; and nothing is written."""
    path, words = sources[name].path, ("--collection", "c", "--store", tmp_path / "store")
    dry = rastrum("ingest", path, *words, "--dry-run")
    assert not (tmp_path / "store").exists()
    table = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in dry.stderr.splitlines()[1:])
    assert set(table) == {"source", "variables", "steps", "before", "after", "memory", "scratch", "seconds"}
    plan = json.loads(rastrum("ingest", path, *words, "--dry-run", "--json").stdout.splitlines()[-1])["plan"]
    real = json.loads(rastrum("ingest", path, *words, "--json").stdout.splitlines()[-1])
    assert table["variables"].split(", ") == real["variables"] and int(table["steps"]) == real["steps"]
    after, objects = re.fullmatch(r"(.*) in (\d+) objects", table["after"]).groups()
    print(f"\n{name}: foretold {after} in {objects} objects, came {real['bytes_out']} bytes in {real['objects']}")
    for foretold, came in ((amount(table["before"]), real["bytes_in"]), (amount(after), real["bytes_out"]),
                           (plan["plan"]["estimate"]["bytes"], real["bytes_out"]), (int(objects), real["objects"])):
        assert abs(foretold - came) <= 0.1 * came, (foretold, came)
    assert amount(table["memory"].removeprefix("at most ")) <= 512e6 * 1.05
    assert (table["scratch"] == "none") == (real["scratch_bytes"] == 0)
