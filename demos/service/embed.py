#!/usr/bin/env python3
"""embed.py FILE...: prints C with the bytes of each: `page_NAME` and `page_NAME_size`, NAME with _ for other signs."""
import os
import re
import sys

print("#include <stddef.h>")
for path in sys.argv[1:]:
    name = "page_" + re.sub(r"\W", "_", os.path.basename(path))
    with open(path, "rb") as file:
        data = file.read()
    print(f"extern const unsigned char {name}[];\nextern const size_t {name}_size;")
    print(f"const size_t {name}_size = {len(data)};")
    print(f"const unsigned char {name}[] = {{")
    for at in range(0, len(data) + 1, 20):  # one 0 more, so that none is empty
        print(" ".join(f"{byte}," for byte in (data + b"\0")[at:at + 20]))
    print("};")
