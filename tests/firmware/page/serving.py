"""A real device in a folder of its own, enrolled in a small wing, and its page on a port of this machine."""

import asyncio
import threading

from firmware.device import Device
from firmware.page.app import make_app
from firmware.ports.posix import PosixStorage
from protocol import blob
from protocol.records import envelope
from protocol.records.statement import REJECT, RETURN
from tests.kits.wing import Seeded, Wing

STILL = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e"
    "1d1a1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001f00000105"
    "01010101010100000000000000000102030405060708090a0bffc400b5100002010303020403050504040000017d010203000411051221"
    "31410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a43444546474849"
    "4a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5"
    "b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00fbd0"
    "ffd9"
)


class Cell:
    """`device` is Ann's; Ben's posts reach it as the hub would send them, approved by two moderators."""

    def __init__(self, folder, enrolled=True):
        self.wing = Wing(learners=("ann", "ben", "cai"))
        self.folder = folder
        self.device = Device(PosixStorage(str(folder)), Seeded("ann"), lambda: self.wing.now_s)
        self.lists = []
        if enrolled:
            self.wing.enrol(self.device, "ann")

    def receive(self, text, parent=None, video=None, still=None, media_type="video/webm"):
        """Ben's post, approved, on this device; returns its item id."""
        item = envelope.item_id(text.encode())
        media, manifests = [], []
        for role, data, kind in (("video", video, media_type), ("still", still, "image/jpeg")):
            if data is not None:
                builder = blob.Builder()
                builder.feed(data)
                manifests.append((builder.finish(), data))
                media.append((role, manifests[-1][0].root, len(data), kind))
        statement = self.wing.statement(item, "ben", text, media, parent=parent)
        self._list(statement)
        self.device.receive_bundle(self.wing.bundle(statement, text))
        for manifest, data in manifests:
            self._hold(manifest, data)
        return item

    def _hold(self, manifest, data):
        """The blob as the dock leaves it when all of its chunks came."""
        name = manifest.root.hex()
        storage = self.device.storage
        storage.write("leaves/" + name, manifest.leaves)
        storage.blob_write("part/" + name, 0, data)
        storage.blob_commit("part/" + name, "blob/" + name)

    def _list(self, statement):
        self.lists.append(statement)
        own = [(item, state) for item, state in getattr(self, "own", {}).items()]
        signed = self.wing.delivery_list(self.device.identity.device, self.lists, own)
        self.device.accept_list(signed)

    def states(self, own):
        """What the hub says about Ann's own items: {item: state}."""
        self.own = own
        self.device.accept_list(self.wing.delivery_list(self.device.identity.device, self.lists, list(own.items())))

    def send_back(self, item, reason, words, reject=False):
        """An own post of Ann's comes back."""
        action = REJECT if reject else RETURN
        statement = self.wing.statement(item, "ann", action=action, reason=reason, words=words)
        self.own = {**getattr(self, "own", {}), item: 6 if reject else 5}
        self._list(statement)
        self.device.receive_bundle(self.wing.bundle(statement))


class Served:
    """The page of a device, in a thread; `url` while it is entered."""

    def __init__(self, device):
        self.device = device

    def __enter__(self):
        ready = threading.Event()
        self.loop = asyncio.new_event_loop()

        async def run():
            self.app = make_app(self.device)
            server = await self.app.start_server("127.0.0.1", 0, start_serving=False)
            self.port = server.sockets[0].getsockname()[1]
            await server.start_serving()
            ready.set()
            self.stop = asyncio.Event()
            await self.stop.wait()
            server.close()

        self.thread = threading.Thread(target=lambda: self.loop.run_until_complete(run()), daemon=True)
        self.thread.start()
        assert ready.wait(10)
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(10)
