"""`chia-tea collect --explain FILE`: what each line of a log is understood to say."""

import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, BinaryIO

from chiatea.collector.explain import Explained, Summary, explained_lines, lines_of_stream
from chiatea.errors import ConfigurationError

__all__ = ["explain"]


def explain(filepath: str, *, as_json: bool) -> None:
    """Prints every line and a summary; `-` is stdin.

    Raises:
        ConfigurationError: there is no such file, or it cannot be read.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without emoji shows the line all the same
    summary = Summary()
    with _opened(filepath) as stream:
        explained = explained_lines(_read(stream, filepath), summary, time.time())
        if as_json:
            _print_json(explained, summary)
            return
        for line in explained:
            sys.stdout.write(_line(line) + "\n")
    sys.stdout.write("\n" + "\n".join(_summary_lines(summary)) + "\n")


@contextmanager
def _opened(filepath: str) -> Iterator[BinaryIO]:
    if filepath == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(filepath, "rb")  # noqa: PTH123, SIM115 - closed below; a text that is no path is an error of open
    except (OSError, ValueError) as error:
        raise _unreadable(filepath, error) from error
    with stream:
        yield stream


def _read(stream: BinaryIO, filepath: str) -> Iterator[tuple[str, bool]]:
    try:
        yield from lines_of_stream(stream)
    except OSError as error:
        raise _unreadable(filepath, error) from error


def _unreadable(filepath: str, error: Exception) -> ConfigurationError:
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigurationError(f"{filepath}: {reason}", "--explain takes Chia's debug.log, or - for stdin")


def _line(line: Explained) -> str:
    when = "-" if line.time is None else _iso(line.time)
    facts = " ".join(f"{name}={_fact(value)}" for name, value in line.facts.items())
    what = facts if line.is_understood and facts else line.text
    return f"{line.number} {when} {line.service or '-'} {line.kind.replace(' ', '-')}: {what}".rstrip()


def _iso(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _fact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def _summary_lines(summary: Summary) -> Iterator[str]:
    yield f"{summary.n_lines} lines" + (
        f", {summary.n_cut} of them longer than is read of one" if summary.n_cut else ""
    )
    yield f"{summary.n_told} told something"
    for kind, n in summary.told.most_common():
        yield f"  {n:>9} {kind}"
    yield f"{summary.n_known} are known and of no interest"
    yield f"{summary.n_continued} belong to the line before"
    yield f"{summary.n_not_understood} were not understood"
    for n, sample in sorted(summary.not_understood.values(), reverse=True):
        yield f"  {n:>9} as {sample}"
    if summary.n_other_forms:
        yield f"  {summary.n_other_forms:>9} of yet other forms"


def _print_json(explained: Iterator[Explained], summary: Summary) -> None:
    """One document, written as it comes."""
    sys.stdout.write('{"lines": [')
    separator = "\n"
    for line in explained:
        sys.stdout.write(separator + _dumped(asdict(line)))
        separator = ",\n"
    forms = [
        {"form": form, "n_lines": n, "sample": sample}
        for form, (n, sample) in sorted(summary.not_understood.items(), key=lambda item: -item[1][0])
    ]
    counts = {
        "n_lines": summary.n_lines,
        "n_told": summary.n_told,
        "told": dict(summary.told.most_common()),
        "n_known": summary.n_known,
        "n_continued": summary.n_continued,
        "n_cut": summary.n_cut,
        "n_not_understood": summary.n_not_understood,
        "not_understood": forms,
        "n_other_forms": summary.n_other_forms,
    }
    sys.stdout.write('\n], "summary": ' + _dumped(counts) + "}\n")


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
