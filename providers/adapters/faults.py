"""The one door through which foreign errors become failures of ours."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from providers.adapters.endpoint import Endpoint, Unsendable
from providers.adapters.refusals import Refused
from providers.errors import ErrorClass, ExchangeFailed, Failure, sanitise

_BAD_KEY = re.compile(r"(?i)api_key_invalid|api key not valid|(?:invalid|incorrect) api key")
_NO_MONEY = re.compile(
    r"(?i)insufficient_quota|ServiceQuotaExceeded|billing_(?:error|not_active|hard_limit|disabled)|arrearage"
    r"|credit balance is too low|insufficient (?:credit|balance|funds)"
    r"|(?:out of|not enough|have any|no) credits?\b"
)
_NO_MODEL = re.compile(
    r"(?i)model_not_found|DeploymentNotFound|model identifier is invalid"
    r"|\"invalid_model\"|model not exist|\bmodel:? [^\s:]{1,200} does not exist"
)
_CLOSED = re.compile(r"(?i)disconnect|closed the connection")
_FILTERED = re.compile(
    r'(?i)"code"\s*:\s*"content_filter"|content (?:filter(?:ing)?|management) policy'
    r"|by (?:the|our) content filter"
)

_STATUS_CLASS = {
    401: ErrorClass.AUTH,
    402: ErrorClass.QUOTA,
    403: ErrorClass.AUTH,
    404: ErrorClass.NOT_FOUND,
    407: ErrorClass.CONNECT,
    408: ErrorClass.TIMEOUT_TTFT,
    410: ErrorClass.NOT_FOUND,
    424: ErrorClass.SERVER_ERROR,  # Bedrock: the model behind it failed
    429: ErrorClass.RATE_LIMITED,
    503: ErrorClass.OVERLOADED,
    504: ErrorClass.TIMEOUT_TTFT,
    529: ErrorClass.OVERLOADED,
}

_STATUS_SAYS = {
    ErrorClass.AUTH: "the API key was refused or lacks the right",
    ErrorClass.QUOTA: "the account has no credit or quota left",
    ErrorClass.CONNECT: "the proxy on the way wants a login",
    ErrorClass.NOT_FOUND: "the model or the address does not exist",
    ErrorClass.TIMEOUT_TTFT: "it gave up waiting for the model",
    ErrorClass.RATE_LIMITED: "too many requests for this account",
    ErrorClass.OVERLOADED: "it is overloaded or out of service",
    ErrorClass.SERVER_ERROR: "an error on its side",
    ErrorClass.BAD_REQUEST: "the request was not accepted",
    ErrorClass.CONTENT_FILTER: "its content filter refused the prompt",
}


def failure(
    endpoint: Endpoint,
    error_class: ErrorClass,
    sentence: str,
    said: str = "",
    status_code: int | None = None,
    retry_after_s: float | None = None,
) -> Failure:
    """A failure in our words; what the provider ``said`` follows, cleaned and bounded."""
    quote = sanitise(said, endpoint.secrets, limit=300)
    message = f"{sentence} It said: {quote}" if quote else sentence
    clean = sanitise(message, endpoint.secrets)
    return Failure(error_class, clean, status_code, retry_after_s)


def of_refusal(refused: Refused, endpoint: Endpoint) -> Failure:
    if 300 <= refused.status < 400:
        return _of_redirect(refused, endpoint)
    # Amazon names the kind of an error in a header, not in the body.
    said = f"{refused.headers.get('x-amzn-errortype', '')} {refused.text}"
    error_class = status_class(refused.status, said)
    if refused.status == 401:
        sentence = "The provider answered 401: the API key was refused."
    else:
        sentence = f"The provider answered {refused.status}: {_STATUS_SAYS[error_class]}."
    return failure(
        endpoint,
        error_class,
        sentence,
        refused.provider_message,
        refused.status,
        refused.retry_after_s,
    )


def status_class(status: int, text: str = "") -> ErrorClass:
    """The class of a status outside 2xx; some providers say the real cause only in the body."""
    if status < 500 and _NO_MONEY.search(text):
        return ErrorClass.QUOTA
    if status == 400 and _BAD_KEY.search(text):
        return ErrorClass.AUTH
    if status in (400, 403, 404) and _NO_MODEL.search(text):
        return ErrorClass.NOT_FOUND
    if status == 400 and _FILTERED.search(text):
        return ErrorClass.CONTENT_FILTER
    fallback = ErrorClass.SERVER_ERROR if status >= 500 else ErrorClass.BAD_REQUEST
    return _STATUS_CLASS.get(status, fallback)


def _of_redirect(refused: Refused, endpoint: Endpoint) -> Failure:
    try:
        target = urlsplit(refused.headers.get("location", "")).hostname or endpoint.host
    except ValueError:
        target = "another address"
    sentence = (
        f"The provider answered {refused.status}: it redirects to {target}, and redirects are not "
        "followed. Put the final address into the base URL."
    )
    return failure(endpoint, ErrorClass.BAD_REQUEST, sentence, "", refused.status)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it came from, groups included."""
    seen: set[int] = set()
    open_errors: list[BaseException | None] = [error]
    while open_errors:
        current = open_errors.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        open_errors += [current.__cause__, current.__context__]
        open_errors += current.exceptions if isinstance(current, BaseExceptionGroup) else []


def of_exception(error: Exception, endpoint: Endpoint, *, has_answered: bool) -> Failure | None:
    """The failure behind an exception of the wire, or None when it is not one of the wire's.

    ``has_answered`` tells whether the response headers had come.
    """
    chain = list(causes(error))
    if refused := next((e for e in chain if isinstance(e, Refused)), None):
        return of_refusal(refused, endpoint)
    if known := next((e for e in chain if isinstance(e, ExchangeFailed)), None):
        return known.failure
    if has_answered:
        return _of_cut_stream(chain, endpoint)
    return _of_no_connection(chain, endpoint) or _of_no_answer(chain, endpoint)


def _of_cut_stream(chain: list[BaseException], endpoint: Endpoint) -> Failure | None:
    import httpx2

    if not any(isinstance(e, httpx2.HTTPError | OSError | EOFError) for e in chain):
        return None
    if any(isinstance(e, httpx2.TimeoutException) for e in chain):
        return failure(
            endpoint, ErrorClass.TIMEOUT_TOTAL, "The stream stopped: nothing more arrived in time."
        )
    if any("larger than" in str(e) for e in chain if isinstance(e, httpx2.RemoteProtocolError)):
        return failure(endpoint, ErrorClass.MALFORMED, "The answer is larger than 32 MiB.")
    sentence = "The connection broke in the middle of the answer."
    return failure(endpoint, ErrorClass.TRUNCATED, sentence)


def _of_no_connection(chain: list[BaseException], endpoint: Endpoint) -> Failure | None:
    import httpx2

    host = endpoint.host
    if proxy_error := next((e for e in chain if isinstance(e, httpx2.ProxyError)), None):
        return failure(endpoint, ErrorClass.CONNECT, str(proxy_error))
    for error in chain:
        match error:
            case socket.gaierror():
                sentence = f"The name {host} could not be resolved to an address."
                return failure(endpoint, ErrorClass.DNS, sentence)
            case ssl.SSLCertVerificationError():
                reason = error.verify_message.rstrip(".")
                sentence = f"The certificate of {host} was not accepted: {reason}."
                return failure(endpoint, ErrorClass.TLS, sentence)
            case ssl.SSLError():
                sentence = f"No encrypted connection to {host}: the TLS handshake failed."
                return failure(endpoint, ErrorClass.TLS, sentence)
            case ConnectionRefusedError():
                sentence = f"{host} refused the connection: nothing listens there."
                return failure(endpoint, ErrorClass.CONNECT, sentence)
            case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
                return connect_timeout(endpoint)
    if any(isinstance(e, httpx2.ConnectError) for e in chain):
        return failure(endpoint, ErrorClass.CONNECT, f"No connection to {host} could be made.")
    return None


def _of_no_answer(chain: list[BaseException], endpoint: Endpoint) -> Failure | None:
    import httpx2

    for error in chain:
        match error:
            case httpx2.TimeoutException():
                return ttft_timeout(endpoint)
            case httpx2.LocalProtocolError() | httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
                sentence = "The address or a header of this account cannot be sent as HTTP."
                return failure(endpoint, ErrorClass.BAD_REQUEST, sentence)
            case Unsendable():
                return failure(endpoint, ErrorClass.BAD_REQUEST, str(error))
            case httpx2.RemoteProtocolError() if not _CLOSED.search(str(error)):
                sentence = f"{endpoint.host} does not speak HTTP."
                return failure(endpoint, ErrorClass.MALFORMED, sentence)
    if any(isinstance(e, httpx2.HTTPError | OSError | EOFError) for e in chain):
        sentence = f"{endpoint.host} closed the connection before it answered."
        return failure(endpoint, ErrorClass.CONNECT, sentence)
    return None


def connect_timeout(endpoint: Endpoint) -> Failure:
    sentence = f"No connection to {endpoint.host} within {endpoint.connect_timeout_s:g} s."
    return failure(endpoint, ErrorClass.TIMEOUT_CONNECT, sentence)


def ttft_timeout(endpoint: Endpoint) -> Failure:
    sentence = f"No token within {endpoint.ttft_timeout_s:g} s of asking."
    return failure(endpoint, ErrorClass.TIMEOUT_TTFT, sentence)


def total_timeout(endpoint: Endpoint) -> Failure:
    sentence = f"The answer was not finished within {endpoint.total_timeout_s:g} s."
    return failure(endpoint, ErrorClass.TIMEOUT_TOTAL, sentence)
