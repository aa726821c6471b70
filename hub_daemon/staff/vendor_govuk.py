"""Beside the flow: copies GOV.UK Frontend's compiled files from its npm package into static/govuk/.

    npm pack govuk-frontend@6.6.0
    python -m hub_daemon.staff.vendor_govuk govuk-frontend-6.6.0.tgz

Perch is not on a gov.uk domain, so what only such services may use is left out: the GDS Transport font (Arial instead),
the crown and the crest, every image. Nothing is fetched at run time.
"""

import re
import sys
import tarfile
from pathlib import Path

STATIC = Path(__file__).parent / "static" / "govuk"
PREFIX = "package/dist/govuk/"

LICENSE = """The MIT License (MIT)

Copyright (C) 2017 Crown Copyright (Government Digital Service)

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies
of the Software, and to permit persons to whom the Software is furnished to do
so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def strip(css: str) -> str:
    """The style sheet without fonts, images and source map."""
    css = re.sub(r"@font-face\{[^}]*\}", "", css)
    css = css.replace("GDS Transport,arial,sans-serif", "Arial,Helvetica,sans-serif")
    css = re.sub(r"url\(/assets/[^)]*\)", "none", css)
    css = re.sub(r"/\*# sourceMappingURL=[^*]*\*/", "", css)
    if "GDS Transport" in css or "/assets/" in css:
        raise SystemExit("vendor_govuk: this version of the style sheet still names fonts or images; look at strip()")
    return css


def main(argv: list[str]) -> int:
    if len(argv) != 1:
        raise SystemExit("vendor_govuk: give the tarball that `npm pack govuk-frontend` wrote")
    STATIC.mkdir(parents=True, exist_ok=True)
    with tarfile.open(argv[0]) as tar:
        def read(name: str) -> str:
            member = tar.extractfile(name)
            assert member is not None
            return member.read().decode("utf-8")

        css = strip(read(PREFIX + "govuk-frontend.min.css"))
        script = re.sub(r"//# sourceMappingURL=\S*", "", read(PREFIX + "govuk-frontend.min.js"))
    (STATIC / "govuk-frontend.min.css").write_text(css.strip() + "\n", encoding="utf-8")
    (STATIC / "govuk-frontend.min.js").write_text(script.strip() + "\n", encoding="utf-8")
    (STATIC / "LICENSE.txt").write_text(LICENSE, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
