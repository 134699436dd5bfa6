import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.config import load
from chiatea.copier.replace_rules import PlotFacts, ReplaceRule, plot_facts, rule_from_json
from chiatea.copier.settings import settings_of
from chiatea.errors import ConfigurationError

from .jobs_and_targets import NOW

DAY = 86400.0
ID = "ab" * 32
OLD = PlotFacts(f"plot-k32-2021-05-01-10-00-{ID}.plot", 1, NOW - 900 * DAY, NOW - 900 * DAY)
NEW = PlotFacts(f"plot-k32-2023-11-01-10-00-{ID}.plot2", 2, NOW - DAY, NOW - DAY)
SUFFIXES = (".plot", ".plot2")


def rule(**more: object) -> ReplaceRule:
    return replace(ReplaceRule("r", SUFFIXES), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("holds", "fails"),
    [
        ({"version": 1}, {"version": 2}),
        ({"suffixes": (".plot",)}, {"suffixes": (".plot2",)}),
        ({"pattern": "plot-k32-2021-*"}, {"pattern": "plot-k32-2022-*"}),
        ({"pattern": "plot-k3?-*.plot"}, {"pattern": "PLOT-*"}),
        ({"made_before": NOW - 800 * DAY}, {"made_before": NOW - 950 * DAY}),
        ({"older_than": 730 * DAY}, {"older_than": 1000 * DAY}),
    ],
)
def test_all_conditions_of_a_rule_must_hold(holds: dict[str, object], fails: dict[str, object]) -> None:
    assert rule(**holds).gives_up(OLD, NEW, NOW)
    assert not rule(**fails).gives_up(OLD, NEW, NOW)


def test_a_rule_is_for_the_new_plots_that_it_names() -> None:
    assert rule(version=1, new_suffixes=(".plot2",)).gives_up(OLD, NEW, NOW)
    assert not rule(version=1, new_suffixes=(".gplot",)).gives_up(OLD, NEW, NOW)


def test_no_plot_goes_for_one_that_the_rule_calls_old_too() -> None:
    other = replace(OLD, name=OLD.name.replace("2021", "2020"))
    for conditions in ({"version": 1}, {"suffixes": (".plot",)}, {"older_than": DAY}, {"pattern": "plot-k32-202?-*"}):
        assert rule(**conditions).matches(other, NOW)
        assert not rule(**conditions).gives_up(other, OLD, NOW)


@given(st.data())
def test_two_plots_never_go_for_each_other_by_one_rule(data: st.DataObject) -> None:
    def facts() -> PlotFacts:
        made = data.draw(st.sampled_from([NOW - 900 * DAY, NOW - 100 * DAY, NOW, NOW + DAY]))
        name = data.draw(st.sampled_from([OLD.name, NEW.name]))
        return PlotFacts(name, data.draw(st.sampled_from([1, 2])), made, made + data.draw(st.sampled_from([0, DAY])))

    one, other = facts(), facts()
    some = rule(
        version=data.draw(st.sampled_from([0, 1, 2])),
        suffixes=data.draw(st.sampled_from([SUFFIXES, (".plot",)])),
        pattern=data.draw(st.sampled_from(["", "*2021*"])),
        made_before=data.draw(st.sampled_from([None, NOW - 200 * DAY])),
        older_than=data.draw(st.sampled_from([None, 730 * DAY])),
    )
    assert not (some.gives_up(one, other, NOW) and some.gives_up(other, one, NOW))
    assert not some.gives_up(one, one, NOW)


def test_a_new_plot_of_which_nobody_knows_the_version_replaces_none_by_version() -> None:
    assert not rule(version=1).gives_up(OLD, replace(NEW, version=0), NOW)


def test_a_plot_is_as_young_as_its_file_its_name_or_its_place_says() -> None:
    name_2021 = plot_facts(OLD.name, 1, 0, 0)
    assert name_2021.made_time == 1_619_863_200
    assert plot_facts(OLD.name, 1, int(NOW * 1e9), 0).made_time == NOW
    assert plot_facts("x.plot", 1, 5_000_000_000, 0).made_time == 5.0
    assert plot_facts(f"plot-k32-2021-99-99-10-00-{ID}.plot", 1, 0, 0).made_time == 0.0
    moved_today = plot_facts(OLD.name, 1, 0, int(NOW * 1e9))
    assert not rule(older_than=DAY).matches(moved_today, NOW)
    assert rule(made_before=NOW - DAY).matches(moved_today, NOW)


def test_a_rule_survives_its_way_to_the_worker() -> None:
    some = rule(version=1, pattern="a*", older_than=3.5, new_suffixes=(".plot2",), when_full="delete_first")
    assert rule_from_json(json.loads(json.dumps(some.to_json()))) == some
    with pytest.raises(ValueError, match="other fields"):
        rule_from_json({"name": "r"})


def config(tmp_path: Path, text: str) -> tuple[ReplaceRule, ...]:
    path = tmp_path / "config.yml"
    path.write_text(f"copy: {{{text}}}")
    return settings_of(load(path), once=False).replace_rules


def test_no_rule_is_there_by_itself(tmp_path: Path) -> None:
    assert config(tmp_path, "max_active: 1") == ()


def test_a_rule_is_what_the_configuration_says(tmp_path: Path) -> None:
    text = "replace: [{old: {version: 1}, new: {suffixes: [.plot2]}}, "
    text += '{name: ancient, old: {made_before: 2022-01-01, name: "plot-k32-*"}, when_full: delete_first}]'
    assert config(tmp_path, text) == (
        ReplaceRule("1", (".plot", ".plot2"), version=1, new_suffixes=(".plot2",)),
        ReplaceRule(
            "ancient",
            (".plot", ".plot2"),
            pattern="plot-k32-*",
            made_before=1_640_995_200.0,
            when_full="delete_first",
        ),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("replace: [{}]", "copy.replace.0: does not say which plots are old"),
        ("replace: [{when_full: delete_first}]", "copy.replace.0: does not say which plots are old"),
        ("replace: [{old: {versio: 1}}]", "copy.replace.0.old.versio: there is no such key: did you mean version?"),
        ("replace: [{old: {version: 3}}]", "copy.replace.0.old.version: is 3, should be 1 or 2"),
        ('replace: [{old: {name: "*"}}]', "copy.replace.0.old.name: '*' is no pattern"),
        ("replace: [{old: {name: a/b}}]", "copy.replace.0.old.name: 'a/b' is no pattern"),
        ("replace: [{old: {made_before: 2024-02-30}}]", "'2024-02-30' is no day: write it as 2024-01-31"),
        ("replace: [{old: {made_before: 2024}}]", "2024 is no day: write it as 2024-01-31"),
        ("replace: [{old: {older_than: 0s}}]", "copy.replace.0.old.older_than: is '0s', should be at least 1m"),
        ("replace: [{old: {suffixes: [.plot]}, new: {suffixes: [.plot]}}]", "copy.replace.0: is for none"),
        ("replace: [{old: {version: 1}}, {name: '1', old: {version: 2}}]", "copy.replace: 1 is there twice"),
        ("replace: [{old: {version: 1}}], verification: none", "verification may not be none"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        config(tmp_path, text)
    assert says in str(refusal.value)
    assert len(refusal.value.message.splitlines()) == 1
