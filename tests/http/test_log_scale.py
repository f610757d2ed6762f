"""`stretch=log`: a value's colour, and its place on the legend, are those of its logarithm."""
import json

import golden
import numpy as np
import pytest


def entry(values, low, high):
    """The entry of 256 that a value has: calculated anew, in float64."""
    share = np.log(np.maximum(values, 1e-300) / low) / np.log(high / low)
    return np.clip(np.floor(share * 256), 0, 255)


def test_tiles_are_coloured_by_the_logarithm(http):
    params = {"variable": "wind", "sel": "level=850"}
    values, mask = golden.npy(http.ok("/tiles/globe/1/0/0.npy", **params).content)
    drawn = golden.png(http.ok("/tiles/globe/1/0/0.png", **params, rescale="2,60", stretch="log", colormap_name="gray").content)
    table = {int(k): v for k, v in http.ok("/colorMaps/gray").json().items()}
    wanted = np.array([table[int(i)][0] for i in entry(values[0], 2, 60).ravel()]).reshape(values[0].shape)
    inside = mask > 0
    assert inside.any()
    off = np.abs(drawn[..., 0].astype(int) - wanted)[inside]
    assert off.max() <= 1 and (off > 0).mean() < 1e-3, "float32 values at an entry's edge may fall into the next"
    assert len(np.unique(drawn[..., 0][inside])) > 50


@pytest.mark.parametrize(("limits", "ticks"), [("1,1000", [1, 10, 100, 1000]), ("2,60", [2, 5, 10, 20, 50]), ("20,40", [20, 25, 30, 35, 40])])
def test_the_legend_has_the_ticks_of_a_logarithmic_scale(http, limits, ticks):
    legend = http.ok("/legend/globe.json", variable="wind", rescale=limits, stretch="log", ticks=5).json()
    low, high = map(float, limits.split(","))
    assert legend["stretch"] == "log" and legend["rescale"] == [low, high]
    assert [tick["value"] for tick in legend["ticks"]] == pytest.approx(ticks)
    assert [tick["at"] for tick in legend["ticks"]] == pytest.approx(list(np.log(np.divide(ticks, low)) / np.log(high / low)))
    assert golden.png(http.ok("/legend/globe.png", variable="wind", rescale=limits, stretch="log").content).size


def test_tilejson_carries_the_scale_on(http):
    described = http.ok("/tiles/globe/tilejson.json", variable="wind", stretch="log").json()
    assert "stretch=log" in described["tiles"][0] and described["rescale"][0] > 0


def test_what_has_no_logarithm_is_said(http):
    for path in ("/tiles/globe/0/0/0.png", "/tiles/globe/tilejson.json", "/legend/globe.json"):
        problem = http.problem(400, path, variable="wind", stretch="log", rescale="-5,40")
        assert "above 0" in problem["detail"] and "-5" in problem["detail"]
        intervals = json.dumps([[[0, 10], "#000000"], [[10, 99], "#ffffff"]])
        problem = http.problem(400, path, variable="wind", stretch="log", rescale="1,40", colormap=intervals)
        assert "intervals or categories" in problem["detail"]


def test_npy_has_values_whatever_the_scale(http):
    plain, scaled = (http.ok("/tiles/globe/0/0/0.npy", variable="wind", **more).content for more in ({}, {"stretch": "log", "rescale": "1,40"}))
    assert plain == scaled
