"""Formats: one set of rows in each of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from ssi.model.errors import UsageError
from ssi.view.jsonview import JsonObject
from ssi.view.listing import Field, Format, Listing, Report, Way, render
from ssi.view.yamlview import render_yaml


@dataclass(frozen=True)
class Fruit:
    name: str
    weight_g: int
    note: str = ""


FIELDS: tuple[Field[Fruit], ...] = (
    Field(name="name", cell=lambda fruit: fruit.name),
    Field(
        name="weight",
        cell=lambda fruit: f"{fruit.weight_g}g",
        order=lambda fruit: fruit.weight_g,
        right=True,
        colour=lambda fruit: "red" if fruit.weight_g > 100 else "",
    ),
    Field(name="origin", cell=lambda _: "somewhere", spare=1),
    Field(name="latin", cell=lambda fruit: f"{fruit.name}um", wide=True),
    Field(name="note", cell=lambda fruit: fruit.note, filled=True),
)
FRUITS = (Fruit("fig", 40), Fruit("apple", 150), Fruit("plum", 9))


def objects_of(fruits: Any) -> list[JsonObject]:
    return [
        {
            "name": f.name,
            "metrics": {"cores": f.weight_g, "kernel": _kernel(f)},
        }
        for f in fruits
    ]


def _kernel(fruit: Fruit) -> str | None:
    return None if fruit.weight_g < 10 else "x"


def listing(*fruits: Fruit, last: tuple[Fruit, ...] = ()) -> Listing[Fruit]:
    return Listing(
        kind="nodes",
        fields=FIELDS,
        rows=fruits or FRUITS,
        objects_of=objects_of,
        name_of=lambda fruit: fruit.name,
        last=last,
    )


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def names(way: Way, of: Listing[Fruit] | None = None) -> list[str]:
    return render(of or listing(), Way(format=Format.NAME, sort=way.sort)).splitlines()


def test_a_table_has_neither_wide_columns_nor_empty_ones() -> None:
    assert words(render(listing(), Way()))[:2] == ["NAME WEIGHT ORIGIN", "fig 40g somewhere"]
    assert words(render(listing(Fruit("fig", 1, "ripe")), Way()))[0] == "NAME WEIGHT ORIGIN NOTE"
    assert words(render(listing(), Way(format=Format.WIDE)))[0] == "NAME WEIGHT ORIGIN LATIN"


def test_columns_are_chosen_by_name_in_their_order() -> None:
    assert words(render(listing(), Way(columns="latin,NAME", headers=False)))[0] == "figum fig"


def test_an_unknown_column_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no format and no column 'colour'.*latin"):
        render(listing(), Way(columns="name,colour"))


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        ("weight", ["plum", "fig", "apple"]),
        ("-weight", ["apple", "fig", "plum"]),
        ("name", ["apple", "fig", "plum"]),
        ("metrics.cores", ["plum", "fig", "apple"]),
        ("metrics.kernel,-weight", ["plum", "apple", "fig"]),
    ],
)
def test_rows_are_sorted_by_columns_and_by_names_of_the_json(keys: str, order: list[str]) -> None:
    assert names(Way(sort=keys)) == order


def test_a_sum_stays_last_however_rows_are_sorted_and_has_no_name() -> None:
    summed = listing(*FRUITS, last=(Fruit("all", 199),))
    shown = words(render(summed, Way(sort="-weight", headers=False)))
    assert [line.split()[0] for line in shown] == ["apple", "fig", "plum", "all"]
    assert "all" not in names(Way(sort="-weight"), summed)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no column 'metrics\.colour'"):
        listing().objects("metrics.colour")


def test_a_narrow_terminal_loses_what_can_be_spared_and_no_line_is_longer_than_it() -> None:
    shown = render(listing(Fruit("fig", 1, "a long note that is cut")), Way(width_cells=24))
    assert words(shown)[0] == "NAME WEIGHT NOTE"
    assert max(map(len, shown.splitlines())) == 24
    wide = render(listing(), Way(width_cells=10, format=Format.WIDE))
    assert words(wide)[0] == "NAME WEIGHT ORIGIN LATIN"


def test_a_colour_changes_nothing_but_colours() -> None:
    bare = render(listing(), Way())
    coloured = render(listing(), Way(colour=True))
    assert coloured != bare
    assert coloured.replace("\x1b[31m", "").replace("\x1b[0m", "") == bare
    assert "\x1b[31m150g\x1b[0m" in coloured


def test_a_cut_never_tears_a_colour() -> None:
    for cells in range(1, 20):
        for line in render(listing(), Way(colour=True, width_cells=cells)).splitlines():
            assert line.count("\x1b") in {0, 2}


def test_json_lines_and_yaml_say_the_same() -> None:
    expected = objects_of(FRUITS)
    assert json.loads(render(listing(), Way(format=Format.JSON))) == expected
    lines = render(listing(), Way(format=Format.JSONL)).splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert yaml.safe_load(render(listing(), Way(format=Format.YAML))) == expected


def test_looks_that_follow_each_other_can_be_told_apart() -> None:
    lines = render(listing(), Way(format=Format.JSONL, look=7)).splitlines()
    assert [json.loads(line)["look"] for line in lines] == [7, 7, 7]
    assert render(listing(), Way(format=Format.JSON, look=7)).count("\n") == 1
    assert render(listing(), Way(format=Format.YAML, look=7)).startswith("---\n")


def test_a_report_has_lines_for_people_and_objects_for_programs() -> None:
    report = Report(lines=["n1\x1b[2J done"], results=[{"node": "n1"}], named=["n1"])
    assert render(report, Way()) == "n1\\x1b[2J done\n"
    assert render(report, Way(format=Format.JSONL)) == '{"node": "n1"}\n'
    assert render(report, Way(format=Format.NAME)) == "n1\n"


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1e-05, "b": -2.0, "c": 3, "d": None, "e": True},
        {"no": "yes", "1": "1", "t": "2026-01-01", "s": "a: b # c\x7f\u2028\n", "e": ""},
        {"list": [], "map": {}, "deep": [[1, [2]], {"x": [{"y": "z"}]}]},
    ],
)
def test_yaml_gives_back_every_value(value: JsonObject) -> None:
    assert yaml.safe_load(render_yaml([value])) == [value]
    assert yaml.safe_load(render_yaml([])) == []
