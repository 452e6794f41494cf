// The one door to the REST API.

export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} detail a sentence for people
   * @param {Record<string, string[]>} errors sentences by field
   */
  constructor(status, detail, errors = {}) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

const UNSAFE = new Set(["POST", "PATCH", "DELETE"]);
const NO_ANSWER = "The server does not answer. Is it still running?";

/** The token that Django asks of a signed-in browser; absent where the API is open. */
function csrfToken() {
  const pair = document.cookie.split("; ").find((one) => one.startsWith("arguslm_csrf="));
  return pair ? decodeURIComponent(pair.slice(pair.indexOf("=") + 1)) : null;
}

/**
 * @param {string} method
 * @param {string} url
 * @param {unknown} [body] sent as JSON
 * @returns {Promise<any>} the answer's JSON, null when it is empty
 * @throws {ApiError}
 */
export async function call(method, url, body) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  const token = csrfToken();
  if (UNSAFE.has(method) && token) headers["X-CSRFToken"] = token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await send(url, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) return response.status === 204 ? null : response.json();
  throw await refusal(response);
}

/** @param {string} url @param {RequestInit} options */
async function send(url, options) {
  try {
    return await fetch(url, { credentials: "same-origin", ...options });
  } catch {
    throw new ApiError(0, NO_ANSWER);
  }
}

/** @param {Response} response */
async function refusal(response) {
  try {
    const told = await response.json();
    return new ApiError(response.status, told.detail, told.errors);
  } catch {
    return new ApiError(response.status, `The server answered with status ${response.status}.`);
  }
}

/**
 * A page of ours or data of one. Null when it has not changed since `etag`.
 * @param {string} url
 * @param {string | null} etag
 */
export async function read(url, etag = null) {
  /** @type {Record<string, string>} */
  const headers = etag ? { "If-None-Match": etag } : {};
  const response = await send(url, { headers, cache: "no-store" });
  if (response.status === 304) return null;
  // The session has ended: the server sends to the sign-in page, so does this page.
  if (response.redirected) location.reload();
  if (!response.ok || response.redirected) {
    throw new ApiError(response.status, NO_ANSWER);
  }
  return response;
}
