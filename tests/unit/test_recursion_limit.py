"""A deeply nested body is an error, never the end of the process.

A release of web3's dependencies once set the limit to 100,000 when it was imported: so many frames
overflow the C stack before Python counts them.
"""

from __future__ import annotations

import subprocess
import sys


def test_the_chain_library_does_not_raise_the_limit_that_guards_json() -> None:
    script = (
        "import sys; before = sys.getrecursionlimit(); import tokens.chain, web3;"
        " assert sys.getrecursionlimit() == before, sys.getrecursionlimit()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
