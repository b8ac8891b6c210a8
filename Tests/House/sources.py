#!/usr/bin/env python3
"""Counts what keeps the sources readable, and fails where one of the bounds below is passed.

    Tests/House/sources.py [--list] [FOLDER]

- public: `public` and `open` declarations; this package is used by nobody else.
- unlabelled: functions whose third or a later parameter has no label; a call cannot be read then.
- preconditions: `precondition` and `assert`, where an invariant holds.
- inlinable: `@inlinable` and `@usableFromInline`.
- longest: lines of the longest file.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["Sources", "Simulators", "LoadTests"]
FUNCTION = re.compile(r"\b(?:func\s+(?:[A-Za-z_]\w*|`\w+`)|init[?!]?|subscript)\s*(?:<[^()]*?>)?\s*\(")


def bare(text):
    """The text without comments and string contents, as long as before."""
    blank = lambda match: re.sub(r'[^\n"]', " ", match[0])
    text = re.sub(r'"""(?:.|\n)*?"""', blank, text)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', blank, text)
    text = re.sub(r"//[^\n]*", blank, text)
    return re.sub(r"/\*(?:.|\n)*?\*/", blank, text)


def parameters(text, start):
    """The parameters of a list that begins behind its parenthesis."""
    depth, parts, part, place = 0, [], "", start
    while place < len(text):
        character = text[place]
        if character in "([{":
            depth += 1
        elif character in ")]}":
            if depth == 0:
                break
            depth -= 1
        elif character == "<" and re.match(r"<[^<>()]*(<[^<>]*>[^<>()]*)*>", text[place:]):
            depth += 1
        elif character == ">" and depth > 0 and text[place - 1] != "-":
            depth -= 1
        if character == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
        place += 1
    return [part.strip() for part in parts + [part] if part.strip()]


def unlabelled(text):
    """Line and name of each function with a bare third or later parameter; calls do not match: theirs have no types."""
    for match in FUNCTION.finditer(text):
        if text[:match.start()].rstrip().endswith((".", "=")) or text[match.start() - 1:match.start()] == ".":
            continue
        its = parameters(text, match.end())
        if any(re.match(r"(?:@\w+\s+)*_\s", parameter) for parameter in its[2:]):
            yield text.count("\n", 0, match.start()) + 1, match[0]


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    root = pathlib.Path(words[0]) if words else ROOT
    counts = dict.fromkeys(["files", "lines", "public", "functions", "unlabelled", "preconditions", "inlinable", "longest"], 0)
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.swift")):
        source = path.read_text()
        text = bare(source)
        counts["files"] += 1
        counts["lines"] += source.count("\n")
        counts["longest"] = max(counts["longest"], source.count("\n"))
        counts["public"] += len(re.findall(r"\b(?:public|open)[ \t]+(?:\w+[ \t]+)*?(?:func|var|let|init|struct|class|enum|protocol|typealias|static|import|subscript|case|final|extension|actor)\b", text))
        counts["functions"] += len(FUNCTION.findall(text))
        counts["preconditions"] += len(re.findall(r"\b(?:precondition|preconditionFailure|assert|assertionFailure)\s*\(", text))
        counts["inlinable"] += len(re.findall(r"@(?:inlinable|usableFromInline)\b", text))
        for line, name in unlabelled(text):
            counts["unlabelled"] += 1
            if "--list" in sys.argv:
                print(f"{path.relative_to(root)}:{line}: {name.strip()}")
    print("  ".join(f"{name} {count}" for name, count in counts.items()))
    bounds = {"public": 0, "unlabelled": 0, "inlinable": 0, "longest": 400}
    faults = [f"{counts[name]} {name}, at most {most}" for name, most in bounds.items() if counts[name] > most]
    for fault in faults:
        print(f"sources: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
