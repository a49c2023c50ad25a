"""A failed step is shown at the line of the repository that broke, if its log has a traceback."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ctrain.errors import Location
from ctrain.report.cause import cause

FILES = tuple(Path("/repo/src", name) for name in ("train.py", "features/build.py", "eval/build.py", "runpy.py"))
TRACEBACK = """\
Epoch 1
Traceback (most recent call last):
  File "/mnt/azureml/cr/j/84c8/exe/wd/train.py", line 12, in <module>
    main()
  File "/mnt/azureml/cr/j/84c8/exe/wd/features/build.py", line 40, in table
    frame["visits"]
  File "/opt/miniconda/lib/python3.11/site-packages/pandas/core/frame.py", line 4102, in __getitem__
    indexer = self.columns.get_loc(key)
KeyError: 'visits'
"""


def test_it_is_the_innermost_frame_of_the_steps_own_code() -> None:
    """Not the library that raised, and not where the script began."""
    assert cause(TRACEBACK, FILES) == Location(Path("/repo/src/features/build.py"), 40)


def test_a_file_is_known_by_the_end_of_its_path() -> None:
    """Two files of one name are told apart by the folders that they are in."""
    assert cause('  File "/tmp/job/eval/build.py", line 3, in f', FILES) == Location(Path("/repo/src/eval/build.py"), 3)


def test_what_could_be_in_two_files_is_in_neither() -> None:
    """Rather nowhere than in the wrong place; the frame that called it is as near as can be told."""
    log = '  File "/tmp/job/train.py", line 7, in f\n  File "build.py", line 3, in g\n'
    assert cause(log, FILES) == Location(Path("/repo/src/train.py"), 7)


def test_a_module_of_python_is_none_of_ours() -> None:
    """Though a file of the step has the same name."""
    log = '  File "<frozen runpy>", line 88, in _run_code\n  File "/usr/lib/python3.11/runpy.py", line 3, in x\n'
    assert cause(log, FILES) is None


def test_a_mistake_in_the_syntax_has_a_line_too() -> None:
    """Python tells it without the word Traceback, and without a function."""
    log = '  File "/tmp/job/train.py", line 9\n    def (:\n        ^\nSyntaxError: invalid syntax\n'
    assert cause(log, FILES) == Location(Path("/repo/src/train.py"), 9)


def test_windows_writes_the_other_slash() -> None:
    """A job may have run there."""
    assert cause('  File "C:\\jobs\\wd\\train.py", line 2, in f', FILES) == Location(Path("/repo/src/train.py"), 2)


@given(st.text(), st.lists(st.sampled_from(TRACEBACK.splitlines(keepends=True))))
def test_any_log_leads_to_one_of_the_files_or_nowhere(text: str, lines: list[str]) -> None:
    """A log is anybody's text."""
    found = cause("".join([text, *lines]), FILES)
    assert found is None or found.file in FILES
