"""Warnings and errors of Chia's services as notices: each text once an hour, with how often it came."""

import zlib
from typing import Final

from chiatea.collector.observations import Complaint
from chiatea.collector.sources.log.log_samples import form_of
from chiatea.collector.watchdog.notices import Notices, notice_id
from chiatea.protobuf.chia_pb2 import ChiaNotice

__all__ = ["Complaints"]

_HOUR_SECONDS: Final = 3600
_TEXTS_AN_HOUR: Final = 10
"""Of one kind and service; what else comes in that hour is counted in one notice."""
_COUNTED_EVERY_SECONDS: Final = 300.0
"""A count that goes up all the time is told this often."""
_MOST_SERVICES: Final = 100


class Complaints:
    """Counts complaints; of all that is said thousands of times a day it makes few notices."""

    def __init__(self, notices: Notices) -> None:
        """None yet."""
        self._notices = notices
        self._waiting: dict[str, ChiaNotice] = {}
        self._told_at = float("-inf")
        self._texts: dict[tuple[ChiaNotice.Kind.ValueType, str], tuple[int, set[str]]] = {}

    def take(self, told: Complaint) -> None:
        """Takes one complaint. One that is no newer than the last of its text was told before."""
        hour = int(told.time // _HOUR_SECONDS)
        subject = f"{told.service}/{hour}/{self._name(told, hour)}"
        identity = notice_id(told.kind, subject)
        before = self._waiting.get(identity) or self._notices.of_id(told.kind, identity)
        if before is not None and told.time <= before.time:
            return
        notice = ChiaNotice(
            id=identity,
            kind=told.kind,
            time=told.time,
            service=told.service,
            text=told.text,
            count=1 if before is None else before.count + 1,
        )
        if before is None:
            self._notices.add(notice)
        else:
            self._waiting[identity] = notice

    def _name(self, told: Complaint, hour: int) -> str:
        form = form_of(told.text)
        of_hour, texts = self._texts.get((told.kind, told.service), (hour, set()))
        if of_hour != hour:
            texts = set()
        if len(self._texts) > _MOST_SERVICES:
            self._texts.clear()
        self._texts[told.kind, told.service] = (hour, texts)
        if form not in texts:
            if len(texts) >= _TEXTS_AN_HOUR:
                return "others"
            texts.add(form)
        return f"{zlib.crc32(form.encode()):08x}"

    def pass_time(self, now: float) -> None:
        """Tells the counts that went up since."""
        if abs(now - self._told_at) < _COUNTED_EVERY_SECONDS:
            return
        for notice in self._waiting.values():
            if self._notices.of_id(notice.kind, notice.id) is not None:
                self._notices.replace(notice)
        if self._waiting:
            self._told_at = now
            self._waiting.clear()
