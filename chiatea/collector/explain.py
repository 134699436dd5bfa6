"""What each line of a log is understood to say, for `chia-tea collect --explain`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Final

from chiatea.collector.observations import Complaint
from chiatea.collector.sources.log.log_judge import Judged, LineJudge, Verdict
from chiatea.collector.sources.log.log_reader import MAX_LINE_BYTES, lines_of
from chiatea.collector.sources.log.log_samples import form_of, plain
from chiatea.protobuf.chia_pb2 import ChiaNotice

__all__ = ["Explained", "Summary", "explained_lines", "lines_of_stream"]

_MOST_FORMS: Final = 1000
_CHUNK_BYTES: Final = 256 * 1024
_NOT_FACTS: Final = ("time", "source", "kind")


@dataclass(frozen=True, slots=True)
class Explained:
    """One line. `kind` is what it tells of, "known", "continued" or "not understood"; times are UTC seconds. `text` is
    what is known to be said, else the line.
    """

    number: int
    time: float | None
    service: str
    kind: str
    is_understood: bool
    facts: dict[str, Any]
    text: str


@dataclass(slots=True)
class Summary:
    """Counts over a whole log."""

    n_lines: int = 0
    n_known: int = 0
    n_continued: int = 0
    n_cut: int = 0
    told: Counter[str] = field(default_factory=Counter)
    """Lines by what they tell of."""
    not_understood: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By form: how many lines, and the first of them."""
    n_other_forms: int = 0
    """Lines not understood of yet other forms: of a log with more forms than are kept."""

    @property
    def n_told(self) -> int:
        """Lines that told something and are known to."""
        return sum(self.told.values())

    @property
    def n_not_understood(self) -> int:
        """Lines not understood."""
        return sum(n for n, _ in self.not_understood.values()) + self.n_other_forms

    def take(self, explained: Explained) -> None:
        """Counts one line."""
        self.n_lines += 1
        if not explained.is_understood:
            form = form_of(explained.text)
            if form in self.not_understood or len(self.not_understood) < _MOST_FORMS:
                n, sample = self.not_understood.get(form, (0, explained.text))
                self.not_understood[form] = (n + 1, sample)
            else:
                self.n_other_forms += 1
        elif explained.kind == Verdict.KNOWN.value:
            self.n_known += 1
        elif explained.kind == Verdict.CONTINUED.value:
            self.n_continued += 1
        else:
            self.told[explained.kind] += 1


def lines_of_stream(stream: BinaryIO) -> Iterator[tuple[str, bool]]:
    """The lines of a file or a pipe, each as text and whether it was cut, in constant memory."""
    rest, is_in_cut_line = b"", False
    while chunk := stream.read(_CHUNK_BYTES):
        data = rest + chunk
        if is_in_cut_line:
            end = data.find(b"\n")
            is_in_cut_line, data = end < 0, data[end + 1 :] if end >= 0 else b""
        end = data.rfind(b"\n")
        if end >= 0:
            yield from _whole(data[:end])
        rest = data[end + 1 :]
        if len(rest) > MAX_LINE_BYTES:
            yield from _whole(rest)
            rest, is_in_cut_line = b"", True
    if rest:
        yield from _whole(rest)


def _whole(block: bytes) -> Iterator[tuple[str, bool]]:
    for raw in block.split(b"\n"):
        (line,), n_cut = lines_of(raw)
        yield line, n_cut > 0


def explained_lines(lines: Iterable[tuple[str, bool]], summary: Summary, now: float) -> Iterator[Explained]:
    """Every line of a log, counted into `summary`. `now` says which day a line without a date is of."""
    judge = LineJudge()
    for number, (text, is_cut) in enumerate(lines, start=1):
        explained = _explained(number, text, judge.judge(text, now))
        summary.take(explained)
        summary.n_cut += is_cut
        yield explained


def _explained(number: int, text: str, judged: Judged) -> Explained:
    observation = judged.observation
    is_understood = judged.verdict is not Verdict.NOT_UNDERSTOOD
    kind, facts = judged.verdict.value, {}
    if observation is not None:
        facts = {name: value for name, value in asdict(observation).items() if name not in _NOT_FACTS}
        if is_understood:
            kind = _words(type(observation).__name__)
        if isinstance(observation, Complaint):
            facts["notice"] = ChiaNotice.Kind.Name(observation.kind)
    service, message = "", text
    if judged.line is not None:
        service = judged.line.service
        message = judged.line.text if judged.verdict is Verdict.KNOWN else text
    return Explained(number, judged.time, service, kind, is_understood, facts, plain(message))


def _words(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
