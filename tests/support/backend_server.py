"""A small web server for balancers to send to, run as a process of its own so that it can be killed.

    python backend_server.py ADDRESS PORT NAME CONTROL BACKLOG

CONTROL is a file; its text says how /health answers: a code, or "hang". Everything else answers 200
with NAME; /slow?SECONDS answers after that time, /broken answers 503.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, control: Path
) -> None:
    """Serve one connection until the client leaves."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            code, body = "200", name
            if target.startswith("/slow?"):
                await asyncio.sleep(float(target.partition("?")[2]))
            elif target == "/health":
                code = control.read_text()
                if code == "hang":
                    await asyncio.sleep(3600)
            elif target == "/broken":
                code = "503"
            elif target == "/headers":
                body = head.decode()
            content = "" if method == "HEAD" else body
            headers = f"X-Instance: {name}\r\nContent-Length: {len(body)}"
            writer.write(f"HTTP/1.1 {code} X\r\n{headers}\r\n\r\n{content}".encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Listen until told to end."""
    address, port, name, control, backlog = sys.argv[1:]
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, name, Path(control)),
        address,
        int(port),
        backlog=int(backlog),
    )
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with server:
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
