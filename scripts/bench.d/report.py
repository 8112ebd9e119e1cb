"""Medians, ratios, the table and the plot. Pure: nothing here measures."""
import html
import statistics


def medians(results):
    """results: name -> rounds, each a dict."""
    return {name: {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
            for name, rounds in results.items() if rounds}


def left_out(results, rounds, ours):
    """A sentence for each rival that did not come up in every round."""
    return "".join(f"{name} came up in {len(got)} of {rounds} rounds.\n"
                   for name, got in results.items() if name not in ours and len(got) < rounds)


def number(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def keys_of(middle):
    return list(dict.fromkeys(k for row in middle.values() for k in row))


def table(middle, ours_name="tund"):
    keys = keys_of(middle)
    lines = ["| | " + " | ".join(keys) + " |", "| --- " * (len(keys) + 1) + "|"]
    for name, row in middle.items():
        cells = [number(row[k]) if k in row else "-" for k in keys]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    ours = middle.get(ours_name, {})
    for name, row in middle.items():
        if name == ours_name or not ours:
            continue
        cells = [f"{ours[k] / row[k]:.2f}" if row.get(k) and k in ours else "-" for k in keys]
        lines.append(f"| *{ours_name} / {name}* | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def svg(groups):
    """A block of bars for each column of each group of systems; tund's are blue."""
    left, bar, width = 150, 16, 420
    out, y = [], 10
    for middle, key in ((middle, key) for middle in groups for key in keys_of(middle)):
        rows = [(name, row[key]) for name, row in middle.items() if key in row]
        most = max((value for _, value in rows), default=0) or 1
        out.append(f'<text x="{left}" y="{y + 12}" font-weight="bold">{html.escape(key)}</text>')
        y += 20
        for name, value in rows:
            color = "#2a6fb0" if name.startswith("tund") else "#b0b0b0"
            end = width * value / most
            out.append(f'<text x="{left - 6}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>'
                       f'<rect x="{left}" y="{y + 1}" width="{end:.1f}" height="{bar - 3}" '
                       f'fill="{color}"/><text x="{left + 4 + end:.1f}" y="{y + 12}">'
                       f'{number(value)}</text>')
            y += bar
        y += 12
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{y}" '
            f'font-family="sans-serif" font-size="12">\n' + "\n".join(out) + "\n</svg>\n")
