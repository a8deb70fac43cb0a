"""Finds the prose in a file: documents without their code, and the comments and strings of programs.

`prose(path, text)` returns a text of the same length and with the same line breaks, in which everything that is not prose
is replaced. So an offset in the result is an offset in the file, and phrases can be searched for across line breaks.

    CODE    code, and everything else that separates one text from the next
    QUOTED  a code span or a placeholder inside a sentence
    space   the markers and the indentation of comments, which separate nothing
"""

import io
import re
import tokenize

CODE = "\0"
QUOTED = "\1"

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})")
COMMENT_MARKER = re.compile(r"[ \t]*(?://[/!]?|#+)[ \t]?")

# In Rust and JavaScript: comments, raw strings, strings, characters, and words, so that a word never ends in a string.
RUST = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)"
    r"|(?P<string>(?:[bc]?r)(?P<hashes>#*)\".*?\"(?P=hashes)|[bc]?\"(?:\\.|[^\"\\])*\")"
    r"|'(?:\\.[^']*|[^\\'\n])'|\w+",
    re.DOTALL,
)
SCRIPT = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\w+", re.DOTALL
)
SHELL = re.compile(r"(?P<comment>(?:^|(?<=\s))#[^\n]*)|(?P<string>\"(?:\\.|[^\"\\])*\"|'[^']*')|[\w$]+", re.MULTILINE)
TOML = re.compile(
    r"(?P<comment>#[^\n]*)|(?P<string>\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*')|\w+", re.DOTALL
)
YAML = re.compile(r"(?P<comment>(?:^|(?<=\s))#[^\n]*)|(?P<string>\"(?:\\.|[^\"\\\n])*\")|\w+", re.MULTILINE)
JSON = re.compile(r"(?P<string>\"(?:\\.|[^\"\\\n])*\")")
LEXERS = {".rs": RUST, ".mjs": SCRIPT, ".js": SCRIPT, ".sh": SHELL, ".toml": TOML, ".yml": YAML, ".yaml": YAML, ".json": JSON}


def prose(path, text):
    """The prose of a file, or None for a kind of file without prose."""
    if path.suffix == ".md":
        return markdown(text)
    if path.suffix == ".py" or text.startswith("#!/usr/bin/env python3"):
        return python(text)
    if path.suffix in LEXERS:
        return program(LEXERS[path.suffix], text)
    if text.startswith("#!") and "sh" in text.split("\n", 1)[0]:
        return program(SHELL, text)
    return None


def blank(text, by):
    """`text` with every character but line breaks replaced."""
    return re.sub(r"[^\n]", by, text)


def program(lexer, text):
    """The comments and strings of a program. Comments on successive lines are one text."""
    pieces, end = [], 0
    for token in lexer.finditer(text):
        groups = token.groupdict()
        between = text[end : token.start()]
        pieces.append(between if between.isspace() else blank(between, CODE))
        if groups.get("comment") is not None:
            pieces.append(comment(token.group()))
        elif groups.get("string") is not None:
            pieces.append(string(token.group()))
        else:
            pieces.append(blank(token.group(), CODE))
        end = token.end()
    pieces.append(blank(text[end:], CODE))
    return documents_in_comments(text, "".join(pieces))


def comment(text):
    """A comment without its marker. Empty comments, commented-out keys and indented examples count as code."""
    if text.startswith("/*"):
        return "  " + text[2:-2] + "  "
    marker = COMMENT_MARKER.match(text).group()
    body = text[len(marker) :]
    is_code = not body.strip() or (text.startswith("#") and (body.startswith("  ") or re.match(r"#+[!\w\[]", text)))
    return blank(text, CODE) if is_code else " " * len(marker) + body


def string(text):
    """The sentences of a string. A string without a space is a name or a code, not a sentence."""
    if not re.search(r"\w\s+\S*\w", text.replace("\\n", " ")):
        return blank(text, CODE)
    text = re.sub(r"\\\n\s*", lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    text = re.sub(r"\\[nrt0]|\\u\{[^}]*\}|\\x..", lambda found: CODE * len(found.group()), text)
    text = re.sub(r"\$?\{[^{}\n]*\}", lambda found: QUOTED * len(found.group()), text)
    # First, because a template of JavaScript would be a code span as a whole.
    opening = re.match(r"\w*#*[\"'`]+", text).group()
    return CODE * len(opening) + spans(text[len(opening) : -1]) + CODE


def documents_in_comments(text, found):
    """The same without the code blocks and code spans of comments."""
    lines, originals, fenced = found.split("\n"), text.split("\n"), False
    for number, line in enumerate(lines):
        is_comment = re.match(r"\s*(//|#)", originals[number])
        if is_comment and FENCE.match(line):
            fenced = not fenced
            lines[number] = blank(line, CODE)
        elif not is_comment:
            fenced = False
        elif fenced:
            lines[number] = blank(line, CODE)
    return links(spans("\n".join(lines)))


def spans(text):
    """`text` without its code spans."""
    return re.sub(
        r"(?<!`)(`+)(?!`)((?:(?!\n\s*\n|\0)[^`]|(?!\1(?!`))`)+?)(?<!`)\1(?!`)",
        lambda found: blank(found.group(), QUOTED),
        text,
    )


def links(text):
    """`text` without the targets of links, and without addresses."""
    text = re.sub(r"\]\([^)\n]*\)", lambda found: "]" + QUOTED * (len(found.group()) - 1), text)
    return re.sub(r"\b\w+://[^\s)>\0\1]+", lambda found: QUOTED * len(found.group()), text)


def markdown(text):
    """A document without code, comments and tables that a program wrote."""
    text = re.sub(r"<!-- made by .*?<!-- end -->", lambda found: blank(found.group(), CODE), text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", lambda found: blank(found.group(), CODE), text, flags=re.DOTALL)
    lines, fence = text.split("\n"), None
    for number, line in enumerate(lines):
        opening = FENCE.match(line)
        if fence or opening:
            lines[number] = blank(line, CODE)
            if opening and fence is None:
                fence = opening.group(1)
            elif opening and line.strip() == fence:
                fence = None
        else:
            lines[number] = re.sub(r"^\s*(#+|[-*]|\d+\.) ", lambda found: CODE * len(found.group()), line)
    text = "\n".join(lines)
    return tables(links(spans(text)))


def tables(text):
    """The same with the cells of tables separated."""
    return "\n".join(line.replace("|", CODE) if line.lstrip().startswith("|") else line for line in text.split("\n"))


def python(text):
    """The comments and strings of a Python program."""
    lines = text.split("\n")
    starts, position = [], 0
    for line in lines:
        starts.append(position)
        position += len(line) + 1
    pieces, end = [], 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        start, stop = (starts[row - 1] + column for row, column in (token.start, token.end))
        if token.type not in (tokenize.COMMENT, tokenize.STRING):
            continue
        between = text[end:start]
        pieces.append(between if between.isspace() else blank(between, CODE))
        pieces.append(comment(token.string) if token.type == tokenize.COMMENT else docstring(token.string))
        end = stop
    pieces.append(blank(text[end:], CODE))
    return links(spans("".join(pieces)))


def docstring(text):
    """A string of a Python program. Its indented blocks are examples."""
    is_raw = "r" in re.match(r"\w*", text).group().lower()
    if text.lstrip("rbfuRBFU").startswith('"""') and "\n" in text:
        lines = text.split("\n")
        indent = len(lines[-1]) - len(lines[-1].lstrip())
        lines = [blank(line, CODE) if line.startswith(" " * (indent + 4)) else line for line in lines]
        text = "\n".join(lines)
    return blank(text, CODE) if is_raw else string(text)
