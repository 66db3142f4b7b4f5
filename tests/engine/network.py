"""The road from a workflow to the servers that stand in for GitHub's: a proxy on loopback, and a certificate of our own.

Programs ask the proxy for api.github.com as they would ask for anything else; it leads them to the stand-in. All other
hosts, which means package registries, are reached as they are.
"""

from __future__ import annotations

import os
import select
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import trustme
from werkzeug.serving import ThreadedWSGIServer

LOOPBACK = "127.0.0.1"
# Each program has a variable of its own for the certificates that it trusts.
BUNDLE_VARIABLES = (
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)


@contextmanager
def serving(applications: Mapping[str, Any], folder: Path) -> Iterator[dict[str, str]]:
    """Serve WSGI applications in the place of some hosts, as long as the context lasts.

    Args:
        applications: What answers for which host.
        folder: Where the certificates are written.

    Returns:
        The variables that lead programs there.
    """

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        host = environ["HTTP_HOST"].partition(":")[0]
        found: Iterable[bytes] = applications[host](environ, start_response)
        return found

    authority = trustme.CA()
    certificate = authority.issue_cert(*applications)
    with certificate.private_key_and_cert_chain_pem.tempfile() as pem:
        server = ThreadedWSGIServer(LOOPBACK, 0, answer, ssl_context=(pem, pem))
    proxy = Proxy(dict.fromkeys(applications, server.server_port))
    bundle = folder / "authorities.pem"
    known = Path(os.environ.get("SSL_CERT_FILE") or certifi.where())
    bundle.write_bytes(known.read_bytes() + authority.cert_pem.bytes())
    address = f"http://{LOOPBACK}:{proxy.server_address[1]}"
    with running(server), running(proxy):
        yield {
            "HTTPS_PROXY": address,
            "https_proxy": address,
            **dict.fromkeys(BUNDLE_VARIABLES, str(bundle)),
        }


@contextmanager
def listening(application: Any) -> Iterator[str]:
    """Serve a WSGI application to programs that ask no proxy, as long as the context lasts; gives its address."""
    server = ThreadedWSGIServer(LOOPBACK, 0, application)
    with running(server):
        yield f"http://{LOOPBACK}:{server.server_port}"


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    """Have a server answer as long as the context lasts."""
    answering = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    answering.start()
    try:
        yield
    finally:
        server.shutdown()
        answering.join()
        server.server_close()


class Proxy(socketserver.ThreadingTCPServer):
    """Takes CONNECT, and joins the two ends."""

    daemon_threads = True
    # Programs that were ended may leave connections behind; nobody waits for them.
    block_on_close = False

    def __init__(self, ports: dict[str, int]) -> None:
        """Take the loopback port of each host that is served here."""
        super().__init__((LOOPBACK, 0), Tunnel)
        self.ports = ports


class Tunnel(socketserver.StreamRequestHandler):
    """One client of the proxy."""

    server: Proxy

    def handle(self) -> None:
        """Connect to where the client wants to go, and hand over both ways until one side has no more to say."""
        request = self.rfile.readline().decode("latin-1").split(" ")
        while self.rfile.readline().strip():
            pass
        if request[0] != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
            return
        host, _, port = request[1].rpartition(":")
        here = self.server.ports.get(host)
        try:
            address = (LOOPBACK, here) if here else (host, int(port))
            with socket.create_connection(address, timeout=60) as other:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                hand_over(self.connection, other)
        except OSError:
            # The other side is gone or was never there: so is this one, then.
            return


def hand_over(one: socket.socket, other: socket.socket) -> None:
    """Hand over what either side sends until one closes."""
    opposite = {one: other, other: one}
    while True:
        ready, _, _ = select.select([one, other], [], [])
        for side in ready:
            data = side.recv(65536)
            if not data:
                return
            opposite[side].sendall(data)
