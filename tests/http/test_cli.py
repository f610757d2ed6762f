"""The command line: help, mistakes, settings and their origins, requests without a server, ingest's own answers."""
import json
import os
import re

import pytest

COMMANDS = ("serve", "ingest", "inspect", "catalog", "tile", "timeseries", "config", "openapi", "version", "colormap", "plugin", "doctor")


def test_a_list_of_flags_is_taken_once(rastrum):
    shown = json.loads(rastrum("config", "--json", "--plugins", "a", "--plugins", "b").stdout)
    assert shown["plugins"] == {"value": ["a", "b"], "origin": "flag"}


def test_help(rastrum):
    done = rastrum("--help")
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", done.stdout, re.M), command
    for command in COMMANDS:
        text = rastrum(command, "--help").stdout
        assert text.startswith(f"usage: rastrum {command}") and len(text.splitlines()) >= 2
    assert "--listen HOST:PORT" in rastrum("serve", "--help").stdout
    assert "127.0.0.1:8080" in rastrum("serve", "--help").stdout


def test_no_command_and_an_unknown_one(rastrum):
    assert "usage" in rastrum(code=2).stderr
    assert "ingset" in rastrum("ingset", code=2).stderr


@pytest.mark.parametrize("words, near", ((("ingest", "x.nc", "--colection", "a"), "--collection"),
                                         (("serve", "--lisen", "x"), "--listen"), (("serve", "--no-dta"), "--no-data")))
def test_an_unknown_option_suggests_the_nearest(rastrum, words, near):
    said = rastrum(*words, code=2).stderr
    assert near in said and next(w for w in words if w.startswith("--")) in said


@pytest.mark.parametrize("words", (
    ("tile", "globe", "1", "2"), ("ingest",), ("serve", "extra"), ("tile", "globe", "0", "0", "0", "novalue"),
    ("serve", "--workers", "many"), ("serve", "--block-cache", "12Q"), ("serve", "--drain-delay", "soon"), ("serve", "--listen"),
    ("ingest", "x.nc", "--listen", "127.0.0.1:1")))
def test_used_wrongly_is_exit_2(rastrum, words):
    said = rastrum(*words, code=2).stderr
    assert said.startswith("rastrum: ") and len(said.splitlines()) <= 3


def test_version(rastrum):
    assert re.search(r"\d+\.\d+\.\d+", rastrum("version").stdout)
    assert json.loads(rastrum("version", "--json").stdout)["rastrum"]
    assert rastrum("--version").stdout == rastrum("version").stdout


# ---- settings


def test_config_prints_the_effective_settings_and_their_origins(rastrum, tmp_path):
    (tmp_path / "rastrum.lua").write_text('return { listen = "127.0.0.1:9001", workers = 3, block_cache = "7M" }\n')
    env = {**os.environ, "RASTRUM_WORKERS": "4", "RASTRUM_QUEUE": "77"}
    done = rastrum("config", "--queue", "88", "--json", cwd=tmp_path, env=env)
    settings = json.loads(done.stdout)
    assert settings["listen"]["value"] == "127.0.0.1:9001" and "rastrum.lua" in settings["listen"]["origin"]
    assert settings["workers"]["value"] == 4 and "environment" in settings["workers"]["origin"]
    assert settings["queue"]["value"] == 88 and "flag" in settings["queue"]["origin"]
    assert settings["drain_delay"]["origin"] == "default"
    text = rastrum("config", cwd=tmp_path, env=env).stdout
    assert "127.0.0.1:9001" in text and "rastrum.lua" in text


def test_the_file_may_be_named_by_the_environment(rastrum, tmp_path):
    """A flag goes before it; one that is missing is not passed over."""
    for name, port in (("env", 9001), ("flag", 9002)):
        (tmp_path / f"{name}.lua").write_text(f'return {{ listen = "127.0.0.1:{port}" }}\n')
    env = {**os.environ, "RASTRUM_CONFIG": str(tmp_path / "env.lua")}
    shown = json.loads(rastrum("config", "--json", cwd=tmp_path, env=env).stdout)
    assert shown["listen"]["value"] == "127.0.0.1:9001" and "env.lua" in shown["listen"]["origin"]
    shown = json.loads(rastrum("config", "--json", "--config", "flag.lua", cwd=tmp_path, env=env).stdout)
    assert shown["listen"]["value"] == "127.0.0.1:9002"
    done = rastrum("config", cwd=tmp_path, env={**env, "RASTRUM_CONFIG": "absent.lua"}, code=2)
    assert "absent.lua: there is no such file" in done.stderr


def test_what_config_prints_is_a_configuration(rastrum, tmp_path):
    text = rastrum("config", "--workers", "5", cwd=tmp_path).stdout
    (tmp_path / "again.lua").write_text(text)
    settings = json.loads(rastrum("config", "--config", tmp_path / "again.lua", "--json", cwd=tmp_path).stdout)
    assert settings["workers"]["value"] == 5


@pytest.mark.parametrize("text, said", (
    ('return { lisen = "x" }', ("lisen", "listen")), ("return { workers = {} }", ("workers",)), ('return { workers = "x" }', ("workers",)),
    ("return 7", ("number",)), ("return {", ("bad.lua",)), ("while true do end", ("bad.lua",)), ('return { json = true }', ("json",)),
    ("error('own words')", ("bad.lua",)), ("return os.getenv('HOME')", ("bad.lua",))))
def test_a_bad_configuration_file(rastrum, tmp_path, text, said):
    (tmp_path / "bad.lua").write_text(text)
    done = rastrum("config", "--config", tmp_path / "bad.lua", code=None, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("rastrum: ") and all(word in done.stderr for word in said), done.stderr


def test_an_unknown_name_in_the_environment(rastrum, tmp_path):
    done = rastrum("config", code=None, cwd=tmp_path, env={**os.environ, "RASTRUM_WORKRES": "2"})
    assert done.returncode in (1, 2) and "RASTRUM_WORKRES" in done.stderr.upper() and "WORKERS" in done.stderr.upper()


def test_a_missing_configuration_file(rastrum, tmp_path):
    done = rastrum("config", "--config", tmp_path / "none.lua", code=None)
    assert done.returncode in (1, 2) and "none.lua" in done.stderr


# ---- requests without a server


@pytest.mark.parametrize("words, path, params", (
    (("0", "0", "0"), "0/0/0.png", {}), (("3", "2", "3.npy"), "3/2/3.npy", {"variable": "wind", "level": "500"}),
    (("2", "1", "1@2x"), "2/1/1@2x.png", {"variable": "sst", "datetime": "nearest::2020-02-21T01:00:00Z", "colormap_name": "magma"})))
def test_tile_equals_the_server_s(rastrum, http, store, tmp_path, words, path, params):
    rastrum("tile", "globe", *words, *(f"{k}={v}" for k, v in params.items()), "--store", store, "-o", tmp_path / "tile")
    assert (tmp_path / "tile").read_bytes() == http.ok(f"/tiles/globe/{path}", **params).content


def test_timeseries_equals_the_server_s(rastrum, http, store):
    for params in ({}, {"variable": "sst,wind"}, {"f": "csv", "datetime": "2020-02-21/2020-02-22"}):
        done = rastrum("timeseries", "globe", "80", "31", *(f"{k}={v}" for k, v in params.items()), "--store", store)
        served = http.ok("/api/timeseries", collection="globe", lon=80, lat=31, **params).text
        assert done.stdout.splitlines() == served.splitlines()


def test_negative_places(rastrum, http, store):
    done = rastrum("timeseries", "globe", "-30", "-10.5", "--store", store)
    assert json.loads(done.stdout) == http.ok("/api/timeseries", collection="globe", lon=-30, lat=-10.5).json()


def test_a_refused_request_is_exit_1(rastrum, store, tmp_path):
    for words, said in ((("tile", "globe", "0", "0", "0", "rescale=9,1"), ("rescale", "9,1")), (("tile", "nosuch", "0", "0", "0"), ("nosuch",)),
                        (("timeseries", "globe", "1", "91"), ("lat", "91"))):
        done = rastrum(*words, "--store", store, code=1)
        assert done.stderr.startswith("rastrum: ") and all(word in done.stderr for word in said) and not done.stdout
    done = rastrum("tile", "globe", "0", "0", "0", "--store", store, "-o", tmp_path / "no" / "where", code=1)
    assert "where" in done.stderr


def test_requests_do_not_make_a_store(rastrum, tmp_path):
    done = rastrum("tile", "globe", "0", "0", "0", "--store", tmp_path / "none", code=1)
    assert done.stderr.startswith("rastrum: ") and not (tmp_path / "none").exists()


def test_openapi_equals_the_server_s(rastrum, http, store):
    own = json.loads(rastrum("openapi", "--store", store).stdout)
    assert own["paths"].keys() == http.ok("/openapi.json").json()["paths"].keys()


def test_plugin_list(rastrum, store):
    text = rastrum("plugin", "list", "--store", store).stdout
    assert all(f'"{name}"' in text or name in text for name in ("tiles", "timeseries", "viewer"))


def test_colormap_list(rastrum, store):
    assert "viridis" in rastrum("colormap", "list", "--store", store).stdout.split()
    assert "magma" in json.loads(rastrum("colormap", "list", "--json", "--store", store).stdout)


def test_colormap_check(rastrum, tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"type": "linear", "colors": ["#053061", "#f7f7f7", "#67001f"]}')
    bad.write_text('{"type": "linear", "colors": ["#05306", "#f7f7f7"]}')
    assert "linear" in rastrum("colormap", "check", good, cwd=tmp_path).stdout
    said = rastrum("colormap", "check", bad, code=1, cwd=tmp_path)
    assert "bad.json: entry 1" in said.stderr
    assert "none.json" in rastrum("colormap", "check", tmp_path / "none.json", code=1, cwd=tmp_path).stderr
    rastrum("colormap", "sort", code=2, cwd=tmp_path)
    table = tmp_path / "table.csv"
    table.write_text("min,max,colour,label\n0,10,#ff0000,low\n10,x,#00ff00,\n")
    assert 'table.csv: line 3: max "x"' in rastrum("colormap", "check", table, code=1, cwd=tmp_path).stderr


def test_colormap_preview(rastrum, tmp_path):
    """Blocks of the ramp's colours on a terminal; a file is shown before it is put anywhere."""
    shown = rastrum("colormap", "preview", "viridis_r", cwd=tmp_path).stdout
    assert shown.count("\x1b[48;2;") == 64 and "\x1b[48;2;248;230;33m" in shown
    table = tmp_path / "table.csv"
    table.write_text("min,max,colour,label\n0,10,#ff0000,low\n10,20,#00ff00,\nmissing,#010203\n")
    shown = rastrum("colormap", "preview", table, cwd=tmp_path).stdout
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line).split() for line in shown.splitlines()] == [
        ["0", "to", "10", "low"], ["10", "to", "20"], ["missing"]]
    said = json.loads(rastrum("colormap", "preview", table, "--json", cwd=tmp_path).stdout)
    assert said["kind"] == "intervals" and said["colors"] == ["#ff0000", "#00ff00"]
    assert "did you mean 'viridis'" in rastrum("colormap", "preview", "viridiss", code=2, cwd=tmp_path).stderr


# ---- ingest, inspect, catalog


def events(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_ingest_events_and_the_same_again(rastrum, sources, tmp_path):
    place = tmp_path / "store"
    done = events(rastrum("ingest", sources["globe"].path, "--collection", "c", "--store", place, "--json"))
    published = done[-1]
    assert published["event"] == "published" and any(e["event"] == "step" for e in done)
    assert (published["collection"], published["dataset"], published["steps"]) == ("c", "globe", 60)
    assert set(published["variables"]) == {"sst", "wind"} and re.fullmatch(r"[0-9a-f]{16}", published["version"])
    assert published["bytes_in"] == sources["globe"].path.stat().st_size and published["bytes_out"] > 0 and published["seconds"] >= 0
    before = sorted((p, p.stat().st_mtime_ns) for p in place.rglob("*") if p.is_file() and "catalog" not in p.name)
    again = events(rastrum("ingest", sources["globe"].path, "--collection", "c", "--store", place, "--json"))
    assert [e["event"] for e in again if e["event"] != "step"] == ["unchanged"]
    assert again[-1]["version"] == published["version"]
    after = sorted((p, p.stat().st_mtime_ns) for p in place.rglob("*") if p.is_file() and "catalog" not in p.name)
    assert before == after
    people = rastrum("ingest", sources["globe"].path, "--collection", "c", "--store", place)
    assert "unchanged" in people.stderr.lower() or "nothing" in people.stderr.lower()


def test_default_names(rastrum, sources, tmp_path):
    """The collection is the file's folder, the dataset its stem."""
    folder = tmp_path / "my-folder"
    folder.mkdir()
    (folder / "some.file.nc").write_bytes(sources["alps"].path.read_bytes())
    published = events(rastrum("ingest", folder / "some.file.nc", "--store", tmp_path / "store", "--json"))[-1]
    assert published["collection"] == "my-folder" and published["dataset"].startswith("some")


def test_chosen_variables_and_dry_run(rastrum, sources, tmp_path):
    dry = rastrum("ingest", sources["globe"].path, "--collection", "c", "--store", tmp_path / "dry", "--dry-run")
    assert "globe" in dry.stderr + dry.stdout and not list((tmp_path / "dry").rglob("*.tif"))
    published = events(rastrum("ingest", sources["globe"].path, "--collection", "c", "--store", tmp_path / "s", "--variables", "sst", "--json"))[-1]
    assert published["variables"] == ["sst"]
    done = rastrum("ingest", sources["globe"].path, "--collection", "c", "--store", tmp_path / "s2", "--variables", "nosuch", code=1)
    assert "nosuch" in done.stderr and "sst" in done.stderr


@pytest.mark.parametrize("make", (lambda p: p.write_bytes(b"not a file of ours"), lambda p: p.write_bytes(b""), lambda p: p.mkdir(),
                                  lambda p: None, lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)),
                                  lambda p: p.write_bytes(b"CDF\x01" + b"\xff" * 60)))
def test_a_refusal_leaves_nothing(rastrum, tmp_path, make):
    path, place, scratch = tmp_path / "bad.nc", tmp_path / "store", tmp_path / "tmp"
    scratch.mkdir()
    make(path)
    done = rastrum("ingest", path, "--collection", "c", "--store", place, "--json", code=1, env={**os.environ, "TMPDIR": str(scratch)})
    assert re.match(rf"rastrum: .*bad\.nc: \S", done.stderr), done.stderr
    error = events(done)[-1]
    assert error["event"] == "error" and error["code"] and error["message"] and "bad.nc" in error["where"]
    assert not list(scratch.iterdir())
    assert not place.exists() or all("catalog" in p.name for p in place.rglob("*") if p.is_file())


def test_one_bad_file_among_good_ones(rastrum, sources, tmp_path):
    (tmp_path / "bad.nc").write_bytes(b"nothing")
    done = rastrum("ingest", sources["alps"].path, tmp_path / "bad.nc", "--collection", "c", "--store", tmp_path / "s", "--json", code=1)
    assert {e["event"] for e in events(done)} >= {"published", "error"}


def test_inspect(rastrum, sources, tmp_path):
    report = json.loads(rastrum("inspect", sources["globe"].path, "--json", cwd=tmp_path).stdout)
    assert report["verdict"] == "ingest" and report["format"].startswith("netcdf4") and str(report["source"]).endswith("globe.nc")
    assert {v["name"] for v in report["variables"]} >= {"sst", "wind"}
    assert isinstance(report["findings"], list) and "grid" in report and "times" in report and "plan" in report
    text = rastrum("inspect", sources["globe"].path, cwd=tmp_path).stdout
    assert "sst" in text and "wind" in text
    (tmp_path / "bad.nc").write_bytes(b"nothing")
    done = rastrum("inspect", tmp_path / "bad.nc", "--json", code=1, cwd=tmp_path)
    assert "bad.nc" in done.stderr
    assert not (tmp_path / "rastrum-data").exists()


def test_catalog_list_and_show(rastrum, store, http):
    listed = json.loads(rastrum("catalog", "list", "--store", store, "--json").stdout)
    text = json.dumps(listed)
    for name in ("globe", "alps", "ocean_climate"):
        assert f'"{name}"' in text
    people = rastrum("catalog", "list", "--store", store).stdout
    assert "globe" in people and "alps" in people
    shown = rastrum("catalog", "show", "globe", "--store", store).stdout
    assert "sst" in shown or "globe" in shown


def test_catalog_of_nothing(rastrum, tmp_path):
    done = rastrum("catalog", "list", "--catalog", f"sqlite:{tmp_path}/none.db", "--json", code=None)
    assert done.returncode in (0, 1)
    if done.returncode == 0:
        assert not json.loads(done.stdout)


def test_catalog_remove(rastrum, sources, tmp_path):
    place = tmp_path / "store"
    rastrum("ingest", sources["alps"].path, "--collection", "c", "--store", place)
    rastrum("catalog", "remove", "c", "alps", "--store", place)
    assert '"alps"' not in rastrum("catalog", "list", "--store", place, "--json").stdout
    done = rastrum("catalog", "remove", "c", "alps", "--store", place, code=1)
    assert "alps" in done.stderr
    assert "catalog" in rastrum("catalog", "tidy", "--store", place, code=2).stderr
