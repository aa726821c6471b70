"""Command line -> here -> daemon: the options of `perch hub`, laid over the configuration file."""

from __future__ import annotations

import argparse
from pathlib import Path

from hub_daemon import config as configuration
from hub_daemon.config import Config, ConfigRefused


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="perch hub", description="Run the hub of one wing.")
    parser.add_argument("--config", metavar="hub.toml", type=Path, help="the configuration; what follows wins over it")
    parser.add_argument("--print-config", action="store_true", help="write the commented default configuration")
    parser.add_argument("--data", metavar="DIR", help="where everything is kept")
    parser.add_argument("--bay", metavar="[NAME=]PORT", action="append", help="a serial port; again for each dock")
    parser.add_argument("--page", metavar="HOST:PORT", help="the staff page, or none")
    parser.add_argument("--tcp", metavar="HOST:PORT", help="docking over Ethernet")
    parser.add_argument("--wing", metavar="NAME", help="the wing's name")
    parser.add_argument("--broker", metavar="KIND", help="auto, mosquitto or amqtt")
    return parser.parse_args(argv)


def configure(given: argparse.Namespace) -> Config:
    """The configuration of file and options together; raises ConfigRefused."""
    values = configuration.defaults() if given.config is None else configuration.load(given.config)
    options = {(one.section, one.key): one for one in configuration.OPTIONS}
    said = {
        ("data", "directory"): given.data,
        ("bays", "ports"): given.bay,
        ("page", "listen"): given.page,
        ("bays", "tcp"): given.tcp,
        ("wing", "name"): given.wing,
        ("broker", "kind"): given.broker,
    }
    for (section, key), value in said.items():
        if value is None:
            continue
        option = options[section, key]
        try:
            values[f"{section}.{key}"] = option.check(value)
        except ValueError as error:
            why = f" ({error})" if str(error) else ""
            raise ConfigRefused(f"{section}.{key} cannot be {value!r}{why}; allowed is {option.allowed}") from None
    return configuration.build(values)
