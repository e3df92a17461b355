# SPDX-License-Identifier: AGPL-3.0-or-later
"""TLS for small sites: what is spoken, what the backend is told, and certificates that change while the edge runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.proxytest.backend import ScriptedBackend, backends
from tests.proxytest.client import RawClient, connect, get
from tests.proxytest.edge import EdgeProcess, edge_process, routing

HALF = "half: {percent: 50, routes: [GET /moved]}"


def make_pair(name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate of that name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    return (
        cert.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def served_by(client: RawClient) -> str:
    """The name in the certificate of a connection."""
    der = client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    (name,) = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


class Site:
    """An edge with a certificate."""

    def __init__(self, edge: EdgeProcess, folder: Path, legacy: ScriptedBackend) -> None:
        self.edge = edge
        self.folder = folder
        self.legacy = legacy

    def write(self, cert: bytes, key: bytes) -> None:
        """Put another pair in place."""
        (self.folder / "key.pem").write_bytes(key)
        (self.folder / "cert.pem").write_bytes(cert)

    async def certificate(self) -> dict[str, object]:
        """What the admin port says of it."""
        said: dict[str, object] = (await self.edge.admin("/config"))["certificate"]
        return said

    async def name(self) -> str:
        """The name that a new connection sees."""
        async with connect(self.edge.port, client_context()) as client:
            return served_by(client)


@contextlib.asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    async with backends("legacy", "python") as (legacy, python):
        file = folder / "routing.yaml"
        file.write_text(routing(legacy.url, python.url, HALF))
        cert, key = make_pair("first")
        (folder / "cert.pem").write_bytes(cert)
        (folder / "key.pem").write_bytes(key)
        async with edge_process(
            file,
            *("--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")),
            *("--access-log", "off", "--drain-seconds", "5"),
        ) as edge:
            yield Site(edge, folder, legacy)


async def test_what_is_spoken_and_what_the_backend_is_told(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        context = client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with connect(here.edge.port, context) as client:
            assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            body = b"x" * 1_000_000
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + body)
            assert (await client.answer()).body == b"legacy"
            assert here.legacy.asked[0].message.body == body
            assert here.legacy.asked[0].header(b"x-forwarded-proto") == [b"https"]
            (cookie,) = (await client.ask(get("/moved"))).values(b"set-cookie")
            assert cookie.endswith(b"; Secure")
            assert (await client.ask(b"nonsense\r\n\r\n")).status == 400
        old = client_context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        async with connect(here.edge.port, old) as client:
            assert (await client.ask(get("/"))).status == 200
        async with connect(here.edge.port) as client:
            with contextlib.suppress(ConnectionError):
                await client.send(get("/"))
                assert await client.reader.read(5) in (b"", b"\x15\x03\x01\x00\x02", b"\x15\x03\x03\x00\x02")


async def test_a_renewed_certificate_serves_new_connections_and_harms_no_other(tmp_path: Path) -> None:
    async with site(tmp_path) as here, connect(here.edge.port, client_context()) as before:
        assert (await before.ask(get("/"))).body == b"legacy"
        here.write(*make_pair("second"))
        async with asyncio.timeout(10):
            while await here.name() != "second":
                await asyncio.sleep(0.05)
        assert (await before.ask(get("/"))).body == b"legacy"
        assert served_by(before) == "first"
        assert (await here.certificate())["rejected"] is None


@pytest.mark.parametrize("wrong", ["mismatch", "garbage", "missing", "passphrase"])
async def test_a_pair_that_is_no_good_changes_nothing_and_is_reported(tmp_path: Path, wrong: str) -> None:
    async with site(tmp_path) as here:
        cert, key = make_pair("second")
        if wrong == "mismatch":
            here.write(cert, make_pair("third")[1])
        elif wrong == "garbage":
            here.write(cert[:200], key)
        elif wrong == "missing":
            (tmp_path / "cert.pem").unlink()
        else:
            loaded = serialization.load_pem_private_key(key, None)
            best = serialization.BestAvailableEncryption(b"secret")
            here.write(
                cert,
                loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, best),
            )
        outcome = await here.edge.admin("/reload", method="POST")
        assert (outcome["ok"], bool(outcome["certificate"])) == (False, True)
        assert (await here.certificate())["rejected"] == outcome["certificate"]
        assert await here.name() == "first"
        # The routing file is read all the same: a kill switch does not wait for a certificate.
        file = tmp_path / "routing.yaml"
        file.write_text(file.read_text() + "kill: true\n")
        assert (await here.edge.admin("/reload", method="POST"))["changed"] is True
        here.write(cert, key)
        here.edge.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while (await here.certificate())["rejected"] is not None or await here.name() != "second":
                await asyncio.sleep(0.05)


async def test_a_worker_that_is_replaced_has_the_certificate_too(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.write(*make_pair("second"))
        await here.edge.admin("/reload", method="POST")
        (worker,) = (await here.edge.admin("/config"))["workers"]
        os.kill(worker["pid"], signal.SIGKILL)
        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    if await here.name() == "second":
                        break
                await asyncio.sleep(0.05)


async def test_a_websocket_and_a_drain_over_tls(tmp_path: Path) -> None:
    async with site(tmp_path) as here:

        async def echo(_asked: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            )
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()

        async with connect(here.edge.port, client_context()) as client, asyncio.timeout(10):
            here.legacy.script = echo
            upgrade = get(
                "/cable",
                *("Connection: Upgrade", "Upgrade: websocket"),
                *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
            )
            assert (await client.ask(upgrade)).status == 101
            big = bytes(range(256)) * 4000
            client.writer.write(big)
            assert await client.reader.readexactly(len(big)) == big
            here.edge.process.terminate()
            assert await client.ended()
        assert await asyncio.wait_for(here.edge.process.wait(), 15) == 0
        assert not any("Traceback" in line for line in here.edge.errors), "".join(here.edge.errors)
