"""Where a store is: its URL, parsed once, by SQLAlchemy's rule for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import attrs

from polaris_core.config import URL_SETTINGS, mask_url
from polaris_core.errors import InvalidLocationError

__all__ = ["Location"]

_MAX_URL = 4_096


@attrs.frozen(kw_only=True)
class Location:
    """A parsed store URL: `scheme://user:password@host:port/path?graph=NAME&mode=ro&option=value`.

    `path` is what follows the third slash, so `sqlite:///kg.db` is relative and `sqlite:////srv/kg.db` absolute; None
    where there is none. `options` are the query's other parameters, for the backend to take or to refuse; what are
    settings, such as `durability`, are not among them, since `Settings.for_url` takes those. The text form masks the
    password.
    """

    scheme: str
    path: str | None = None
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    graph: str | None = None
    mode: Literal["rw", "ro"] = "rw"
    options: Mapping[str, str] = attrs.Factory(dict)

    @classmethod
    def parse(cls, url: str) -> Location:
        """Return the location a URL names; raise `InvalidLocationError` where it names none."""
        if not isinstance(url, str) or len(url) > _MAX_URL or "\x00" in url:
            raise InvalidLocationError("a store's URL is a text of at most 4,096 characters")
        try:
            parts = urlsplit(url)
            query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
            port = parts.port
        except ValueError as error:
            raise InvalidLocationError(
                f"not a store's URL: {mask_url(url)!r} ({error})", location=mask_url(url)
            ) from error
        options = dict(query)
        mode = options.pop("mode", "rw")
        if not parts.scheme or parts.fragment or len(options) + ("mode" in dict(query)) != len(query):
            raise InvalidLocationError(
                f"not a store's URL: {mask_url(url)!r}; write one such as sqlite:///kg.db, json:///folder or memory:",
                location=mask_url(url),
            )
        if mode not in ("rw", "ro"):
            raise InvalidLocationError(f"mode is rw or ro, not {mode!r}", location=mask_url(url))
        if parts.netloc == "" and not url.partition(":")[2].startswith("///") and parts.path:
            raise InvalidLocationError(
                f"{mask_url(url)!r} lacks slashes: three before a relative path, four before an absolute one",
                location=mask_url(url),
            )
        path = unquote(parts.path.removeprefix("/"))
        if "\x00" in path:
            raise InvalidLocationError("a path cannot hold U+0000", location=mask_url(url))
        return cls(
            scheme=parts.scheme,
            path=path or None,
            host=parts.hostname,
            port=port,
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            graph=options.pop("graph", None),
            mode=mode,  # type: ignore[arg-type]
            options={name: text for name, text in options.items() if name not in URL_SETTINGS},
        )

    def __str__(self) -> str:
        credentials = "" if self.username is None else f"{quote(self.username)}{':***' if self.password else ''}@"
        host = f"{credentials}{self.host or ''}{f':{self.port}' if self.port else ''}"
        query = {"graph": self.graph, "mode": "ro" if self.mode == "ro" else None, **self.options}
        text = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items() if value is not None)
        where = f"//{host}/{quote(self.path or '')}" if self.path or host else ""
        return f"{self.scheme}:{where}{'?' if text else ''}{text}"
