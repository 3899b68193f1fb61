#!/usr/bin/env python3
"""embed.py FILE...: prints C with the bytes of each, and the table of them that page.h declares."""
import os
import sys

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}

print('#include "page.h"')
table = []
for number, path in enumerate(sys.argv[1:]):
    name = os.path.basename(path)
    with open(path, "rb") as file:
        data = file.read()
    print(f"static const unsigned char file_{number}[] = {{ /* {name} */")
    for at in range(0, len(data) + 1, 20):  # one 0 more, so that none is empty
        print(" ".join(f"{byte}," for byte in (data + b"\0")[at : at + 20]))
    print("};")
    table.append(f'    {{"{name}", "{TYPES[name.rpartition(".")[2]]}", file_{number}, {len(data)}}},')
print("const struct page_file page_embedded[] = {", *table, "    {0},", "};", sep="\n")
