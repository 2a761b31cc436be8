"""The one file of a multipart/form-data body (RFC 7578), as a stream: an upload is never held in memory."""

import re
from collections.abc import AsyncIterator

from chassis import errors

_MAX_HEAD = 8 << 10
_PARAMETER = re.compile(r';\s*([a-zA-Z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))')


class NotMultipart(errors.InvalidArgument):
    """The body is not what its Content-Type says, or has no file in it."""

    reason = "MULTIPART_MALFORMED"


async def first_file(
    content: AsyncIterator[bytes], content_type: str
) -> tuple[str, str, AsyncIterator[bytes]]:
    """(name, media type, bytes) of the first part that has a filename; NotMultipart if there is none."""
    boundary = _parameters(content_type).get("boundary", "")
    if not 1 <= len(boundary) <= 70:
        raise NotMultipart("the Content-Type has no boundary")
    reader = _Reader(content, b"\r\n--" + boundary.encode("latin-1"))
    await reader.skip_to_part()
    while True:
        head = await reader.head()
        disposition = _parameters(head.get("content-disposition", ""))
        if "filename" in disposition:
            name = (
                disposition["filename"]
                .encode("latin-1")
                .decode("utf-8", "replace")
                .replace("\\", "/")
            )
            return (
                name.rpartition("/")[2],
                head.get("content-type", "application/octet-stream"),
                reader.part(),
            )
        async for _ in reader.part():
            pass
        if not await reader.another():
            raise NotMultipart("the body has no file; send one part with a filename")


def _parameters(header: str) -> dict[str, str]:
    return {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
        for name, quoted, plain in _PARAMETER.findall(header)
    }


class _Reader:
    """Bytes up to the next delimiter, with no more in memory than a chunk and the delimiter's length."""

    def __init__(self, content: AsyncIterator[bytes], delimiter: bytes) -> None:
        self._content = content
        self._delimiter = delimiter
        # The first delimiter has no line before it; giving it one makes it like the others.
        self._buffer = b"\r\n"

    async def _more(self) -> None:
        try:
            self._buffer += await anext(self._content)
        except StopAsyncIteration:
            raise NotMultipart("the body ends before its last boundary") from None

    async def skip_to_part(self) -> None:
        async for _ in self.part():
            pass
        if not await self.another():
            raise NotMultipart("the body has no parts")

    async def part(self) -> AsyncIterator[bytes]:
        """What comes before the next delimiter, which is consumed."""
        keep = len(self._delimiter) - 1
        while True:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                found, self._buffer = self._buffer[:at], self._buffer[at + len(self._delimiter) :]
                if found:
                    yield found
                return
            if len(self._buffer) > keep:
                found, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
                yield found
            await self._more()

    async def another(self) -> bool:
        """True if a part follows the delimiter just read, False if it was the closing one."""
        while len(self._buffer) < 2:
            await self._more()
        mark, self._buffer = self._buffer[:2], self._buffer[2:]
        if mark not in (b"--", b"\r\n"):
            raise NotMultipart("a boundary is followed by something else than a line's end")
        return mark == b"\r\n"

    async def head(self) -> dict[str, str]:
        """The headers of a part, names in lower case."""
        # A part without headers begins with the empty line at once.
        while b"\r\n\r\n" not in self._buffer and not self._buffer.startswith(b"\r\n"):
            if len(self._buffer) > _MAX_HEAD:
                raise NotMultipart(f"a part's headers are longer than {_MAX_HEAD} bytes")
            await self._more()
        if self._buffer.startswith(b"\r\n"):
            self._buffer = self._buffer[2:]
            return {}
        text, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in text.decode("latin-1").split("\r\n"))
        return {name.strip().lower(): value.strip() for name, _, value in lines}
