#!/usr/bin/env python3
"""check.py - check the book: its console blocks, its links, its figures.

    check.py --build DIR --log FILE --made STATUS [PAGE...]

FILE is what "make book" said, STATUS how it ended; the pages are those whose
console blocks are run (all, when none is named).  Prints "ok", "FAIL" and
"skip" lines, and at the end "book: N passed, N failed, N skipped".
"""
import argparse
import collections
import glob
import html.parser
import os
import re
import sys
import urllib.parse

import console

KEYS = {    # for tests/expected-skips
    "needs real root": "needs-root",
    "needs an ordinary user": "needs-user",
    "no user namespaces for an ordinary user": "no-namespaces",
}


class Results:
    def __init__(self):
        self.count = collections.Counter()
        self.tally = os.environ.get("WITNESS_TALLY")

    def add(self, status, where, what="", details=()):
        self.count[status] += 1
        console.report(status, where, what, details)
        if self.tally:
            reason = details[0].removeprefix("reason: ") if status == "skip" else ""
            with open(self.tally, "a", encoding="utf-8") as file:
                print("pass" if status == "ok" else status, "book", where,
                      KEYS.get(reason, ""), sep="\t", file=file)


# ---- the site ---------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """The ids, links and images of one rendered page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.wrong = set(), [], []
        self.title = False
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())
        if not self.title:
            self.wrong.append("no title")

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        name = values.get("id")
        if name:
            if name in self.ids:
                self.wrong.append(f'the id "{name}" stands twice')
            self.ids.add(name)
        if tag == "title":
            self.title = True
        if tag == "img" and not (values.get("alt") or "").strip():
            self.wrong.append(f'the image {values.get("src")} has no text for the blind')
        if tag == "svg" and not (values.get("aria-label") or "").strip():
            self.wrong.append("a drawing has no text for the blind")
        for attribute in ("href", "src"):
            if values.get(attribute) is not None and not tag.startswith("svg"):
                self.links.append(values[attribute])


def well_formed(link):
    """An outside link that a browser would understand; nothing is fetched."""
    try:
        parts = urllib.parse.urlsplit(link)
        host = parts.hostname or ""
    except ValueError:
        return False
    return (parts.scheme in ("https", "http") and not re.search(r"[\s<>\"]", link)
            and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) is not None)


def check_link(link, path, pages, unmade):
    """What is wrong with a link of the page at PATH; else None."""
    if re.match(r"[a-zA-Z][\w+.-]*:", link):
        return None if well_formed(link) else f"not a well-formed link: {link}"
    target, _, anchor = link.partition("#")
    target = urllib.parse.unquote(target)
    goal = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
    if goal in unmade:
        return None     # said already, where that page failed
    if not os.path.exists(goal):
        return f"a link leads nowhere: {link}"
    if anchor and goal in pages and urllib.parse.unquote(anchor) not in pages[goal].ids:
        return f"a link leads to no place of its page: {link}"
    return None


def reachable(pages, root):
    seen, queue = set(), [root]
    while queue:
        path = queue.pop()
        if path in seen or path not in pages:
            continue
        seen.add(path)
        for link in pages[path].links:
            if not re.match(r"[a-zA-Z][\w+.-]*:", link):
                queue.append(os.path.normpath(os.path.join(
                    os.path.dirname(path), link.partition("#")[0])))
    return seen


def check_site(site, results):
    paths = [os.path.normpath(p) for p in
             sorted(glob.glob(f"{glob.escape(site)}/**/*.html", recursive=True))]
    pages = {path: Page(path) for path in paths}
    unmade = {made: source for made, source in expected(site) if made not in pages}
    index = os.path.normpath(f"{site}/index.html")
    inside = reachable(pages, index)
    for path, page in pages.items():
        wrong = page.wrong + [w for link in dict.fromkeys(page.links)
                              if (w := check_link(link, path, pages, unmade))]
        if path not in inside and index in pages and "/src/" not in path:
            wrong.append("the contents do not lead to this page")
        results.add("FAIL" if wrong else "ok", path,
                    "" if wrong else f"{len(page.links)} links", wrong)
    for source in unmade.values():
        results.add("FAIL", source, "", ["no page of the site is made from it"])


def expected(site):
    """(page of the site, what it is made from)"""
    for source in sorted(glob.glob("book/*.md")):
        yield os.path.normpath(f"{site}/{os.path.basename(source)[:-3]}.html"), source
    for source in sorted(glob.glob("labs/*/README.md")):
        lab = os.path.basename(os.path.dirname(source))
        yield os.path.normpath(f"{site}/labs/{lab}.html"), source


def check_diagrams(results):
    shown = set()
    for page in glob.glob("book/*.md"):
        with open(page, encoding="utf-8") as file:
            shown.update(re.findall(r"\((diagrams/[^)\s]+)\)", file.read()))
    for path in sorted(glob.glob("diagrams/*.dot")):
        wrong = [] if path in shown else ["no page shows this diagram"]
        results.add("FAIL" if wrong else "ok", path, "", wrong)


# ---- main -------------------------------------------------------------------------

def check_rendering(options, results):
    """What "make book" had to say against it."""
    with open(options.log, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    if options.made == 0:
        results.add("ok", "make book")
        return
    named = [line for line in lines if re.match(r"[\w./-]+:\d+: ", line)]
    if not named:
        results.add("FAIL", "make book", "", lines[-20:])
    for line in named:
        where, what = re.match(r"([^:]+:\d+): (.*)", line).groups()
        results.add("FAIL", where, what)


def main():
    parser = argparse.ArgumentParser(prog="check.py")
    parser.add_argument("--build", default="build")
    parser.add_argument("--log", required=True)
    parser.add_argument("--made", type=int, required=True)
    parser.add_argument("page", nargs="*")
    options = parser.parse_args()

    console.leave_tidily()
    console.become_subreaper()
    results = Results()
    check_rendering(options, results)
    for page in console.check_pages(options.page or sorted(glob.glob("book/*.md")),
                                    options.build):
        for status, where, command, details in page:
            results.add(status, where, command, details)
    check_site(f"{options.build}/book", results)
    check_diagrams(results)
    count = results.count
    print(f"book: {count['ok']} passed, {count['FAIL']} failed, {count['skip']} skipped")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
