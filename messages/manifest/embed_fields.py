"""Turns fields.tsv into a constexpr table: embed_fields.py fields.tsv fields_table.inc"""
import sys

with open(sys.argv[1], encoding="utf-8") as table, open(sys.argv[2], "w", encoding="utf-8") as out:
    for line in table:
        if line.startswith("#"):
            continue
        cells = line.rstrip("\n").split("\t")
        if len(cells) != 8 or not all(cells):
            sys.exit(f"{sys.argv[1]}: not eight columns: {line}")
        if cells[7] not in ("honoured", "later", "-"):
            sys.exit(f"{sys.argv[1]}: neither honoured nor later: {line}")
        strings = ", ".join('"%s"' % ("" if c == "-" else c) for c in cells[:3] + cells[4:7])
        flags = ", ".join(str(x).lower() for x in (cells[3] == "required", cells[7] == "honoured"))
        out.write("row{%s, %s},\n" % (strings, flags))
