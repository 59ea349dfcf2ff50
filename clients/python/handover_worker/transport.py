"""The bytes of a link over TCP, plain or with TLS."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import ConnectError, LinkLost, NobodyListens

READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Tls:
    """The files that `handover cert` makes, and the name that the coordinator must have, if any."""

    certificate: str | Path
    key: str | Path
    authority: str | Path
    peer: str | None = None

    @classmethod
    def from_directory(cls, directory: str | Path, peer: str | None = None) -> Tls:
        """The files of `handover cert peer … --out DIRECTORY`."""
        path = Path(directory)
        return cls(path / "peer.pem", path / "peer.key", path / "authority.pem", peer)

    def context(self) -> ssl.SSLContext:
        """TLS 1.3 with certificates of both sides; no name is checked but `peer`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["handover"])
        try:
            context.load_verify_locations(str(self.authority))
            context.load_cert_chain(str(self.certificate), str(self.key))
        except (OSError, ssl.SSLError) as error:
            raise ConnectError(
                f"TLS cannot be used with {self.certificate}, {self.key} and {self.authority}: {error}"
            ) from error
        return context


class Transport:
    """A connection. Nothing waits here once it is made."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext | None, timeout: float) -> None:
        self.socket = sock
        self._out = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._tls_in, self._tls_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        if tls is not None:
            self._tls = tls.wrap_bio(self._tls_in, self._tls_out)
            self._shake_hands(time.monotonic() + timeout)
        sock.setblocking(False)

    def _shake_hands(self, deadline: float) -> None:
        assert self._tls is not None
        try:
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    pass
                finally:
                    self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
                    self.socket.sendall(self._tls_out.read())
                data = self.socket.recv(READ_BYTES)
                if not data:
                    raise ConnectError("TLS: the other side closed the connection; is that port plain TCP?")
                self._tls_in.write(data)
        except (OSError, ssl.SSLError) as error:
            raise ConnectError(f"TLS: {error}") from error
        if self._tls.selected_alpn_protocol() != "handover":
            raise ConnectError("TLS: the other side does not speak the handover protocol")

    def peer_certificate_name(self) -> str | None:
        """The first DNS name of the other side's certificate."""
        certificate = self._tls.getpeercert() if self._tls is not None else None
        names = (certificate or {}).get("subjectAltName", ())
        for entry in names:
            kind, name = entry[0], entry[1]
            if kind == "DNS" and isinstance(name, str) and "*" not in name:
                return name
        return None

    # ---- Out ----

    @property
    def is_writing(self) -> bool:
        """Whether the socket has not taken all of what was put."""
        return bool(self._out)

    def put(self, data: bytes) -> None:
        """Gives bytes to be written. To be called when all earlier ones are."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._tls_out.read()
        self._out += data

    def flush(self) -> None:
        """Writes as much as the socket takes now."""
        try:
            while self._out:
                del self._out[: self.socket.send(self._out)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            # What came before the connection broke is still to be read, and then its end.
            self._out.clear()

    # ---- In ----

    def fetch(self) -> bytes | None:
        """What has come; `None` if nothing has. Raises `LinkLost` at the end of the connection."""
        try:
            data = self.socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise LinkLost(f"the connection broke: {error}") from error
        if not data:
            raise LinkLost("the connection was closed")
        if self._tls is None:
            return data
        self._tls_in.write(data)
        plain = bytearray()
        try:
            while part := self._tls.read(READ_BYTES):
                plain += part
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            if not plain:
                raise LinkLost("the connection was closed") from None
        except ssl.SSLError as error:
            if not plain:
                raise LinkLost(f"TLS: {error}") from error
        self._out += self._tls_out.read()
        return bytes(plain) or None

    def let_it_be_heard(self, seconds: float) -> None:
        """Lets the other side read the last word: a socket that is closed with bytes unread takes it back."""
        deadline = time.monotonic() + seconds
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(READ_BYTES):
                    break
        except OSError:
            pass

    def close(self) -> None:
        """Ends the connection, with TLS's own last word."""
        if self._tls is not None:
            try:
                self._tls.unwrap()
            except (ssl.SSLError, ValueError):
                pass
            self._out += self._tls_out.read()
        self.flush()
        self.socket.close()


def connect(address: str, tls: Tls | None, insecure_plain_tcp: bool, timeout: float) -> Transport:
    """Connects to `HOST:PORT`."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise ConnectError(f"{address!r} is no address: write HOST:PORT, such as 127.0.0.1:7000")
    context = tls.context() if tls is not None else None
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConnectError(f"{address!r} is no address: {error}") from error
    reason: Exception = ConnectError("it means no address")
    for family, kind, protocol, _, place in found:
        if tls is None and not insecure_plain_tcp and not _is_loopback(str(place[0])):
            raise ConnectError(
                f"{place[0]} is not on this machine, and the link is not encrypted: use TLS, or, if you trust "
                "that network, insecure_plain_tcp"
            )
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout)
            sock.connect(place)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = Transport(sock, context, timeout)
            name = transport.peer_certificate_name()
            if tls is not None and tls.peer is not None and name != tls.peer:
                raise ConnectError(f"the certificate there is that of {name!r}, and {tls.peer!r} was expected")
            return transport
        except (OSError, ConnectError) as error:
            sock.close()
            reason = error
    if isinstance(reason, ConnectionRefusedError):
        raise NobodyListens(f"cannot join {address}: {reason}") from reason
    raise ConnectError(f"cannot join {address}: {reason}") from reason


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback
