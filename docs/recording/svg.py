"""Draws a recording as an animated SVG: plays once, then stays at its last state.

Without support for animation, or if the reader prefers reduced motion, only the last state is shown. Light and dark follow
the reader's setting. No fonts, scripts or other files are loaded.
"""

from xml.sax.saxutils import escape

CELL_WIDTH, CELL_HEIGHT, MARGIN, TITLE_HEIGHT = 8.4, 19, 16, 30

# `pyte`'s name of a color: (in light mode, in dark mode).
COLORS = {
    "red": ("#c0262d", "#ff7b72"),
    "green": ("#1a7f37", "#3fb950"),
    "brown": ("#8a5a00", "#e3b341"),  # `pyte`'s name for yellow
    "blue": ("#0b5cc7", "#79c0ff"),
    "magenta": ("#8250df", "#d2a8ff"),
    "cyan": ("#0a6f7a", "#56d4dd"),
    "brightblack": ("#6a737d", "#8b949e"),
}

# Colors are written out in both modes, because some renderers know neither variables nor media queries.
STYLE = """
.window{{fill:#fbfbfb;stroke:#d0d7de}}
.button{{fill:#ccd2d9}}
text{{fill:#24292f;font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}}
.title{{fill:#6a737d;text-anchor:middle}}
.b{{font-weight:700}}
{light}
.old{{visibility:hidden}}
@media (prefers-color-scheme:dark){{
.window{{fill:#12161c;stroke:#30363d}}
.button{{fill:#3d444d}}
text{{fill:#d7dee6}}
.title{{fill:#8b949e}}
{dark}
}}
@media (prefers-reduced-motion:no-preference){{
.now{{animation:show .01s linear both}}
.old{{animation:show 1s linear}}
}}
@keyframes show{{from{{visibility:hidden}}1%,to{{visibility:visible}}}}
"""


def draw(versions, title, columns):
    """Returns the SVG of `versions`, which `terminal.Recorder` made."""
    rows = max((row for row, history in enumerate(versions) if history and history[-1][1]), default=0) + 1
    width = round(columns * CELL_WIDTH + 2 * MARGIN)
    height = rows * CELL_HEIGHT + 2 * MARGIN + TITLE_HEIGHT
    used, body = set(), []
    for row, history in enumerate(versions):
        y = TITLE_HEIGHT + MARGIN + row * CELL_HEIGHT + 14
        for at, (start, runs) in enumerate(history):
            if not runs:
                continue
            spans = "".join(span(run, used) for run in runs)
            if at + 1 < len(history):
                duration = history[at + 1][0] - start
                if duration > 0.01:
                    shown = f"animation-delay:{start}s;animation-duration:{duration:.2f}s"
                    body.append(f'<text y="{y}" class="old" style="{shown}">{spans}</text>')
            else:
                body.append(f'<text y="{y}" class="now" style="animation-delay:{start}s">{spans}</text>')
    light, dark = ("\n".join(f".{name}{{fill:{COLORS[name][mode]}}}" for name in sorted(used)) for mode in (0, 1))
    style = STYLE.format(light=light, dark=dark).strip()
    buttons = "".join(f'<circle class="button" cx="{MARGIN + 6 + at * 18}" cy="18" r="5"/>' for at in range(3))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" xml:space="preserve">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        f'<rect class="window" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        buttons,
        f'<text class="title" x="{width / 2}" y="22">{escape(title)}</text>',
        *body,
        "</svg>",
        "",
    ])


def span(run, used):
    """One run of text. `textLength` keeps the columns aligned in any font."""
    column, text, color, bold = run
    names = ["b"] if bold else []
    if color in COLORS:
        names.append(color)
        used.add(color)
    style = f' class="{" ".join(names)}"' if names else ""
    x, length = round(MARGIN + column * CELL_WIDTH, 1), round(len(text) * CELL_WIDTH, 1)
    return f'<tspan x="{x}" textLength="{length}" lengthAdjust="spacingAndGlyphs"{style}>{escape(text)}</tspan>'
