"""Sizes in bytes, for people."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def format_size(size: int) -> str:
    """Write a number of bytes in the largest unit that keeps it at 1 or more.

    Args:
        size: Number of bytes, 0 or more.

    Returns:
        The size with its binary unit (IEC 80000-13), for example ``1.5 MiB``.

    Raises:
        ValueError: If ``size`` is negative.
    """
    if size < 0:
        raise ValueError(f"a size cannot be negative: {size}")
    exponent = min(max(size.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    amount = f"{size / 1024**exponent:.1f}".removesuffix(".0")
    return f"{amount} {UNITS[exponent]}"
