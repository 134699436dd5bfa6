"""From one protocol's tables to another's, keeping every row and every value that both can hold.

A field is known by its number, so a renamed one keeps its values. All of it is one transaction: a process that dies in
the middle leaves the database as it was, and the next start begins anew.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple

from chiatea.server.database.conversion import converted, keeps_every_value, sql_type
from chiatea.server.database.stored_schema import StoredColumn, StoredSchema, StoredTopic

__all__ = ["Step", "apply", "plan"]

_SUFFIXES: Final = ("", "Events")
"""Of the two tables of each topic."""


class Step(NamedTuple):
    """One change: what it is, for a person, and what does it."""

    description: str
    run: Callable[[sqlite3.Connection], None]


def _passing(topic: StoredTopic) -> str:
    return f"renaming {topic.number}"


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def plan(old: StoredSchema, new: StoredSchema) -> list[Step]:
    """What must be done, in this order; new tables are not among it, as they are made wherever they are missing."""
    before = {topic.number: topic for topic in old.topics}
    after = {topic.number: topic for topic in new.topics}
    steps: list[Step] = []
    stays = []
    for number, topic in before.items():
        successor = after.get(number)
        if successor is not None and _has_the_same_key(topic, successor):
            stays.append((topic, successor))
            continue
        why = "the protocol has no such topic any more" if successor is None else "its entries are told apart otherwise"
        steps.append(Step(f"{topic.name}: kept as Retired{topic.name}, as {why}", partial(_retire, topic)))
    # By way of names that nobody has, so that two topics may swap theirs.
    renamed = [(topic, successor) for topic, successor in stays if topic.name != successor.name]
    steps += [
        Step(f"{t.name}: renamed to {s.name}", partial(_rename_tables, t.name, _passing(t), t)) for t, s in renamed
    ]
    steps += [Step("", partial(_rename_tables, _passing(t), s.name, t)) for t, s in renamed]
    for topic, successor in stays:
        steps += _column_steps(successor, topic.columns)
    steps += [Step(f"{topic.name}: new", lambda _: None) for number, topic in after.items() if number not in before]
    return steps


def apply(connection: sqlite3.Connection, steps: Iterable[Step]) -> None:
    """Does all of it, within the transaction that is open."""
    for name, kind in connection.execute("SELECT name, type FROM sqlite_schema WHERE type = 'view'").fetchall():
        connection.execute(f"DROP {kind} {quoted(name)}")
    for step in steps:
        step.run(connection)


def _has_the_same_key(old: StoredTopic, new: StoredTopic) -> bool:
    if old.is_repeated != new.is_repeated:
        return False
    if not old.is_repeated:
        return True
    ids = [next((column for column in topic.columns if column.name == "id"), None) for topic in (old, new)]
    return old.id_is_text == new.id_is_text and ids[0] is not None and ids[1] is not None and ids[0][2] == ids[1][2]


def _tables(topic: StoredTopic, name: str) -> Iterator[str]:
    """MachineInfo, of number 0, is a state without events."""
    yield from (f"{name}{suffix}" for suffix in (_SUFFIXES if topic.number else _SUFFIXES[:1]))


def _retire(topic: StoredTopic, connection: sqlite3.Connection) -> None:
    taken = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    goal, count = f"Retired{topic.name}", 1
    while any(name in taken for name in _tables(topic, goal)):
        count += 1
        goal = f"Retired{count}{topic.name}"
    _rename_tables(topic.name, goal, topic, connection)


def _rename_tables(old: str, new: str, topic: StoredTopic, connection: sqlite3.Connection) -> None:
    for before, after in zip(_tables(topic, old), _tables(topic, new), strict=True):
        connection.execute(f"ALTER TABLE {quoted(before)} RENAME TO {quoted(after)}")


def _column_steps(topic: StoredTopic, old: tuple[StoredColumn, ...]) -> Iterator[Step]:
    before = {column.numbers: column for column in old}
    after = {column.numbers: column for column in topic.columns}

    def on_both(statement: str) -> Callable[[sqlite3.Connection], None]:
        def run(connection: sqlite3.Connection) -> None:
            for table in _tables(topic, topic.name):
                connection.execute(statement.format(table=quoted(table)))

        return run

    for numbers, column in before.items():
        if numbers not in after:
            drop = f"ALTER TABLE {{table}} DROP COLUMN {_braced(column.name)}"
            yield Step(f"{topic.name}.{column.name}: dropped, as the protocol has it no more", on_both(drop))
    changed = [(column, after[n]) for n, column in before.items() if n in after and column != after[n]]
    renamed = [(c, s) for c, s in changed if c.name != s.name]
    for index, (column, successor) in enumerate(renamed):
        away = f"ALTER TABLE {{table}} RENAME COLUMN {_braced(column.name)} TO {_braced(f'renamed {index}')}"
        yield Step(f"{topic.name}.{column.name}: renamed to {successor.name}", on_both(away))
    for index, (_, successor) in enumerate(renamed):
        back = f"ALTER TABLE {{table}} RENAME COLUMN {_braced(f'renamed {index}')} TO {_braced(successor.name)}"
        yield Step("", on_both(back))
    for column, successor in changed:
        if not keeps_every_value(column.type, successor.type):
            yield Step(
                f"{topic.name}.{successor.name}: converted to its new type",
                partial(_convert, topic, column.type, successor),
            )
    for numbers, column in after.items():
        if numbers not in before:
            add = f"ALTER TABLE {{table}} ADD COLUMN {_braced(column.name)} {sql_type(column.type)}"
            yield Step(f"{topic.name}.{column.name}: new", on_both(add))


def _braced(name: str) -> str:
    return quoted(name).replace("{", "{{").replace("}", "}}")


def _convert(topic: StoredTopic, old_type: int, column: StoredColumn, connection: sqlite3.Connection) -> None:
    connection.create_function(
        "chia_tea_converted", 1, lambda value: converted(value, old_type, column.type), deterministic=True
    )
    name, away = quoted(column.name), quoted("converted")
    for table in map(quoted, _tables(topic, topic.name)):
        connection.execute(f"ALTER TABLE {table} RENAME COLUMN {name} TO {away}")
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {sql_type(column.type)}")
        connection.execute(f"UPDATE {table} SET {name} = chia_tea_converted({away})")  # noqa: S608
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {away}")
