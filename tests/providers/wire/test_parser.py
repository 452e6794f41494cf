from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.wire.parser import MAX_CHUNK_LINE_BYTES, MAX_HEAD_BYTES, ResponseParser
from tests.providers.wire.corpus import BROKEN, CHUNKED, CONFLICT, CUT, OK, SOUND, Sample

ALL = [*SOUND, CONFLICT, *BROKEN, *CUT]


def named(sample: Sample) -> str:
    return sample.name


def parse(sample: Sample, *cuts: int) -> tuple[int | None, bytes, bool, bool]:
    """Status, body, whether it broke, whether the link could be used again."""
    parser = ResponseParser(sample.method)
    edges = [0, *cuts, len(sample.wire)]
    body = b""
    for start, stop in itertools.pairwise(edges):
        if parser.broken is None and start < stop:
            body += parser.feed(sample.wire[start:stop])
    if parser.broken is None and not parser.done:
        parser.feed_eof()
    alive = parser.keep_alive and not parser.surplus and parser.broken is None
    return parser.status, body, parser.broken is not None, alive


def expected(sample: Sample) -> tuple[int | None, bytes, bool, bool]:
    return sample.status, sample.body, sample.breaks, sample.keeps_alive


@pytest.mark.parametrize("sample", ALL, ids=named)
def test_a_response_in_one_read_means_what_it_says(sample: Sample) -> None:
    assert parse(sample) == expected(sample)


@pytest.mark.parametrize("sample", ALL, ids=named)
def test_two_reads_cut_anywhere_mean_the_same(sample: Sample) -> None:
    for cut in range(len(sample.wire) + 1):
        assert parse(sample, cut) == expected(sample), cut


@pytest.mark.parametrize("sample", ALL, ids=named)
def test_single_bytes_mean_the_same(sample: Sample) -> None:
    assert parse(sample, *range(len(sample.wire))) == expected(sample)


@given(st.sampled_from(ALL), st.lists(st.integers(0, 200), max_size=8))
def test_reads_cut_at_several_places_mean_the_same(sample: Sample, cuts: list[int]) -> None:
    inside = sorted(cut for cut in cuts if cut <= len(sample.wire))
    assert parse(sample, *inside) == expected(sample)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=10), st.data())
def test_any_body_survives_chunking_and_any_cut(pieces: list[bytes], data: st.DataObject) -> None:
    wire = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    sample = Sample("any", wire, body=b"".join(pieces), keeps_alive=True)
    assert parse(sample, *cuts) == expected(sample)


@given(st.binary(max_size=300), st.sampled_from([b"", OK, CHUNKED, CHUNKED + b"3\r\nabc\r\n"]))
def test_garbage_never_raises_and_never_depends_on_the_cut(garbage: bytes, start: bytes) -> None:
    sample = Sample("garbage", start + garbage)
    whole = parse(sample)
    assert parse(sample, *range(len(sample.wire))) == whole


def test_repeated_headers_keep_their_order_and_letters() -> None:
    parser = ResponseParser("GET")
    parser.feed(OK + b"Set-Cookie: a=1 \r\nset-cookie:b=2\r\nContent-Length: 0\r\n\r\n")
    assert parser.headers[:2] == [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2")]


def test_a_folded_header_becomes_one_line() -> None:
    parser = ResponseParser("GET")
    parser.feed(OK + b"X-A: one\r\n \t two\r\nContent-Length: 0\r\n\r\n")
    assert parser.headers[0] == (b"X-A", b"one two")


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_endless_headers_are_refused(end: bytes) -> None:
    parser = ResponseParser("GET")
    parser.feed(OK + b"X-A: " + b"a" * MAX_HEAD_BYTES + end)
    assert "64 KiB" in str(parser.broken)


def test_endless_trailers_are_refused() -> None:
    parser = ResponseParser("GET")
    parser.feed(CHUNKED + b"0\r\nX-A: " + b"a" * MAX_HEAD_BYTES)
    assert "64 KiB" in str(parser.broken)


def test_an_endless_chunk_extension_is_refused() -> None:
    parser = ResponseParser("GET")
    parser.feed(CHUNKED + b"5;" + b"a" * MAX_CHUNK_LINE_BYTES)
    assert "malformed" in str(parser.broken)


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_bytes_after_the_end_are_surplus(cut: int) -> None:
    wire = OK + b"Content-Length: 2\r\n\r\nok" + b"HTTP/1.1 200 OK\r\n\r\n"
    parser = ResponseParser("GET")
    parser.feed(wire[: len(wire) - cut])
    assert (parser.done, parser.surplus) == (True, True)


def test_one_read_with_many_chunks_is_one_piece() -> None:
    parser = ResponseParser("GET")
    assert parser.feed(CHUNKED + b"1\r\na\r\n" * 3) == b"aaa"
