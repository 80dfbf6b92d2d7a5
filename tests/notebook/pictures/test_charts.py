"""Charts: lengths and heights are true to the values, and any text is safe in them."""

import json
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pushlab.notebook.pictures.charts import WIDTH, bar_chart, bench_chart, line_chart
from tests.notebook.drawn import in_html

NAMESPACE = "{http://www.w3.org/2000/svg}"
POINTS = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)))
VALUES = st.dictionaries(st.text(max_size=20), st.floats(0, 1e9), max_size=8)


def parsed(chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.markup)


def texts(chart) -> list[str]:
    return [element.text or "" for element in parsed(chart).iter(f"{NAMESPACE}text")]


def bars(chart) -> list[float]:
    """Return the lengths of the bars, without the card that they stand on."""
    return [float(box.get("width")) for box in parsed(chart).iter(f"{NAMESPACE}rect")][1:]


def lines(chart) -> list[list[tuple[float, float]]]:
    """Return the drawn series as lists of (x, y) in pixels."""
    return [
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in parsed(chart).iter(f"{NAMESPACE}polyline")
        if line.get("stroke-width") == "2"
    ]


def test_a_bar_is_as_long_as_its_value():
    short, long, none = bars(bar_chart({"one": 1, "three": 3, "none": 0}))
    assert long == pytest.approx(3 * short, rel=1e-3)
    assert none == 0


def test_a_bar_has_its_name_its_value_and_the_unit():
    chart = bar_chart({"a loop": 1, "workers": 7.256}, "Messages a second", "×")
    assert texts(chart) == ["Messages a second", "a loop", "1×", "workers", "7.26×"]
    assert repr(chart) == "Messages a second\na loop: 1×\nworkers: 7.26×"


def test_the_points_of_a_line_are_where_their_values_are():
    [line] = lines(line_chart({"measured": [(0, 0), (5, 50), (10, 100)]}))
    (x0, y0), (x1, y1), (x2, y2) = line
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and x2 > x0
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2) and y2 < y0  # SVG counts downwards


def test_two_lines_share_their_axes_and_have_two_colours():
    chart = line_chart({"a": [(1, 10), (2, 10)], "b": [(1, 10), (2, 20)]}, x="workers", y="per s")
    a, b = lines(chart)
    assert a[0] == b[0] and b[1][1] < a[1][1]
    said = texts(chart)
    assert {"a", "b", "workers", "per s", "1", "2", "0", "20"} <= set(said)
    assert "a (workers: per s): 1: 10, 2: 10" in repr(chart)


def test_nothing_to_draw_is_a_picture_too():
    empty = [bar_chart({}), line_chart({}), bar_chart({"zero": 0}), line_chart({"zero": [(0, 0)]})]
    for chart in empty:
        parsed(chart)
    assert repr(bar_chart({})) == "nothing to draw"


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf")])
def test_what_no_length_can_show_is_refused(wrong):
    with pytest.raises(ValueError, match="finite numbers from zero up"):
        bar_chart({"a": wrong})
    with pytest.raises(ValueError, match="finite numbers from zero up"):
        line_chart({"a": [(1, wrong)]})


@given(VALUES, st.text(max_size=30))
def test_any_names_and_values_make_a_picture_that_keeps_to_its_card(values, title):
    chart = bar_chart(values, title)
    parsed(chart)
    assert all(0 <= length <= WIDTH for length in bars(chart))


@given(st.dictionaries(st.text(max_size=9), POINTS))
@example({"": [(0.0, 5e-324)]})
def test_any_points_make_a_picture_that_keeps_to_its_card(series):
    chart = line_chart(series, "points")
    height = float(parsed(chart).get("height"))
    for line in lines(chart):
        assert all(0 <= x <= WIDTH and 0 <= y <= height for x, y in line)


def test_text_cannot_leave_the_picture():
    chart = line_chart({"<script>": [(1, 1)]}, "<b>&", x="<i>", y='"')
    assert "<script>" not in chart.markup and "<b>" not in chart.markup


def test_a_chart_shows_itself_in_a_notebook_without_styles_or_ids():
    chart = bar_chart({"a": 1})
    assert in_html(chart._repr_mimebundle_()["text/html"]) == chart.markup
    assert " id=" not in chart.markup and "<style" not in chart.markup


def test_the_figures_of_a_bench_are_drawn(tmp_path):
    path = tmp_path / "bench.json"
    assert bench_chart(path) is None
    rows = [
        {"benchmark": benchmark, "name": name, "subscribers": subscribers, "figures": figures}
        for benchmark, name, subscribers, figures in (
            ("notify-all", "ours", 2000, {"messages/s": 4550.0}),
            ("notify-all", "a peer", 2000, {"messages/s": 1552.0}),
            ("notify-all", "not installed", 2000, {}),
            ("notify-all", "ours", 100, {"messages/s": 1083.0}),
            ("encryption", "ours", None, {"CPU µs": 91.5}),
        )
    ]
    path.write_text(json.dumps({"rows": rows}), "utf-8")
    said = repr(bench_chart(path)).splitlines()
    assert said[0] == "Messages per second, 2000 subscribers" and len(said) == 3
    assert said[1].startswith("ours: 4") and said[2].startswith("a peer: 1")
    path.write_text('{"rows": []}', "utf-8")
    assert bench_chart(path) is None
