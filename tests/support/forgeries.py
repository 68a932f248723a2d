"""What nobody should post to a receiver of the platform's deliveries: made at random, of every kind."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 1024 * 1024  # what the receiver takes at most by default
MOST_LEVELS = 64  # of nesting, of which the asset event's own is none
SIGNATURE = "Elements-Webhook-Signature"

#: What HTTP lets stand in a header's value; with anything else the server answers 400 by itself.
IN_A_HEADER = [chr(code) for code in range(33, 256) if code != 127]


def signature(body: bytes, key: str) -> str:
    """Sign as the platform does (fact F243), with ``hmac`` itself."""
    return "sha256=" + base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def envelope(event_id: str, instance_id: int = 12, element: str = "microsoftgraph", **changes: Any) -> Any:
    """Return a notification of the real shape (facts F247, F248)."""
    message = {
        "elementKey": element,
        "accountId": 1,
        "companyId": 2,
        "userId": 3,
        "eventId": event_id,
        "instanceId": instance_id,
        "instance_id": instance_id,
        "instanceName": "My calendar",
        "instanceTags": ["Docs"],
        "raw": {"value": [{"changeType": "updated", "subject": "Grüße, 日本"}]},
        "events": [
            {
                "date": "2026-11-24T10:00:00Z",
                "elementKey": element,
                "eventType": "UPDATED",
                "hubKey": "calendar",
                "objectId": "2|0",
                "objectType": "events",
            }
        ],
    }
    return {
        "id": "1496771",
        "topic": f"instance-{instance_id}-{element}-events",
        "severity": "medium",
        "action": "create",
        "createdDate": "Mon Aug 20 15:30:07 UTC 2018",
        "user": "notifications@cloud-elements.com",
        "message": {**message, **changes},
    }


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    """Return a notification whose raw body makes it as deep as asked."""
    # The outermost object, message and raw are three. An object's value is the next one.
    inner = opening * (levels - 3) + ("1" if opening.endswith(":") else "") + closing * (levels - 3)
    text = json.dumps(envelope("deep", raw={"value": "HERE"}))
    return text.replace('"HERE"', inner).encode()


def genuine(number: int) -> bytes:
    """Return the body of a notification that nothing is wrong with."""
    return json.dumps(envelope(f"fuzz-{number}"), ensure_ascii=False).encode()


def changed(rng: random.Random, number: int) -> bytes:
    """Return the body of a notification with something changed at random."""
    original = genuine(number)
    body = bytearray(original)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(body))
        match rng.randrange(5):
            case 0:
                body[place] = rng.randrange(256)
            case 1:
                del body[place : place + rng.randint(1, 40)]
            case 2:
                body[place:place] = rng.randbytes(rng.randint(1, 20))
            case 3:
                body[place:place] = rng.choice(
                    [b"null", b"{", b"]", b'"', b"\\u0000", b"\\ud800", b"-", b"1e9", b"\xff\xfe", b"\x00"]
                )
            case 4:
                body += body[place : place + rng.randint(1, 200)]
        if not body:
            body = bytearray(b"?")
    return bytes(body) if bytes(body) != original else bytes(body) + b" "


#: Makes the body number so-and-so, and the value of its signature's header.
Forgery = Callable[[random.Random, int, str], tuple[bytes, str]]


def _forged(rng: random.Random, number: int, key: str) -> tuple[bytes, str]:
    body = rng.choice([genuine, lambda each: changed(rng, each)])(number)
    return body, rng.choice(
        [
            signature(body, rng.randbytes(8).hex()),
            signature(body, ""),
            signature(body, key[:-1]),
            "sha256=" + base64.b64encode(rng.randbytes(32)).decode(),
            "".join(rng.choices(IN_A_HEADER, k=rng.randint(0, 60))),
        ]
    )


def _another_body(rng: random.Random, number: int, key: str) -> tuple[bytes, str]:
    return changed(rng, number), signature(genuine(number), key)


def _cut(rng: random.Random, number: int, key: str) -> tuple[bytes, str]:
    body = genuine(number)
    return body[: rng.randrange(len(body))], signature(body, key)


def _cut_and_signed(rng: random.Random, number: int, key: str) -> tuple[bytes, str]:
    body = genuine(number)
    body = body[: rng.randrange(len(body))]
    return body, signature(body, key)


def _oversized(rng: random.Random, number: int, key: str) -> tuple[bytes, str]:
    rest = MOST_BYTES - len(json.dumps(envelope(f"fuzz-{number}", raw="")))
    body = json.dumps(envelope(f"fuzz-{number}", raw="x" * (rest + rng.randint(1, MOST_BYTES)))).encode()
    return body, rng.choice([signature(body, key), "sha256=", signature(body[:MOST_BYTES], key)])


def _wrongly_encoded(rng: random.Random, number: int, key: str) -> tuple[bytes, str]:
    right = genuine(number)
    text = right.decode()
    letter = right.index("ß".encode())
    body = rng.choice(
        [
            text.encode("latin-1", "replace"),
            text.encode("cp1252", "replace"),
            text.encode("utf-16")[1:],
            gzip.compress(right),
            base64.b64encode(right),
            right[: letter + 1] + right[letter + 2 :],  # half a letter
            right[:letter] + rng.choice([b"\xc0\x80", b"\x80", b"\xff"]) + right[letter:],
        ]
    )
    return body, signature(body, key)


def _deeply_nested(rng: random.Random, number: int, key: str) -> tuple[bytes, str]:
    levels = rng.choice([MOST_LEVELS + 1, rng.randint(MOST_LEVELS + 1, 2_000), rng.randint(2_000, 100_000)])
    body = nested(levels, *rng.choice([("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("[", "")]))
    return body, signature(body, key)


@dataclass(frozen=True)
class Kind:
    """One way to be wrong.

    :param make: makes one of it.
    :param status: what each is answered with.
    :param count: how many there are of it in a run.
    """

    make: Forgery
    status: int
    count: int


#: By name; none of them is ever accepted.
KINDS = {
    "forged": Kind(_forged, 401, 300),
    "another body under a right signature": Kind(_another_body, 401, 200),
    "cut on its way": Kind(_cut, 401, 100),
    "cut, and signed so": Kind(_cut_and_signed, 400, 100),
    "oversized": Kind(_oversized, 413, 20),
    "wrongly encoded": Kind(_wrongly_encoded, 400, 150),
    "deeply nested": Kind(_deeply_nested, 400, 60),
}
