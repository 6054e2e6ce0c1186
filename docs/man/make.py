"""Makes the man pages: the texts beside this file, with what the programs say about themselves put in. See scripts/manual.

usage: make.py DIRECTORY-OF-PROGRAMS DIRECTORY-FOR-PAGES
"""

import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

TEXTS = Path(__file__).parent
PAGES = ("wsd.8", "wsctl.1", "wsd.yaml.5")


# -- roff (groff_man(7), in what mandoc(1) understands as well)

def escaped(text):
    """Text in which nothing means anything to roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    return "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in text)


def prose(text):
    """Inline Markdown: `code`, **strong**, *variable*, [text](address), and page(8)."""
    parts = re.split(r"(`` .*? ``|`[^`]+`|\*\*[^*]+\*\*|(?<![\w*])\*[^*\s][^*]*\*|\[[^\]]+\]\([^)]+\)|\b[a-z][a-z_.-]*\([1-8]\))", text)
    return "".join(inline(part) for part in parts)


def inline(part):
    if part.startswith("`` "):
        return f"\\fB{escaped(part[3:-3])}\\fR"
    if len(part) > 2 and part[0] == part[-1] == "`":
        return f"\\fB{escaped(part[1:-1])}\\fR"
    if part.startswith("**"):
        return f"\\fB{escaped(part[2:-2])}\\fR"
    if re.fullmatch(r"\*[^*]+\*", part):
        return f"\\fI{escaped(part[1:-1])}\\fR"
    if link := re.fullmatch(r"\[([^\]]+)\]\([^)]+\)", part):
        return prose(link[1])
    if page := re.fullmatch(r"([a-z][a-z_.-]*)(\([1-8]\))", part):
        return f"\\fB{escaped(page[1])}\\fR{page[2]}"
    return escaped(part)


def filled(roff):
    """Lines of a paragraph; none is taken for a request."""
    lines = textwrap.wrap(roff, 100, break_long_words=False, break_on_hyphens=False)
    return [guarded(line) for line in lines]


def guarded(line):
    return "\\&" + line if line[:1] in (".", "'") else line


def paragraph(text):
    return [".PP", *filled(prose(text))]


def tagged(tag, bodies):
    """A term (roff) with paragraphs or blocks (lists of lines) that explain it."""
    lines = [".TP", guarded(tag)]
    for number, body in enumerate(bodies):
        if isinstance(body, list):
            lines += [".RS", *body, ".RE"]
        else:
            lines += ([".IP"] if number else []) + filled(prose(body))
    return lines


def display(lines):
    return [".PP", ".in +4n", ".EX", *(guarded(escaped(line)) for line in lines), ".EE", ".in"]


# -- Markdown, as much of it as the texts use

def converted(text):
    lines = text.split("\n")
    out = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif heading := re.match(r"(##+) (.*)", line):
            name = heading[2].upper() if heading[1] == "##" else heading[2]
            out.append(f"{'.SH' if heading[1] == '##' else '.SS'} {prose(name)}")
            at += 1
        elif line.startswith("```"):
            end = lines.index("```", at + 1)
            out += display(lines[at + 1:end])
            at = end + 1
        elif at + 1 < len(lines) and lines[at + 1].startswith(":   "):
            body, after = gathered(lines, at + 1, "    ", first=4)
            out += tagged(prose(line), body)
            at = after
        elif item := re.match(r"(- |\d+\. )(.*)", line):
            body, at = gathered(lines, at, " " * len(item[1]), first=len(item[1]))
            mark = "\\(bu 2" if item[1] == "- " else f"{item[1].strip()} 3"
            out += [f".IP {mark}", *filled(prose(body[0]))]
            for more in body[1:]:
                out += [".IP", *filled(prose(more))]
        elif line.startswith("  "):
            end = at
            while end < len(lines) and (lines[end].startswith("  ")):
                end += 1
            out += display(lines[at:end] if len(lines[at]) - len(lines[at].lstrip()) > 2 else [l[2:] for l in lines[at:end]])
            at = end
        else:
            end = at
            while end < len(lines) and lines[end].strip() and not re.match(r"#|```|- |\d+\. |  ", lines[end]):
                end += 1
            out += paragraph(" ".join(lines[at:end]))
            at = end
    return out


def gathered(lines, at, indent, first):
    """The paragraphs of a list's item, and the line after it."""
    paragraphs = [[lines[at][first:]]]
    at += 1
    while at < len(lines):
        if lines[at].startswith(indent):
            paragraphs[-1].append(lines[at].strip())
        elif not lines[at].strip() and at + 1 < len(lines) and lines[at + 1].startswith(indent):
            paragraphs.append([])
        else:
            break
        at += 1
    return [" ".join(p) for p in paragraphs], at


# -- command lines, from --experimental-dump-help of swift-argument-parser

def shown(command):
    return [a for a in command.get("arguments", []) if a["shouldDisplay"]]


def option_name(name):
    return ("-" if name["kind"] != "long" else "--") + name["name"]


def option_tag(argument):
    value = f" \\fI{escaped(argument['valueName'])}\\fR" if argument["kind"] == "option" else ""
    if argument["kind"] == "positional":
        return f"\\fI{escaped(argument['valueName'])}\\fR"
    names = sorted(argument["names"], key=lambda n: n["kind"] == "long")
    return ", ".join(f"\\fB{escaped(option_name(n))}\\fR{value}" for n in names)


def option_entry(argument):
    sentence = argument.get("abstract", "")
    default = argument.get("defaultValue")
    if default and "(default" not in sentence:
        sentence += f" (default: {default})"
    values = argument.get("allValues")
    return tagged(option_tag(argument), [sentence, f"One of {', '.join(f'`{v}`' for v in values)}."] if values else [sentence])


def usage(names, command, common):
    """The command with what it takes, in roff."""
    parts = [f"\\fB{escaped(' '.join(names))}\\fR"]
    for argument in shown(command):
        if argument in common or argument.get("preferredName", {}).get("name") in ("help", "version"):
            continue
        text = option_tag(argument).split(", ")[-1]
        if argument["kind"] != "positional":
            text = f"\\fB{escaped(option_name(argument['preferredName']))}\\fR" + text.partition("\\fR")[2]
        if argument["isRepeating"]:
            text += " .\\|.\\|."
        parts.append(f"[{text}]" if argument["isOptional"] else text)
    if names[-1] == "start":
        # The parser does not know it: Invocation.swift takes it from the command line before.
        parts.append("[\\fB\\-\\-\\fR \\fIcommand\\fR .\\|.\\|.]")
    # A bracket is not torn apart.
    return " ".join(part.replace(" ", "\\ ") for part in parts)


def leaves(command, names):
    """Commands that do something, each with its names."""
    below = [c for c in command.get("subcommands", []) if c["shouldDisplay"]]
    if not below:
        yield names, command
    for sub in below:
        yield from leaves(sub, [*names, sub["commandName"]])


def common_arguments(commands):
    """What most commands take in the same way is told once."""
    counts = {}
    for _, command in commands:
        for argument in shown(command):
            key = json.dumps(argument, sort_keys=True)
            counts[key] = counts.get(key, 0) + 1
    return [json.loads(key) for key, count in counts.items() if count > len(commands) / 2]


def command_parts(root, names=("wsctl",)):
    commands = [(n, c) for n, c in leaves(root, list(names)) if c["commandName"] != "help"]
    common = common_arguments(commands)
    synopsis, sections = [], []
    seen = set()
    for names, command in commands:
        synopsis += [".br"] if synopsis else [".PP"]
        synopsis.append(usage(names, command, common))
        if len(names) > 2 and names[1] not in seen:
            seen.add(names[1])
            group = next(c for c in root["subcommands"] if c["commandName"] == names[1])
            sections += [f".SS {escaped(names[1])}", *description(group, examples=False)]
        sections.append(f".SS {escaped(' '.join(names[1:]))}")
        sections += [".PP", usage(names, command, common), *description(command)]
        for argument in shown(command):
            if argument not in common:
                sections += option_entry(argument)
    return synopsis, sections, [line for argument in common for line in option_entry(argument)]


def description(command, examples=True):
    text = command.get("discussion") or ""
    if not examples:
        text = re.split(r"^Examples?:$", text, flags=re.MULTILINE)[0]
    return paragraph(command["abstract"]) + converted(text)


# -- wsd.yaml, from wsd --print-config-reference-json

def code(text):
    """A value as it would stand in the file. A default that depends on another key is told in words."""
    return text if " in dev" in text else f"`` {text} ``"


def key_entry(key, like):
    bodies = []
    if not like:
        bodies.append(starred(key["documentation"]))
    names = f"Variable: `{key['variable']}`"
    if key["flags"]:
        names += f", flag{'s' if len(key['flags']) > 1 else ''}: " + ", ".join(f"`{flag}`" for flag in key["flags"])
    values = "" if like else f"Values: {starred(key['allowed'])}. "
    later = "" if key["reloadable"] else " A reload does not change it."
    bodies.append(f"{values}Default: {code(key['defaultText'])}. {names}.{later}")
    lines = tagged(f"\\fB{escaped(key['name'])}\\fR", bodies)
    if key.get("entries"):
        lines += entry_lines(key)
    return lines


def entry_lines(key):
    lines = [".RS", *paragraph(f"An entry of `{key['name']}` has these keys:")]
    for field in key["entries"]["fields"]:
        unsaid = field.get("unset") or ("as in `rooms.defaults`" if field["defaultText"] == '""' else code(field["defaultText"]))
        default = "It must be there." if field["isRequired"] else f"Default: {unsaid}."
        lines += tagged(f"\\fB{escaped(field['name'])}\\fR",
                        [f"{starred(field['documentation'])} Values: {starred(field['allowed'])}. {default}"])
    path = key["name"].split(".")
    example = ["  " * depth + f"{word}:" for depth, word in enumerate(path)]
    return lines + display([*example, *("  " * len(path) + line for line in key["entries"]["example"].splitlines())]) + [".RE"]


def starred(text):
    """Words in which * is only itself."""
    return re.sub(r"(\S*\*\S*)", lambda m: f"`{m[1].strip(chr(34) + '.,')}`" if m[1].endswith("*") else m[1], text)


def key_sections(reference):
    lines = []
    for section in reference["sections"]:
        if section["name"]:
            lines.append(f".SS {escaped(section['name'])}")
            like = f" Its keys mean what they mean in `{section['like']}`." if section.get("like") else ""
            lines += paragraph(section["documentation"] + like)
        for key in section["keys"]:
            lines += key_entry(key, section.get("like"))
    return lines


# -- pages

def page(name, parts, version):
    text = (TEXTS / f"{name}.md").read_text()
    title, section = name.rsplit(".", 1)
    head, _, text = text.partition("\n")
    # The first line: # wsd(8) - what it is
    subject = re.fullmatch(r"# \S+ - (.*)", head)[1]
    date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    lines = [
        '.\\" Made by scripts/manual from the programs and docs/man; change it there.',
        f'.TH {title.upper()} {section} "{date}" "wsd {version}" "wsd manual"',
        # Neither hyphens at the end of a line nor stretched lines: names are to be found as they are.
        ".nr HY 0", ".nh", ".ad l", ".ss 12 0", ".SH NAME", f"{escaped(title)} \\- {escaped(subject)}",
    ]
    for piece in re.split(r"^(\{\{[a-z-]+\}\})$", text, flags=re.MULTILINE):
        if piece.startswith("{{"):
            lines += parts[piece[2:-2]]
        else:
            lines += converted(piece)
    # A heading begins a paragraph by itself.
    lines = [line for before, line in zip([""] + lines, lines) if line != ".PP" or not before.startswith((".SH", ".SS"))]
    return "\n".join(lines) + "\n"


def main(programs, out):
    def said(program, *arguments):
        return subprocess.run([Path(programs) / program, *arguments], capture_output=True, text=True, check=True).stdout

    wsd = json.loads(said("wsd", "--experimental-dump-help"))["command"]
    wsctl = json.loads(said("wsctl", "--experimental-dump-help"))["command"]
    reference = json.loads(said("wsd", "--print-config-reference-json"))
    synopsis, commands, common = command_parts(wsctl)
    parts = {
        "synopsis": synopsis,
        "commands": commands,
        "common": common,
        "options": [line for argument in shown(wsd) for line in option_entry(argument)],
        "examples": display(examples(wsd)),
        "command-examples": display(examples(wsctl)),
        "introduction": converted(reference["introduction"].partition("\n## ")[1].lstrip("\n")
                                  + reference["introduction"].partition("\n## ")[2]),
        "keys": key_sections(reference),
        "rules": [line for rule in reference["rules"] for line in [".IP \\(bu 2", *filled(prose(starred(rule)))]],
    }
    version = said("wsd", "--version").split()[-1]
    for name in PAGES:
        (Path(out) / name).write_text(page(name, parts, version))


def examples(command):
    """The indented lines of the first list of examples."""
    lines = re.split(r"^examples?:?$", command["discussion"], maxsplit=1, flags=re.MULTILINE | re.IGNORECASE)[1]
    return [line[2:] for line in lines.strip("\n").split("\n\n")[0].split("\n")]


if __name__ == "__main__":
    main(*sys.argv[1:])
