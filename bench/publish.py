"""publish.py RESULTS PAGE: puts tables between the marks of a Markdown page.

    <!-- results: submit roundtrip -->     the groups of these cases, as bench/run names them; "growth" has the exponents
    <!-- end of results -->

"figures" are those to reach, "about" is where and with what it was measured, "not_run" what was left out and why.
"""
import json
import pathlib
import re
import sys

import cases
import figures
import table

MARKS = re.compile(r"(<!-- results: ([a-z_ ]+) -->\n).*?(<!-- end of results -->)", re.DOTALL)


def part(results, name):
    if name == "about":
        return [table.about(results) + "."]
    if name == "not_run":
        return ["- " + line for line in table.missing(results)] or ["Everything was run."]
    if name == "figures":
        return table.grid([figures.HEAD] + figures.lines(results))
    if name == "growth":
        return table.grid([table.GROWTH_HEAD] + table.exponents(results))
    if name not in cases.CASES:
        sys.exit(f"a mark names {name}, which is no case")
    lines = []
    for title, rows in table.blocks({"rows": [row for row in results["rows"] if row["of"] == name]}):
        lines += ["**" + title[:1].upper() + title[1:] + "**", ""] + table.grid([table.HEAD] + rows) + [""]
    return lines[:-1] or [f"{name} was not run."]


def main():
    results, page = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    if not page.exists():
        sys.exit(f"there is no {page}: write it, with the marks that bench/publish.py tells of")

    def fill(match):
        lines = []
        for name in match.group(2).split():
            lines += part(results, name) + [""]
        return match.group(1) + "\n" + "\n".join(lines) + "\n" + match.group(3)

    text, count = MARKS.subn(fill, page.read_text())
    if count == 0:
        sys.exit(f"{page} has no marks")
    page.write_text(text)


if __name__ == "__main__":
    main()
