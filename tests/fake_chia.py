"""A Chia that answers: its private authority, its RPC and its daemon over real TLS on loopback."""

import asyncio
import datetime as dt
import json
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from aiohttp import WSMsgType, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SERVICES = ("daemon", "farmer", "harvester", "full_node", "wallet")


class Authority:
    """Chia's private authority: makes a certificate for each service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Chia CA")])
        self.certificate = self._signed(self.name, self.key, is_authority=True)
        self._write("ca", "private_ca", self.certificate, self.key)
        for service in SERVICES:
            self.renew(service)

    def renew(self, service: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Chia")])
        self._write(service, f"private_{service}", self._signed(name, key, is_authority=False), key)

    def _signed(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=10))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        return builder.sign(self.key, hashes.SHA256())

    def _write(self, folder: str, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        place = self.folder / "config" / "ssl" / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (place / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )


class FakeChia:
    """Chia's services as far as they are asked, on ports of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.authority = Authority(root)
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.is_hanging = False
        self.ports: dict[str, int] = {}
        self.plot_folders: list[str] = []
        self._runners: dict[str, web.AppRunner] = {}

    def answer_as_recorded(self, recorded: dict[str, Any], services: tuple[str, ...] = ("farmer", "harvester")) -> None:
        for name, answer in recorded.items():
            service, call = name.split(".")
            if service in services:
                self.answers[service, call] = answer

    async def start(self, *services: str) -> None:
        for service in services or SERVICES:
            await self.start_one(service)
        self.write_config()

    async def start_one(self, service: str) -> None:
        ssl_folder = self.root / "config" / "ssl"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            ssl_folder / service / f"private_{service}.crt", ssl_folder / service / f"private_{service}.key"
        )
        context.load_verify_locations(ssl_folder / "ca" / "private_ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        app = web.Application()
        if service == "daemon":
            app.router.add_get("/", self._daemon)
        else:
            app.router.add_post("/{call}", partial(self._rpc, service))
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.ports.get(service, 0), ssl_context=context)
        await site.start()
        self._runners[service] = runner
        self.ports[service] = runner.addresses[0][1]

    async def stop_one(self, service: str) -> None:
        await self._runners.pop(service).cleanup()

    async def stop(self) -> None:
        for service in list(self._runners):
            await self.stop_one(service)

    def write_config(self) -> None:
        config: dict[str, Any] = {"self_hostname": "127.0.0.1", "selected_network": "testnet0"}
        # A port that nothing listens on, for services that were not started.
        config["daemon_port"] = self.ports.get("daemon", 1)
        for service in SERVICES[1:]:
            config[service] = {"rpc_port": self.ports.get(service, 1)}
        config["harvester"]["plot_directories"] = self.plot_folders
        (self.root / "config" / "config.yaml").write_text(yaml.safe_dump(config))

    def renew_authority(self) -> None:
        """A new authority, and new certificates of it for all services."""
        self.authority = Authority(self.root)

    async def push(self, registered_as: str, message: object) -> None:
        await self.sockets[registered_as].send_str(json.dumps(message))

    async def _rpc(self, service: str, request: web.Request) -> web.StreamResponse:
        call = request.match_info["call"]
        self.asked.append((service, call))
        if self.is_hanging:
            await asyncio.sleep(30)
        answer = self.answers.get((service, call))
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        return web.json_response(answer if answer is not None else {"success": False, "error": f"no {call} here"})

    async def _daemon(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                told = json.loads(message.data)
                name = told["data"]["service"]
                self.sockets[name] = socket
                answer = {"command": "register_service", "ack": True, "origin": "daemon", "data": {"success": True}}
                await socket.send_str(json.dumps(answer))
        return socket
