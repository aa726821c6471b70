"""The tests of `both/` folders again, each file under the real MicroPython in a device's heap."""

from pathlib import Path

import pytest

from tests.kits import micropython


@pytest.mark.parametrize(
    "path", micropython.files_of_both(), ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_the_file_holds_under_micropython(path: Path) -> None:
    micropython.run_test_file(path)


def test_a_failing_test_under_micropython_is_reported_with_its_name_and_line(tmp_path: Path) -> None:
    broken = tmp_path / "test_broken.py"
    broken.write_text("def test_one_is_two():\n    assert 1 == 2\n\ndef test_fine():\n    pass\n")
    with pytest.raises(AssertionError, match=r"(?s)FAILED test_one_is_two.*line 2.*ran 2, failed 1"):
        micropython.run_test_file(broken)


def test_a_file_without_tests_is_not_taken_for_a_passed_one(tmp_path: Path) -> None:
    empty = tmp_path / "test_empty.py"
    empty.write_text("x = 1\n")
    with pytest.raises(AssertionError):
        micropython.run_test_file(empty)
