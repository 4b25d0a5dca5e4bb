"""A page that needs nothing but itself: a picture and a text."""

from __future__ import annotations

from html import escape

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #222;
       font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.3rem; }}
svg {{ width: 100%; height: auto; }}
pre {{ overflow-x: auto; padding: 1rem; background: #f6f6f4; border-radius: 6px;
      font: 12px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }}
</style>
</head>
<body>
<h1>{title}</h1>
{svg}
<pre>{text}</pre>
</body>
</html>
"""


def page(title: str, svg: str, text: str) -> str:
    """Return a page with a picture (an SVG document) and preformatted text below it."""
    drawing = svg[svg.index("<svg") :]
    return _PAGE.format(title=escape(title), svg=drawing, text=escape(text))
