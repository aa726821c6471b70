"""Fuzzing: every target, in one registry. Importing this costs nothing but our own code: no fuzzer is needed."""

from tests.fuzz import data_targets, record_targets, secret_targets, tool_targets, wire_targets
from tests.fuzz.registry import CORPUS, FOUND, INPUT_BYTES_MAX, TARGETS, Target

__all__ = ["CORPUS", "FOUND", "INPUT_BYTES_MAX", "MODULES", "TARGETS", "Target"]

MODULES = (data_targets, record_targets, secret_targets, tool_targets, wire_targets)
