"""What an error, or any text, may show of secrets."""

from __future__ import annotations

import base64
import json
import pickle
import traceback
from typing import Any
from urllib.parse import quote, quote_plus


def forms(secret: str) -> set[str]:
    """Return a secret in every form in which it would be given away."""
    raw = secret.encode()
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        quote(secret, safe="").lower(),
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }


def shown(error: BaseException) -> str:
    """Return everything that logs, consoles, stores and debuggers could show of an error."""
    import structlog
    from airflow.sdk._shared.logging.structlog import structlog_processors

    texts = [str(error), repr(error), repr(error.args), repr(vars(error))]
    texts += traceback.format_exception(error)
    for as_json in (True, False):
        event: Any = {"event": "failed", "level": "error", "timestamp": "now", "exc_info": error}
        shared, renderer, *_ = structlog_processors(json_output=as_json, colors=False)
        renderers = (structlog.processors.ExceptionRenderer, structlog.processors.UnicodeDecoder)
        for processor in [*(each for each in shared if isinstance(each, renderers)), renderer]:
            event = processor(None, "error", event)
        texts.append(event if isinstance(event, str) else event.decode())
    texts.append(repr(pickle.dumps(error)))
    chained = error.__cause__ or error.__context__
    while chained is not None:
        texts += [str(chained), repr(chained), repr(vars(chained))]
        chained = chained.__cause__ or chained.__context__
    return "\n".join(texts)


def assert_hidden(text: str, *secrets: str) -> None:
    """Check that no form of any secret is in a text; never shows it where it is."""
    for number, secret in enumerate(secrets):
        for form in forms(secret):
            place = text.find(form)
            assert place < 0, f"secret {number} shows: ...{text[max(0, place - 60) : place]}<here>"
