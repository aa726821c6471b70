"""Operator's terminal -> here -> people: `perch staff`, accounts and the wing's members without the staff page.

    perch staff add PERSON --name NAME --role moderator --role administrator --data DIR
    perch staff learner add ID --name NAME --group GROUP --data DIR
    perch staff group add ID --name NAME --member LEARNER --data DIR
    perch staff list | disable PERSON | pass-phrase PERSON

A pass phrase is asked for; there is no default. The first two administrators make roster 1 together; every
later change asks two administrators for theirs. With --pass-phrase-stdin one line is read for each that
would be asked, in the same order.
"""

from __future__ import annotations

import argparse
import getpass
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub_daemon import keys, people
from hub_daemon.people import ChangeRefused, People, Signer, WeakPassPhrase
from hub_daemon.store import Store
from protocol.errors import Refusal
from protocol.records import roster as record
from protocol.records.roster import ADMINISTRATOR, Roster

DATABASE = "hub.sqlite3"


class Asker:
    """Where pass phrases come from: the terminal, unseen, or standard input line by line."""

    def __init__(self, stdin: bool) -> None:
        self.stdin = stdin

    def ask(self, words: str) -> str:
        if self.stdin:
            line = sys.stdin.readline()
            if not line:
                raise WeakPassPhrase(f"standard input ended where this was expected: {words}")
            return line.rstrip("\r\n")
        return getpass.getpass(words + ": ")

    def new(self, person: str) -> str:
        """A new pass phrase, asked twice on a terminal."""
        first = self.ask(f"New pass phrase for {person}")
        if not self.stdin and self.ask("Once more") != first:
            raise WeakPassPhrase("the two pass phrases are not the same")
        return first


def check_common(phrase: str) -> None:
    """Refuse what stands in Django's list of the twenty thousand most common passwords."""
    validation = importlib.import_module("django.contrib.auth.password_validation")
    if phrase.lower().strip() in validation.CommonPasswordValidator().passwords:
        raise WeakPassPhrase("This pass phrase is one of the most common ones: use three or four words")


def staff(argv: list[str]) -> int:
    """`perch staff`; returns the exit code."""
    arguments = parser().parse_args(argv)
    data = Path(arguments.data)
    try:
        data.mkdir(parents=True, exist_ok=True)
        store = Store(data / DATABASE)
        try:
            made = People(store, lambda: int(time.time() * 1000))
            act: Callable[[argparse.Namespace, People, Asker, Path], int] = arguments.act
            return act(arguments, made, Asker(arguments.pass_phrase_stdin), data)
        finally:
            store.close()
    except Refusal as refusal:
        print(f"perch staff: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"perch staff: {error.filename}: {error.strerror}. Nothing was changed.", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", required=True, metavar="DIR", help="the hub's data directory")
    common.add_argument("--pass-phrase-stdin", action="store_true", help="read pass phrases from standard input")
    common.add_argument("--json", action="store_true", help="print what a program can read")
    by = argparse.ArgumentParser(add_help=False)
    by.add_argument("--by", action="append", default=[], metavar="PERSON", help="the two administrators who sign")
    made = argparse.ArgumentParser(prog="perch staff", description="Accounts of staff, learners and groups.")
    subs = made.add_subparsers(required=True, metavar="COMMAND")

    add = subs.add_parser("add", parents=[common, by], help="make an account; its pass phrase is asked")
    add.add_argument("person")
    add.add_argument("--name")
    add.add_argument("--role", action="append", default=[], choices=record.ROLES)
    add.add_argument("--wing", default="wing", help="the wing's name, for the first roster only")
    add.set_defaults(act=_add)
    shown = subs.add_parser("list", parents=[common], help="accounts, learners and groups")
    shown.set_defaults(act=_list)
    disable = subs.add_parser("disable", parents=[common], help="the account cannot log in any more")
    disable.add_argument("person")
    disable.set_defaults(act=_disable)
    remove = subs.add_parser("remove", parents=[common, by], help="disable, and take off the roster")
    remove.add_argument("person")
    remove.set_defaults(act=_remove)
    phrase = subs.add_parser("pass-phrase", parents=[common], help="a new pass phrase for the same key")
    phrase.add_argument("person")
    phrase.set_defaults(act=_pass_phrase)

    learner = subs.add_parser("learner", help="learners").add_subparsers(required=True, metavar="add")
    one = learner.add_parser("add", parents=[common, by])
    one.add_argument("learner")
    one.add_argument("--name", required=True)
    one.add_argument("--group", action="append", default=[])
    one.set_defaults(act=_learner)
    group = subs.add_parser("group", help="groups").add_subparsers(required=True, metavar="add")
    some = group.add_parser("add", parents=[common, by])
    some.add_argument("group")
    some.add_argument("--name", required=True)
    some.add_argument("--member", action="append", default=[])
    some.set_defaults(act=_group)
    return made


def _add(arguments: argparse.Namespace, made: People, asker: Asker, data: Path) -> int:
    person = arguments.person
    roles = tuple(arguments.role or ["moderator"])
    phrase = asker.new(person)
    check_common(phrase)
    public = made.create(person, arguments.name or person, roles, phrase)
    roster = made.roster_or_none()
    if roster is not None:
        entry = people.staff_of(person, arguments.name or person, public, roles, int(time.time()))
        return _change(arguments, made, asker, people.with_staff(entry), f"add {person}")
    administrators = [one for one, works in made.everybody() if ADMINISTRATOR in one.roles and works]
    others = [one.person for one in administrators if one.person != person]
    if ADMINISTRATOR not in roles or not others:
        words = f"{person} is made. The wing needs two administrators before anybody can log in."
        _say(arguments, words, person=person)
        return 0
    second = others[0]
    signed_by = made.unlock(second, asker.ask(f"Pass phrase of {second}, who signs the first roster too"))
    roster = made.bootstrap(arguments.wing, keys.load_or_make(data / "keys"), made.unlock(person, phrase), signed_by)
    _say(arguments, f"{person} is made. Roster {roster.version} of wing {roster.wing} is in force.", person=person,
         roster=roster.version)
    return 0


def _change(
    arguments: argparse.Namespace, made: People, asker: Asker, change: Callable[[Roster], Roster], why: str
) -> int:
    """Ask two administrators, sign, put in force."""
    roster = made.roster()
    names = list(arguments.by)
    known = sorted({one.person for one in roster.staff if ADMINISTRATOR in one.roles})
    if not names:
        names = known[:2]
    if len(set(names)) != 2:
        raise ChangeRefused(f"two administrators sign: --by ONE --by ANOTHER, of {', '.join(known)}")
    signers: list[Signer] = [made.unlock(name, asker.ask(f"Pass phrase of {name}")) for name in names]
    number = made.propose(signers[0], change, why)
    done = made.countersign(number, signers[1])
    _say(arguments, f"{why}: roster {done.version} is in force.", roster=done.version)
    return 0


def _learner(arguments: argparse.Namespace, made: People, asker: Asker, data: Path) -> int:
    change = people.with_learner(arguments.learner, arguments.name, tuple(arguments.group))
    return _change(arguments, made, asker, change, f"learner {arguments.learner}")


def _group(arguments: argparse.Namespace, made: People, asker: Asker, data: Path) -> int:
    change = people.with_group(arguments.group, arguments.name, tuple(arguments.member))
    return _change(arguments, made, asker, change, f"group {arguments.group}")


def _remove(arguments: argparse.Namespace, made: People, asker: Asker, data: Path) -> int:
    done = _change(arguments, made, asker, people.without_staff(arguments.person), f"remove {arguments.person}")
    if made.active(arguments.person):
        made.disable(arguments.person, "operator")
    return done


def _disable(arguments: argparse.Namespace, made: People, asker: Asker, data: Path) -> int:
    made.disable(arguments.person, "operator")
    _say(arguments, f"{arguments.person} cannot log in any more. The roster still names the key: use remove.",
         person=arguments.person)
    return 0


def _pass_phrase(arguments: argparse.Namespace, made: People, asker: Asker, data: Path) -> int:
    old = asker.ask(f"Pass phrase of {arguments.person} now")
    new = asker.new(arguments.person)
    check_common(new)
    made.change_pass_phrase(arguments.person, old, new)
    _say(arguments, f"{arguments.person} has a new pass phrase.", person=arguments.person)
    return 0


def _list(arguments: argparse.Namespace, made: People, asker: Asker, data: Path) -> int:
    roster = made.roster_or_none()
    named = {one.person for one in roster.staff} if roster else set()
    rows: list[dict[str, Any]] = [
        {"person": one.person, "name": one.name, "roles": list(one.roles), "on_roster": one.person in named,
         "works": works}
        for one, works in made.everybody()
    ]
    if arguments.json:
        print(json.dumps({
            "staff": rows,
            "roster": roster.version if roster else 0,
            "learners": [{"id": one.id, "name": one.name} for one in roster.learners] if roster else [],
            "groups": [
                {"id": one.id, "name": one.name, "members": list(one.members)}
                for one in (roster.groups if roster else [])
            ],
        }, ensure_ascii=False))
        return 0
    for row in rows:
        state = "  disabled" if not row["works"] else "" if row["on_roster"] else "  not on the roster"
        print(f"{row['person']:<20} {row['name']:<24} {', '.join(row['roles'])}{state}")
    if roster is None:
        print("No roster yet: the wing needs two administrators (perch staff add … --role administrator).")
        return 0
    for learner in roster.learners:
        print(f"learner {learner.id:<12} {learner.name}")
    for group in roster.groups:
        print(f"group   {group.id:<12} {group.name}: {', '.join(group.members)}")
    return 0


def _say(arguments: argparse.Namespace, words: str, **values: object) -> None:
    if arguments.json:
        print(json.dumps({"done": True, "words": words, **values}, ensure_ascii=False))
    else:
        print(words)
