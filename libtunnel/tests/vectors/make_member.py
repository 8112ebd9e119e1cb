#!/usr/bin/env python3
"""Writes member.txt: a certificate, cards and an invite as docs/PROTOCOL.md section 3 describes them,
made without any code of libtunnel: hashlib for BLAKE2s, the cryptography package for Ed25519.

    ./make_member.py > member.txt
"""
import base64
import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NETWORK_SEED = bytes([1]) * 32
INVITE_SEED = bytes([2]) * 32
IDENTITY_SEED = bytes([3]) * 32
WIREGUARD_PUBLIC = bytes([4]) * 32
COORDINATOR_PUBLIC = bytes([5]) * 32
INVITE_ID = bytes(range(0x60, 0x70))
NOT_AFTER = 1800000000
JOINED_AT = 1790000000
HOST = b"coordinator.example.net"
PORT = 7717


def blake2s(size, data):
    return hashlib.blake2s(data, digest_size=size).digest()


def public(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed, data):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


def named(text):
    return bytes([len(text)]) + text


network = public(NETWORK_SEED)
identity = public(IDENTITY_SEED)
network_id = blake2s(16, b"tund network v1" + network)
node_id = blake2s(8, b"tund node v1" + identity)
prefix6 = b"\xfd" + network_id[:5] + b"\0\0"

fields = (bytes([1, 1]) + network + INVITE_ID + public(INVITE_SEED) + struct.pack(">Q", NOT_AFTER)
          + bytes([10, 77, 0, 1, 24]) + prefix6 + struct.pack(">Q", 1) + named(b"laptop")
          + named(b"home"))
certificate = fields + sign(NETWORK_SEED, b"tund invite v1" + fields)

joined = struct.pack(">Q", JOINED_AT)
membership = sign(INVITE_SEED, b"tund member v1" + network_id + INVITE_ID + identity + joined)


def card(epoch, key):
    said = struct.pack(">Q", epoch) + key
    signature = sign(IDENTITY_SEED, b"tund key v1" + network_id + identity + said)
    return certificate + identity + joined + membership + said + signature


invite = (COORDINATOR_PUBLIC + struct.pack(">H", PORT) + named(HOST) + certificate + INVITE_SEED)
invite += blake2s(32, invite)[:4]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


print("network_public", network.hex())
print("network_id", network_id.hex())
print("node_id", node_id.hex())
print("prefix6", prefix6.hex())
print("certificate", certificate.hex())
print("card", card(1, WIREGUARD_PUBLIC).hex())
print("card_left", card(2**64 - 1, bytes(32)).hex())
print("invite", "tund-invite-1." + base64url(invite))
print("url", "tund://%s:%d/%s" % (HOST.decode(), PORT, base64url(COORDINATOR_PUBLIC)))
