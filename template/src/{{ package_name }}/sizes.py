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
    exponent, amount = 0, float(size)
    while amount >= 1024 and exponent < len(UNITS) - 1:
        exponent += 1
        amount = round(size / 1024**exponent, 1)
    return f"{amount:.1f}".removesuffix(".0") + f" {UNITS[exponent]}"
