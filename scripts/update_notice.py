"""Bring hashes and sizes of bundled assets in the manifest and in NOTICE up to date with the files.

Run it after an asset was built anew. A file that the manifest does not know yet needs its licence and origin:
python scripts/update_notice.py --add demo_motion.json --what "..." --licence Apache-2.0 --origin "..."
"""

import argparse
import re
from pathlib import Path

from mien.core.assets import BUNDLED_DIR, AssetEntry, read_manifest, record_asset
from mien.core.atomic import atomic_path

NOTICE = Path(__file__).parent.parent / "NOTICE"
INDENT = 14


def main() -> None:
    """Read the options, rewrite both files, say what changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--add", metavar="NAME", help="a file in the folder of assets that is new")
    for name in ("what", "licence", "origin"):
        parser.add_argument(f"--{name}", help=f"the new file's {name}")
    options = parser.parse_args()
    if options.add:
        if not (options.what and options.licence and options.origin):
            parser.error("--add needs --what, --licence and --origin.")
        record_asset(options.add, licence=options.licence, origin=options.origin)
    before = read_manifest()
    unknown = {p.name for p in BUNDLED_DIR.iterdir()} - set(before) - {"manifest.json"}
    if unknown:
        parser.error(
            f"{', '.join(sorted(unknown))} is not in the manifest; name it with --add, or delete it."
        )
    text = NOTICE.read_text(encoding="utf-8")
    for name, old in before.items():
        entry = record_asset(name, licence=old.licence, origin=old.origin)
        text = with_hash(text, name, entry, what=options.what if name == options.add else None)
        print(f"{name}: {entry.sha256[:12]}, {entry.bytes} bytes{' (changed)' if entry != old else ''}")
    with atomic_path(NOTICE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def with_hash(text: str, name: str, entry: AssetEntry, *, what: str | None = None) -> str:
    """NOTICE with the hash of an asset; a block for it at the end if it has none."""
    block = re.compile(rf"(^{re.escape(name)}\n(?:    .*\n)*?    SHA-256\s+)[0-9a-f]+$", re.MULTILINE)
    text, count = block.subn(rf"\g<1>{entry.sha256}", text)
    if count:
        return text
    fields = {"What": what or name, "Origin": entry.origin, "Licence": entry.licence, "SHA-256": entry.sha256}
    lines = [f"    {key}".ljust(INDENT) + value for key, value in fields.items()]
    return text.rstrip("\n") + "\n\n" + "\n".join([name, *lines]) + "\n"


if __name__ == "__main__":
    main()
