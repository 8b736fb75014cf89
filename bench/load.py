"""A load generator: wrk where it is installed, else asyncio."""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit


def events_per_second(url: str, body: bytes, connections: int, seconds: float) -> float:
    """How many events are answered with success in a second, over so many kept connections."""
    if shutil.which("wrk"):
        return _wrk(url, body, connections, seconds)
    return asyncio.run(_many(url, body, connections, seconds)) / seconds


def _wrk(url: str, body: bytes, connections: int, seconds: float) -> float:
    script = (
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/cloudevents+json"\n'
        f"wrk.body = [==[{body.decode()}]==]\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        Path(file.name).write_text(script)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", file.name, url]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in report or not (rate := re.search(r"Requests/sec:\s+([\d.]+)", report)):
        raise RuntimeError(f"not all was answered with success:\n{report}")
    return float(rate[1])


async def _many(url: str, body: bytes, connections: int, seconds: float) -> int:
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_one(url, body, until) for _ in range(connections))))


async def _one(url: str, body: bytes, until: float) -> int:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    answered = 0
    while time.monotonic() < until:
        writer.write(request_bytes(body))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError(head.decode("latin-1"))
        if length := re.search(rb"(?i)content-length: *(\d+)", head):
            await reader.readexactly(int(length[1]))
        answered += 1
    writer.close()
    return answered


def request_bytes(body: bytes) -> bytes:
    """One delivery of an event in structured mode."""
    lines = ("POST / HTTP/1.1", "Host: f", "Content-Type: application/cloudevents+json", f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body
