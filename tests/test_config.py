import os
import re
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from chiatea.config import (
    Config,
    SendUpdateEveryConfig,
    check_folder_names,
    check_folders,
    default_filepath,
    example,
    load,
)
from chiatea.errors import ConfigurationError
from chiatea.protobuf.descriptors import TOPICS

ROOT = Path(__file__).parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.yml"


def _load(path: Path, text: str) -> Config:
    path.write_text(text, encoding="utf-8")
    return load(path)


def _plain(config: Config) -> object:
    return yaml.safe_load(config.as_yaml())


def test_every_topic_has_an_interval() -> None:
    assert set(SendUpdateEveryConfig.model_fields) == set(TOPICS)


def test_the_example_is_the_one_in_the_repository() -> None:
    assert (ROOT / "config.yml.example").read_text() == example()


def test_the_example_is_all_defaults(path: Path) -> None:
    assert _plain(_load(path, example())) == _plain(_load(path, ""))


def test_the_example_with_every_line_taken_in_is_all_defaults(path: Path) -> None:
    lines = [
        line.replace("# ", "", 1) if line.strip().startswith("# ") and depth else line
        for depth, line in enumerate(example().split("\n\n", 1)[1].splitlines(), start=1)
    ]
    text = "\n".join(lines)
    assert "  port: 43200" in text
    assert _plain(_load(path, text)) == _plain(_load(path, ""))


def test_every_key_says_what_it_is_for() -> None:
    def undocumented(model: type[BaseModel], where: str = "") -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            annotation = field.annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                found += undocumented(annotation, f"{where}{name}.")
                found += [] if annotation.__doc__ else [f"{where}{name}"]
            elif not field.description and model is not SendUpdateEveryConfig:
                found.append(f"{where}{name}")
        return found

    assert undocumented(Config) == []


def test_no_file_is_a_configuration(home: Path) -> None:
    config = load()
    assert config.filepath == home / ".chia_tea" / "config" / "config.yml"
    assert config.folder == config.filepath.parent
    assert config.monitoring.auth.key_filepath == config.folder / "server.key"
    assert config.monitoring.server.db_filepath == home / ".chia_tea" / "monitoring.db"
    assert config.machine.state_folder == home / ".chia_tea" / "state"
    assert config.chia_root == home / ".chia" / "mainnet"


@pytest.mark.parametrize("text", ["", "# nothing", "---", "null", "machine:", "monitoring:\n  server:\n  client:\n"])
def test_a_file_of_nothing_is_all_defaults(path: Path, text: str) -> None:
    assert _plain(_load(path, text)) == _plain(_load(path, "{}"))


def test_a_single_section_is_a_configuration(path: Path) -> None:
    config = _load(path, "monitoring:\n  client:\n    address: farm.lan\n")
    assert config.monitoring.client.address == "farm.lan"
    assert config.client_port == 43200


def test_a_key_without_a_value_is_its_default(path: Path) -> None:
    config = _load(path, "machine:\n  name:\nlogging:\n  folder: ~\nmonitoring:\n  server: {port: null}\n")
    assert _plain(config) == _plain(_load(path, ""))


def test_the_clients_port_is_the_servers_unless_it_has_its_own(path: Path) -> None:
    assert _load(path, "monitoring: {server: {port: 5}}").client_port == 5
    assert _load(path, "monitoring: {server: {port: 5}, client: {port: 6}}").client_port == 6


def test_a_relative_path_starts_at_the_folder_of_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLOTS", "/mnt/plots")
    config = _load(
        path,
        "monitoring: {auth: {cert_filepath: certs/a.cert, key_filepath: /etc/a.key}, server: {db_filepath: ~/a.db}}\n"
        "copy: {source_folders: [in, $PLOTS/a]}\n",
    )
    assert config.monitoring.auth.cert_filepath == path.parent / "certs" / "a.cert"
    assert config.monitoring.auth.key_filepath == Path("/etc/a.key")
    assert config.monitoring.server.db_filepath == Path("~/a.db").expanduser()
    assert config.copy_.source_folders == (path.parent / "in", Path("/mnt/plots/a"))
    assert config.monitoring.auth.token_hashes_filepath == path.parent / "tokens.json"


def test_a_relative_name_of_the_file_itself_does_not_matter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("")
    monkeypatch.chdir(path.parent)
    assert load(Path("config.yml")).monitoring.auth.key_filepath == path.parent / "server.key"


def test_the_environment_names_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("machine: {name: x}")
    monkeypatch.setenv("CHIA_TEA_CONFIG", str(path))
    assert default_filepath() == path
    assert load().machine.name == "x"
    path.unlink()
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load()


def test_chias_folder_is_configured_or_in_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIA_ROOT", "/chia")
    assert _load(path, "").chia_logfile_filepath == Path("/chia/log/debug.log")
    assert _load(path, "chia: {root: /other}").chia_logfile_filepath == Path("/other/log/debug.log")
    assert _load(path, "chia: {logfile_filepath: /l}").chia_logfile_filepath == Path("/l")


def test_a_date_is_text(path: Path) -> None:
    assert _load(path, "machine: {name: 2024-13-45}").machine.name == "2024-13-45"


def test_all_faults_are_named_at_once_each_with_its_path(path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _load(path, "machine: {name: ''}\nmonitoring: {server: {port: 0}, client: {port: x}}\ncopy: 3\nnope: 1\n")
    faults = caught.value.message.splitlines()
    assert [fault.removeprefix(f"{path}: ").split(":")[0] for fault in faults] == [
        "machine.name", "copy", "monitoring.server.port", "monitoring.client.port", "nope",
    ]  # fmt: skip
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("3", "the whole file: is 3, should be a section: keys and values under it"),
        ("copy: 3", "copy: is 3, should be a section: keys and values under it"),
        ("machine: [1]", "machine: should be a section: keys and values under it"),
        ("machine: {name: 3}", "machine.name: is 3, should be text: put it in quotes"),
        ("machine: {name: on}", "machine.name: is true, should be text: put it in quotes"),
        ("machine: {name: ''}", "machine.name: is '', should not be empty"),
        (f"machine: {{name: {'x' * 101}}}", "should have at most 100 characters"),
        ("monitoring: {server: {port: 70000}}", "monitoring.server.port: is 70000, should be at most 65535"),
        ("monitoring: {server: {port: 1.5}}", "monitoring.server.port: is 1.5, should be a whole number"),
        ("monitoring: {server: {port: yes}}", "monitoring.server.port: is true, should be a whole number"),
        ("logging: {folder: 3}", "logging.folder: is 3, should be a path"),
        ("logging: {folder: ''}", "logging.folder: is no path"),
        ('logging: {folder: "a\\0b"}', "logging.folder: is no path"),
        ("logging: {folder: ~nobody-at-all/x}", "whom this machine does not know"),
        ("logging: {log_to_console: maybe}", "logging.log_to_console: is 'maybe', should be true or false"),
        ("logging: {loglevel: LOUD}", "logging.loglevel: is 'LOUD', should be 'TRACE', 'DEBUG'"),
        ("copy: {source_folders: /a}", "copy.source_folders: is '/a', should be a list: [/one, /two]"),
        ("copy: {source_folders: [/a, 3]}", "copy.source_folders.1: is 3, should be a path"),
        ("monitoring: {client: {collect_data_every: 5 parsecs}}", "'5 parsecs' is no duration: write it as 30s"),
        ("monitoring: {client: {collect_data_every: 2h}}", "is 2h, should be at most 1h"),
        ("monitoring: {client: {collect_data_every: .nan}}", "collect_data_every: is nan, should be"),
        ("monitoring: {client: {collect_data_every: true}}", "is true, should be a duration: 30s, 5m"),
        ("monitoring: {client: {send_update_every: {cpu: 2d}}}", "cpu: is '2d', should be at most 1d"),
        ("monitoring: {client: {send_update_every: {cpuu: 3}}}", "cpuu: there is no such key: did you mean cpu?"),
        ("machine: {nam: x}", "machine.nam: there is no such key: did you mean name?"),
        ("machine: {nam:}", "machine.nam: there is no such key"),
        ("zzz: 1", "zzz: there is no such key: known are machine, logging, chia, hardware, copy, monitoring"),
        ("version: 1.0.0", "version: there is no such key: the first chia-tea's; delete it"),
        ("1: 2", "1: is 1, should be a word: every key is one"),
        ("[a]: 2", "config.yml:1:1: is not YAML: a key must be a word"),
        ("machine: {name: x}\nmachine: {name: y}", "config.yml:2:1: is not YAML: the key 'machine' is there twice"),
        ("a:\n  b: 1\n  b: 2", "config.yml:3:3: is not YAML: the key 'b' is there twice"),
        ("a: !!int x", "config.yml:1:4: is not YAML: this is no int"),
        ("a: !!timestamp x", "config.yml:1:4: is not YAML: this is no timestamp"),
        ("a: !!python/object:os.system x", "is not YAML: could not determine a constructor"),
        ("a: " + "[" * 3000, "is not YAML: maximum recursion depth"),
        ("a: " + "1" * 5000, "is not YAML: this is no int"),
        ('machine: {name: "\\ud800"}', "config.yml:1:17: is not YAML: half a character"),
        ("a: 'b", "config.yml:1:6: is not YAML"),
        ("\t", "config.yml:1:1: is not YAML"),
    ],
)
def test_a_fault_is_named_in_a_persons_words(path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _load(path, text)
    assert fault in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Config," not in str(caught.value)


def test_a_file_that_somebody_named_must_be_there(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no such file: `chia-tea config init --config .*` makes"):
        load(path)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load(tmp_path)


def test_text_that_is_not_utf_8_is_refused(path: Path) -> None:
    path.write_bytes(b"machine: {name: \xff}")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        load(path)


def test_a_mark_of_utf_8_at_the_beginning_does_no_harm(path: Path) -> None:
    assert _load(path, "\ufeffmachine: {name: x}").machine.name == "x"


words = st.sampled_from(
    ["machine", "name", "copy", "source_folders", "monitoring", "server", "port", "client", "auth", "<<", "*a", "&a",
     "collect_data_every", "!!int", "!!map", "!!null", "~", "null", "[", "]", "{", "}", ":", ": ", "- ", ",", "\n",
     "\n  ", "? ", "'", '"', "1", "0x1", "1e3", ".inf", "30s", "2001-01-01", "%", "---", "#", "\\ud800", "\ufeff"]
)  # fmt: skip
texts = st.one_of(st.text(string.printable), st.text(), st.lists(words, max_size=20).map("".join))


@given(text=texts)
def test_any_text_is_a_configuration_or_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        config = load(path)
    except ConfigurationError:
        return
    assert _plain(_load(path, config.as_yaml())) == _plain(config)


@given(seconds=st.floats(0, 86400))
def test_the_configuration_in_force_is_shown_exactly(tmp_path_factory: pytest.TempPathFactory, seconds: float) -> None:
    path = tmp_path_factory.getbasetemp() / "exact.yml"
    config = _load(path, yaml.safe_dump({"monitoring": {"client": {"send_update_every": {"cpu": seconds}}}}))
    assert _load(path, config.as_yaml()).monitoring.client.send_update_every.cpu == seconds


def test_folders_that_can_never_become_right_are_refused_all_at_once(path: Path) -> None:
    (path.parent / "file").write_text("")
    config = _load(path, "copy: {source_folders: [file, both, not-mounted], target_folders: [both]}")
    with pytest.raises(ConfigurationError) as caught:
        check_folders(config)
    assert caught.value.message.splitlines() == [
        f"{path}: copy.source_folders.0: {path.parent}/file is not a folder: name the folder that holds the plots",
        f"{path}: copy: {path.parent}/both is both a source and a target folder: it can be one of them only",
    ]


def test_a_folder_that_is_not_there_may_come(path: Path) -> None:
    check_folders(_load(path, "copy: {source_folders: [not-mounted]}"))


def test_nothing_is_made_by_reading(home: Path) -> None:
    load()
    assert os.listdir(home) == []  # noqa: PTH208


def test_what_is_said_of_copies_takes_units(path: Path) -> None:
    copy = _load(
        path,
        "copy: {reserve: 10GiB, max_bandwidth: 200MB/s, settle_seconds: 2m, rescan_every: 5s, suffixes: [.gplot]}",
    ).copy_
    assert (copy.reserve, copy.max_bandwidth, copy.settle_seconds) == (10 * 2**30, 200_000_000, 120.0)
    assert copy.suffixes == (".gplot",)
    assert _load(path, "copy: {max_bandwidth: ''}").copy_.max_bandwidth == 0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("suffixes: [plot]", "'plot' is no suffix: write it with its dot, as .plot"),
        ("suffixes: [.plot.copying]", "it is never moved"),
        ("suffixes: []", "copy.suffixes"),
        ("max_per_target: 0", "should be at least 1"),
        ("max_bandwidth: -1", "should be at least 0"),
        ("verification: maybe", "copy.verification: is 'maybe'"),
        ("settle_seconds: soon", "is no duration"),
    ],
)
def test_what_copies_cannot_be_told_is_refused(path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(fault)):
        _load(path, f"copy: {{{text}}}")


def test_folders_that_contradict_each_other_are_refused_without_asking_a_disk(path: Path) -> None:
    config = _load(path, "copy: {source_folders: [/a, /b], target_folders: [/b, /c], drained_folders: [/d]}")
    with pytest.raises(ConfigurationError) as caught:
        check_folder_names(config)
    assert len(caught.value.lines()) == 2
    assert "/b is both a source and a target folder" in str(caught.value)
    assert "/d is no target folder" in str(caught.value)


def test_thresholds_are_two_numbers_with_units_where_they_are_durations(path: Path) -> None:
    config = _load(path, "tui: {thresholds: {disk_used_percent: [90, 97.5], quiet_seconds: [2m, 10m]}}")
    assert list(config.tui.thresholds.disk_used_percent) == [90, 97.5]
    assert list(config.tui.thresholds.quiet_seconds) == [120, 600]
    assert "- 90\n" in config.as_yaml(), "a whole number is shown as it was written"


@pytest.mark.parametrize("pair", ["5", "[5]", "[1, 2, 3]", "[a, b]", "[.nan, 3]", "[-1, 3]", "[true, false]", "{}"])
def test_what_is_no_pair_of_thresholds_is_refused_with_an_example(path: Path, pair: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        _load(path, f"tui: {{thresholds: {{cpu_percent: {pair}}}}}")
    assert "tui.thresholds.cpu_percent: should be two numbers" in str(raised.value)
    assert "[90, 98]" in str(raised.value)


def test_red_does_not_begin_before_yellow(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="yellow begins at 98, after red at 90"):
        _load(path, "tui: {thresholds: {cpu_percent: [98, 90]}}")


def test_groups_of_targets_are_filled_in_order_and_target_folders_come_last(path: Path) -> None:
    groups = "[{name: fast, folders: [/a, /b]}, {name: usb, folders: [/c]}]"
    copy = _load(path, f"copy: {{target_groups: {groups}, target_folders: [/d]}}").copy_
    assert copy.ranked_groups == (
        ("fast", (Path("/a"), Path("/b"))),
        ("usb", (Path("/c"),)),
        ("", (Path("/d"),)),
    )
    assert copy.all_target_folders == tuple(map(Path, ("/a", "/b", "/c", "/d")))
    assert _load(path, "copy: {target_folders: [/d, /d]}").copy_.ranked_groups == (("", (Path("/d"), Path("/d"))),)


def test_groups_that_contradict_each_other_are_refused_one_line_each(path: Path) -> None:
    groups = "[{name: fast, folders: [/a, /b]}, {name: fast, folders: [/b, /s]}]"
    config = _load(path, f"copy: {{source_folders: [/s], target_groups: {groups}, drained_folders: [/a]}}")
    with pytest.raises(ConfigurationError) as caught:
        check_folder_names(config)
    assert caught.value.message.splitlines() == [
        f"{path}: copy: /s is both a source and a target folder: it can be one of them only",
        f"{path}: copy.target_groups: fast is there twice: each group has a name of its own",
        f"{path}: copy: /b is in 2 groups of targets: it can be in one only",
    ]


@pytest.mark.parametrize(
    ("group", "fault"),
    [
        ("{folders: [/a]}", "copy.target_groups.0.name: should be there"),
        ("{name: fast}", "copy.target_groups.0.folders: should be there"),
        ("{name: fast, folders: []}", "copy.target_groups.0.folders: should not be empty"),
        ("{name: fast, folders: /a}", "copy.target_groups.0.folders: is '/a', should be a list"),
        ("{name: fast, folder: [/a]}", "copy.target_groups.0.folder: there is no such key"),
        ("/a", "copy.target_groups.0: is '/a', should be a section"),
    ],
)
def test_a_group_of_targets_that_is_none_is_refused(path: Path, group: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(fault)):
        _load(path, f"copy: {{target_groups: [{group}]}}")


def test_times_of_day_need_no_quotation_marks_and_come_back_as_they_are(path: Path) -> None:
    text = "[{from: 6:30, until: 23:00, max: 50MB}, {from: '23:00', until: 24:00, max: 0}]"
    config = _load(path, f"copy: {{bandwidth_by_time: {text}, max_bandwidth_per_job: 20MB}}")
    assert [(p.from_, p.until, p.max) for p in config.copy_.bandwidth_by_time] == [
        (390, 1380, 50_000_000),
        (1380, 1440, 0),
    ]
    assert _load(path, config.as_yaml()).copy_ == config.copy_
    assert config.copy_.max_bandwidth_per_job == 20_000_000


@pytest.mark.parametrize(
    ("periods", "fault"),
    [
        ("[{from: 8, until: 23:00, max: 1}]", "copy.bandwidth_by_time.0.from: 8 is no time of day: write it as 08:00"),
        ("[{from: 25:00, until: 23:00, max: 1}]", "copy.bandwidth_by_time.0.from: '25:00' is no time of day"),
        ("[{from: 08:60, until: 23:00, max: 1}]", "copy.bandwidth_by_time.0.from: '08:60' is no time of day"),
        ("[{from: 08:00, max: 1}]", "copy.bandwidth_by_time.0.until: should be there"),
        ("[{from: 08:00, until: 8:00, max: 1}]", "copy.bandwidth_by_time.0: 08:00-08:00 begins and ends at once"),
        ("[{from: 08:00, until: 9:00, max: -1}]", "copy.bandwidth_by_time.0.max: is -1, should be at least 0"),
        (
            "[{from: 08:00, until: 23:00, max: 1}, {from: 22:59, until: 06:00, max: 2}]",
            "copy.bandwidth_by_time: 08:00-23:00 and 22:59-06:00 overlap: at each time one of them may hold",
        ),
    ],
)
def test_times_that_are_none_or_overlap_are_refused_with_one_line(path: Path, periods: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _load(path, f"copy: {{bandwidth_by_time: {periods}}}")
    assert len(caught.value.message.splitlines()) == 1
    assert fault in caught.value.message
