"""The published client `arguslm`, as it comes from PyPI, driven from our tests.

Its package has the name of ours, so it lives in a process of its own (`published_process.py`),
whose path does not hold this project. A call goes there as a line of JSON, and so does the answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SCRIPT = Path(__file__).with_name("published_process.py")


class ClientError(Exception):
    """The client raised; `kind` is the class of its exception."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class PublishedClient:
    """`call("get_model", "<id>")`; a request body is given as `SchemaName={field: value}`."""

    def __init__(self, base_url: str, flavour: str = "sync") -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), base_url, flavour],
            cwd=SCRIPT.parent,
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"method": method, "args": [str(arg) for arg in args], "kwargs": kwargs}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ClientError(answer["kind"], answer["error"])
        return answer["value"]
