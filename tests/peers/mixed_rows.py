"""What the rows of the mixed table must be: the same formula as `mixed_rows_select` in support/peers.rs.

Row `i` has NULL in column k (1 to 7) when i % 11 == k, and always in the last one.
"""

import datetime
import decimal
import json

NULL_PERIOD = 11


def expected_row(i):
    year, month, day = 2000 + i % 100, i % 12 + 1, i % 28 + 1
    row = [
        i,
        i * 1000003 - 50000000000,
        i / 8,
        decimal.Decimal(i) / 8,
        f"řádek {i} 行 🐎 it's",
        i % 2 == 0,
        datetime.date(year, month, day),
        datetime.datetime(year, month, day, i % 24, i % 60, 59 - i % 60, i * 10 % 1000000),
        None,
    ]
    column = i % NULL_PERIOD
    if 1 <= column <= 7:
        row[column] = None
    return row


def text(value):
    """Drivers may hand a date or a timestamp over as text, with or without trailing zeros of a fraction."""
    plain = value.isoformat(" ") if isinstance(value, datetime.datetime) else str(value)
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def same(want, got):
    if want is None or got is None:
        return want is None and got is None
    if isinstance(want, (datetime.date, datetime.datetime)):
        return text(want) == text(got)
    # 1 == 1.0 == True in Python: the type must be the one that was written as well.
    return type(want) is type(got) and want == got


def check(rows, columns, count):
    """Compares rows (ordered by the first column) and prints a summary; returns the exit status."""
    difference = None
    if len(rows) != count:
        difference = {"rows": len(rows), "expected": count}
    for i, row in enumerate(rows):
        want = expected_row(i)
        if len(want) != len(row) or not all(map(same, want, row)):
            difference = {"row": i, "expected": list(map(repr, want)), "got": list(map(repr, row))}
            break
    print(json.dumps({"rows": len(rows), "columns": columns, "difference": difference}, ensure_ascii=False))
    return 0 if difference is None else 1
