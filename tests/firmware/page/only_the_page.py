"""Runs under MicroPython beside a built device: the device without a wire; prints the heap when it is lower.

    micropython -X heapsize=256k only_the_page.py DATA PORT
"""

import asyncio
import gc
import sys
import time

from firmware.device import Device
from firmware.dock import Dock
from firmware.page.app import make_app
from firmware.ports.posix import PosixStorage
from protocol import crypto


async def watch():
    lowest = 1 << 30
    while True:
        free = gc.mem_free()
        gc.collect()
        after = gc.mem_free()
        if after < lowest:
            lowest = after
            print("heap free", free, "after collecting", after, "of", after + gc.mem_alloc())
        await asyncio.sleep(0.1)


async def main():
    device = Device(PosixStorage(sys.argv[-2]), crypto.default().random, lambda: int(time.time()))
    dock = Dock(device, device.random)
    gc.collect()
    print("device and dock alone", gc.mem_alloc())
    app = make_app(device)
    gc.collect()
    print("with its page", gc.mem_alloc())
    asyncio.create_task(watch())
    dock.tick(0)
    await app.start_server("127.0.0.1", int(sys.argv[-1]))


gc.threshold(24 * 1024)
asyncio.run(main())
