from __future__ import annotations


class StartRefused(Exception):
    """The server cannot start here and now; the text is one sentence for the operator."""
