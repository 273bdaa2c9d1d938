"""What a container's root may try on its network. Run inside, so it needs nothing but Python.

`rogue.py send NEIGHBOUR GATEWAY` sends a frame of each kind; `rogue.py hear SECONDS` names those
that arrive.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import sys
import time

NIC = "eth0"
OTHER_MAC = bytes.fromhex("02000000beef")
EVERYBODY = b"\xff" * 6
MARK = b"labstamp-rogue:"
_IPV4, _ARP, _IPV6 = b"\x08\x00", b"\x08\x06", b"\x86\xdd"
_MAC_OF, _ADDRESS_OF = 0x8927, 0x8915


def own(request: int) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return fcntl.ioctl(any_socket.fileno(), request, struct.pack("256s", NIC.encode()))


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return int(~(total + (total >> 16)) & 0xFFFF)


def datagram(source: bytes, ports: tuple[int, int], text: str) -> bytes:
    payload = MARK + text.encode() + b"\n"
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + source + b"\xff" * 4
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp


def advertisement(mac: bytes) -> bytes:
    """Of a router at MAC, to all nodes."""
    host = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    source = bytes.fromhex("fe80000000000000") + host
    to = bytes.fromhex("ff020000000000000000000000000001")
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"\x01\x01" + mac
    total = checksum(source + to + struct.pack("!I", len(body)) + b"\0\0\0\x3a" + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    return struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + source + to + body


def send(neighbour: str, gateway: str) -> None:
    mac, address = own(_MAC_OF)[18:24], own(_ADDRESS_OF)[20:24]
    near, router = socket.inet_aton(neighbour), socket.inet_aton(gateway)
    plain = (40000, 40000)
    claims = [
        struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + mac + whose + EVERYBODY + near
        for whose in (near, router)
    ]
    frames = [
        EVERYBODY + mac + _IPV4 + datagram(address, plain, "own address"),
        EVERYBODY + OTHER_MAC + _IPV4 + datagram(address, plain, "other MAC"),
        EVERYBODY + mac + _IPV4 + datagram(near, plain, "neighbour's address"),
        EVERYBODY + mac + _IPV4 + datagram(router, plain, "gateway's address"),
        *(EVERYBODY + mac + _ARP + claim for claim in claims),
        bytes.fromhex("333300000001") + mac + _IPV6 + advertisement(mac),
        EVERYBODY + mac + _IPV4 + datagram(address, (67, 68), "DHCP"),
    ]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((NIC, 0))
        for frame in frames * 3:
            wire.send(frame)


def kind(frame: bytes) -> str | None:
    if MARK in frame:
        return frame.split(MARK)[1].split(b"\n")[0].decode()
    if frame[12:14] == _IPV6 and frame[54:55] == b"\x86":
        return "router"
    # A claim is an answer that nobody asked for: to everybody.
    if frame[12:14] == _ARP and frame[20:22] == b"\0\2" and frame[:6] == EVERYBODY:
        return "claim"
    return None


def hear(seconds: float) -> None:
    found: set[str | None] = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([wire], [], [], left)[0]:
                found.add(kind(wire.recv(2048)))
    sys.stdout.write("".join(f"{one}\n" for one in found if one) + "over\n")


if __name__ == "__main__":
    if sys.argv[1] == "hear":
        hear(float(sys.argv[2]))
    else:
        send(*sys.argv[2:])
