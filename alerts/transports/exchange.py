"""What Apprise's plugins get for `requests`: answers are bounded and remembered.

A plugin reads an answer to its end, however long that is, and tells nobody its status.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from providers.measurement import now_ns

BODY_S = 10.0
READ_LIMIT = 65_536
PIECE = 16_384


class Exchange:
    """Stands in for the module; what the current thread has heard is in `heard`."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    @contextmanager
    def listening(self) -> Iterator[list[requests.Response | requests.RequestException]]:
        heard: list[requests.Response | requests.RequestException] = []
        self._of_thread.heard = heard
        try:
            yield heard
        finally:
            del self._of_thread.heard

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        heard = self._of_thread.heard
        if heard and isinstance(heard[-1], requests.Response) and heard[-1].status_code == 429:
            return heard[-1]  # it was asked to slow down: no second try before the pause
        try:
            with requests.Session() as session:
                answer = session.request(method, url, **{**kwargs, "stream": True})
                _read_some(answer)
        except requests.RequestException as exc:
            heard.append(exc)
            raise
        heard.append(answer)
        return answer

    def get(self, url: str, params: Any = None, **kwargs: Any) -> requests.Response:
        return self.request("GET", url, params=params, **kwargs)

    def post(
        self, url: str, data: Any = None, json: Any = None, **kwargs: Any
    ) -> requests.Response:
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: str, data: Any = None, **kwargs: Any) -> requests.Response:
        return self.request("PUT", url, data=data, **kwargs)

    def delete(self, url: str, **kwargs: Any) -> requests.Response:
        return self.request("DELETE", url, **kwargs)


def _read_some(answer: requests.Response) -> None:
    """Keeps the beginning of the body; the rest and whoever sends it too slowly are left alone."""
    began_ns, body = now_ns(), b""
    try:
        while len(body) < READ_LIMIT and (now_ns() - began_ns) / 1e9 < BODY_S:
            piece = answer.raw.read1(PIECE, decode_content=True)
            if not piece:
                break
            body += piece
    except HTTPError as exc:
        raise requests.ConnectionError from exc
    answer._content = body
    answer._content_consumed = True
    answer.close()


exchange = Exchange()
