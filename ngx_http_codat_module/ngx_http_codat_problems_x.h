
/*
 * Copyright (C) the authors of the Codat module
 *
 * The catalogue of problems.
 *
 *     X(NAME, "code", status, "title")
 */


X(SIGNATURE_MISMATCH,     "signature_mismatch",          401,
  "The signature does not match")
X(TIMESTAMP,              "timestamp_out_of_tolerance",  401,
  "The timestamp is outside the tolerance")
X(SIGNATURE_MISSING,      "signature_missing",           401,
  "The signature is missing")
X(CREDENTIAL_MISSING,     "credential_missing",          401,
  "The credential is missing")
X(CREDENTIAL_MISMATCH,    "credential_mismatch",         401,
  "The credential does not match")
X(CLIENT_NOT_ALLOWED,     "client_not_allowed",          403,
  "The client is not allowed here")
X(METHOD_NOT_ALLOWED,     "method_not_allowed",          405,
  "The method is not allowed")
X(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",      415,
  "The body is not plain JSON")
X(BODY_TOO_LARGE,         "body_too_large",              413,
  "The body is too large")
X(MALFORMED_JSON,         "malformed_json",              400,
  "The body is not valid JSON")
X(UNRECOGNISED_EVENT,     "unrecognised_event",          400,
  "The body is not an event")
X(IN_PROGRESS,            "in_progress",                 503,
  "The same message is being processed")
X(FORWARD_FAILED,         "forward_failed",              502,
  "The application did not accept the event")
X(FORWARD_TIMEOUT,        "forward_timeout",             504,
  "The application did not answer in time")
X(UNAVAILABLE,            "unavailable",                 503,
  "The event can't be taken at present")

/* of the status API alone */

X(NOT_FOUND,              "not_found",                   404,
  "There is nothing under this path")
X(INVALID_QUERY,          "invalid_query",               400,
  "The arguments are not valid")
X(INVALID_CURSOR,         "invalid_cursor",              400,
  "The list can't go on from there")
X(INVALID_BODY,           "invalid_body",                400,
  "The body says what it can't")
X(NO_FORWARD,             "no_forward",                  409,
  "The event has nowhere to go")
X(STATUS_UNAVAILABLE,     "unavailable",                 503,
  "The request can't be served at present")

/* of calls to Codat's API */

X(INVALID_REFERENCE,      "invalid_reference",           400,
  "The reference can't be remembered")
X(INVALID_AFTER,          "invalid_after",               400,
  "X-Codat-After is not a list of push operation keys")
X(DEPENDENCY_FAILED,      "dependency_failed",           424,
  "A push that this request depends on has failed")
X(DEPENDENCY_TIMEOUT,     "dependency_timeout",          504,
  "A push that this request depends on is still pending")
X(RATE_LIMITED,           "rate_limited",                429,
  "The quota of Codat's API is used up")
