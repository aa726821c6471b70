"""Runs under MicroPython beside a built device: the device without a wire; prints the heap when it is lower.

    micropython -X heapsize=256k only_the_page.py docked|alone DATA PORT

`alone` has no dock, as `--port none`; `docked` has the link's buffers beside the page.
"""

import asyncio
import gc
import sys
import time

from firmware.device import Device
from firmware.dock import Dock
from firmware.ports.posix import PosixStorage
from protocol import crypto


async def watch():
    lowest = 1 << 30
    while True:
        gc.collect()
        free = gc.mem_free()
        if free < lowest:
            lowest = free
            print("heap free", free, "of", free + gc.mem_alloc())
        await asyncio.sleep(0.05)


async def main():
    """In the order of firmware/main.py: the device, its dock with the buffers of the link, then the page."""
    device = Device(PosixStorage(sys.argv[-2]), crypto.default().random, lambda: int(time.time()))
    if sys.argv[-3] == "docked":
        dock = Dock(device, device.random)
        dock.tick(0)
    gc.collect()
    print("without the page", gc.mem_alloc())
    from firmware.page.app import make_app

    app = make_app(device)
    gc.collect()
    print("with the page", gc.mem_alloc())
    asyncio.create_task(watch())
    await app.start_server("127.0.0.1", int(sys.argv[-1]))


if hasattr(gc, "threshold"):
    gc.threshold(6 * 1024)  # as firmware/main.py
asyncio.run(main())
