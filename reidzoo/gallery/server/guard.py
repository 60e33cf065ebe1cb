"""Refuses requests that are too long, or that another site's page sent, and tells browsers what the page may load."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Guard"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """An ASGI application around another one.

    Args:
        app: the other one.
        hosts: names by which the server may be called; a name that a stranger's DNS points here is refused. None for
            any name.
        most: bytes of a request's body.
    """

    def __init__(self, app: Any, hosts: Collection[str] | None, most: int) -> None:
        self.app, self.hosts, self.most = app, hosts, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, problem = self._problem(headers)
        if status:
            await _refuse(send, status, problem)
            return
        body = _CountedBody(receive, self.most)

        async def send_unless_too_long(message: MutableMapping[str, Any]) -> None:
            if body.too_long:  # the application answers that it could not read the body, and not why
                if message["type"] == "http.response.start":
                    await _refuse(send, 413, self._too_long())
                return
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_encoded(HEADERS)]
            await send(message)

        await self.app(scope, body.receive, send_unless_too_long)

    def _problem(self, headers: dict[str, str]) -> tuple[int, str]:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if self.hosts is not None and host not in self.hosts:
            return 400, f"this server is not called {host!r}; start it with --host, or call it {', '.join(self.hosts)}"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return 403, "another site's page may not use this server"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.most:
            return 413, self._too_long()
        return 0, ""

    def _too_long(self) -> str:
        return f"a request may have {self.most:,} bytes; make the picture smaller"


class _CountedBody:
    """Hands a request's body on, and breaks off where it becomes too long."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left = receive, most
        self.too_long = False

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next piece; a broken connection where there were too many bytes."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        self.too_long |= self._left < 0
        return {"type": "http.disconnect"} if self.too_long else message


async def _refuse(send: Send, status: int, problem: str) -> None:
    body = json.dumps({"detail": problem}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close", **HEADERS}
    await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
