#!/usr/bin/env python3
"""pipeline_test.py - tests of the book's own machinery.

A check that can not fail is worthless: each mistake that a page can have is
made here in a small project of its own, in a path with a blank in it, and must
be caught, with a line that names it.  And its control: without the mistake,
the same page passes.

    pipeline_test.py [NAME...]      all tests, or these
"""
import collections
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

MAKEFILE = r"""
.DELETE_ON_ERROR:
.SECONDEXPANSION:
MAKEFLAGS += --no-builtin-rules
BUILD := build
Q := $(if $(V),,@)
BOOK_NEEDS := programs
include book/book.mk
programs: build/chapters/01-one/one
build/chapters/01-one/one: chapters/01-one/one.c | build/chapters/01-one/.
	@cc -o $@ $<
.PRECIOUS: %/.
%/.:
	@mkdir -p $@
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
"""

PROGRAM = r"""/*
 * one - the program of the only chapter.
 */
#include <stdio.h>

/* Says how many: the comment belongs to the function. */
static int say(int many)
{
    return printf("%d\n", many);
}

int main(void)
{
    /* region: heart */
    int many = 1;
    /* endregion: heart */

    return say(many) < 0;
}
"""

PAGE = """# The first {#one}

A page that is right in every way; see clone(2).

![A box with a name in it.](diagrams/01-one.dot){#fig-one}

``` {.c include="chapters/01-one/one.c#say"}
```

``` {.c include="chapters/01-one/one.c#heart"}
```

## A run {#run}

``` {.console vary="pid"}
$ ./one
1
$ echo first $$; echo again $$; sh -c 'echo other $$'
first 4242
again 4242
other 4243
```

::: predict
Which one?

::: reveal
This one: [the run](#run), [the source](../chapters/01-one/one.c).
:::
:::
"""

INDEX = """# The book

::: contents
:::
"""

CONTENTS = """return { { "Part", { "one", "the first" }, { "two", "the second" } } }
"""

DIAGRAM = 'digraph { a [label="a name"] }\n'


class Failure(Exception):
    pass


def expect(condition, what, seen=""):
    if not condition:
        raise Failure(f"expected: {what}" + (f"\nseen:\n{seen}" if seen else ""))


class Project:
    """A small book, all right until a test spoils it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("book.lua", "code.lua", "regions.lua", "template.html",
                     "style.css", "book.mk"):
            self.copy(f"book/{name}")
        for name in ("console.py", "check.py"):
            self.copy(f"tests/book/{name}")
        self.copy("diagrams/style")
        self.write("Makefile", MAKEFILE)
        self.write("chapters/01-one/one.c", PROGRAM)
        self.write("book/01-one.md", PAGE)
        self.write("book/index.md", INDEX)
        self.write("book/contents.lua", CONTENTS)
        self.write("diagrams/01-one.dot", DIAGRAM)

    def path(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def copy(self, name):
        shutil.copy(os.path.join(ROOT, name), self.path(name))

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def change(self, name, old, new):
        text = self.read(name)
        expect(old in text, f"{old!r} in {name}, to be changed by this test")
        self.write(name, text.replace(old, new, 1))

    def page(self, *console, attributes=""):
        """A page with this console block only."""
        self.write("book/01-one.md", "# The first {#one}\n\n``` {.console" +
                   (" " + attributes if attributes else "") + "}\n" +
                   "\n".join(console) + "\n```\n")
        self.write("chapters/01-one/one.c", "int main(void) { return 0; }\n")

    def run(self, *command, environment=None, bound=60):
        kept = {k: v for k, v in os.environ.items()
                if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "WITNESS_TALLY")}
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=bound, check=False,
                              env={**kept, "PYTHONDONTWRITEBYTECODE": "1",
                                   **(environment or {})})
        return done.returncode, done.stdout

    def console(self, *arguments, **more):
        return self.run(sys.executable, "tests/book/console.py", *arguments, **more)

    # ---- what tests say --------------------------------------------------------

    def builds(self):
        status, said = self.run("make", "-s", "book")
        expect(status == 0, "the book is rendered", said)
        return said

    def does_not_build(self, *parts):
        """The build stops, and one line names all these parts."""
        status, said = self.run("make", "-s", "book")
        expect(status != 0, "the build stops", said)
        lines = [line for line in said.splitlines() if not line.startswith("make")]
        expect(len(lines) == 1 and all(part in lines[0] for part in parts),
               "one line with " + ", ".join(map(repr, parts)), said)

    def passes(self, bound=None):
        status, said = self.check(bound)
        expect(status == 0, "the page passes", said)

    def is_caught(self, *parts, bound=None):
        status, said = self.check(bound)
        expect(status != 0, "the page fails", said)
        for part in parts:
            expect(part in said, f"a line with {part!r}", said)

    def check(self, bound):
        self.run("make", "-s", "programs")
        return self.console("check", "book/01-one.md",
                            environment={"BOOK_BOUND": str(bound)} if bound else None)


# ---- rendering --------------------------------------------------------------------

def right_page_builds_and_passes(book):
    book.builds()
    html = book.read("build/book/01-one.html")
    for part in ("Says how many: the comment belongs", "lines 6–10", ">int</span> many",
                 'id="fig-one"', "man2/clone.2.html", "<details>",
                 'href="src/chapters/01-one/one.c.html#L-6"'):
        expect(part in html, f"{part!r} on the page")
    expect("region:" not in html, "no region marker on the page")
    status, said = book.run("make", "-s", "check-book")
    expect(status == 0, "check-book passes", said)
    expect(re.search(r"^book: \d+ passed, 0 failed, 0 skipped$", said.splitlines()[-1]),
           "the closing line", said)


def unknown_include_stops_the_build(book):
    book.change("book/01-one.md", "one.c#say", "one.c#sey")
    book.does_not_build("book/01-one.md:7: ", '"sey"', "chapters/01-one/one.c")


def include_of_a_missing_file_stops_the_build(book):
    book.change("book/01-one.md", "one.c#say", "two.c#say")
    book.does_not_build("book/01-one.md:7: ", "chapters/01-one/two.c")


def doubled_function_stops_the_build(book):
    text = book.read("chapters/01-one/one.c")
    book.write("chapters/01-one/one.c", text + "\nint say(int many)\n{\n    return many;\n}\n")
    book.does_not_build("book/01-one.md:7: ", '"say" stands 2 times', "lines 6, ")


def doubled_region_stops_the_build(book):
    text = book.read("chapters/01-one/one.c")
    book.write("chapters/01-one/one.c",
               text + "/* region: heart */\nint two;\n/* endregion: heart */\n")
    status, said = book.run("make", "-sk", "book")
    expect(status != 0, "the build stops", said)
    expect('chapters/01-one/one.c:20: region "heart" already stands in line 14' in said,
           "the line of the second region", said)
    expect("book/01-one.md:10: " in said, "the page's line", said)


def unused_region_stops_the_build(book):
    book.change("book/01-one.md",
                '``` {.c include="chapters/01-one/one.c#heart"}\n```\n', "")
    book.does_not_build("chapters/01-one/one.c:14: ", '"heart"', "shown by no page")


def unclosed_region_stops_the_build(book):
    book.change("chapters/01-one/one.c", "    /* endregion: heart */\n", "")
    status, said = book.run("make", "-sk", "book")
    expect(status != 0 and "never closed" in said, "a line with 'never closed'", said)


def missing_diagram_stops_the_build(book):
    book.change("book/01-one.md", "diagrams/01-one.dot", "diagrams/01-two.dot")
    book.does_not_build("book/01-one.md:5: ", "diagrams/01-two.dot")


def figure_without_words_stops_the_build(book):
    book.change("book/01-one.md", "A box with a name in it.", "")
    status, said = book.run("make", "-s", "check-book")
    expect(status != 0, "a figure without words is caught", said)


def prediction_without_its_reveal_stops_the_build(book):
    book.change("book/01-one.md", "::: reveal", "::: note")
    book.does_not_build("book/01-one.md:", "without its reveal")


def misspelt_block_stops_the_build(book):
    book.change("book/01-one.md", "::: predict", "::: pitfal")
    book.does_not_build("book/01-one.md:", "pitfal")


def link_to_a_missing_page_stops_the_build(book):
    book.change("book/01-one.md", "[the run](#run)", "[the run](07-seven.md)")
    book.does_not_build("book/01-one.md:", "07-seven.md")


def page_that_is_in_no_part_stops_the_build(book):
    book.write("book/02-other.md", "# Other {#other}\n\nText.\n")
    status, said = book.run("make", "-s", "book")
    expect(status != 0 and 'book/02-other.md:1: the topic "other"' in said,
           "the page's name and topic", said)


def changed_source_renders_its_page_again(book):
    book.builds()
    time.sleep(0.02)
    book.change("chapters/01-one/one.c", "Says how many", "Tells how many")
    book.builds()
    expect("Tells how many" in book.read("build/book/01-one.html"), "the new comment")


def page_of_a_removed_chapter_disappears(book):
    book.write("book/02-two.md", "# The second {#two}\n\nText.\n")
    book.builds()
    expect("02-two.html" in book.read("build/book/01-one.html"), "a link to page two")
    os.remove(book.path("book/02-two.md"))
    book.builds()
    expect(not os.path.exists(book.path("build/book/02-two.html")), "no page two")
    expect("02-two.html" not in book.read("build/book/01-one.html"), "no link to page two")


# ---- links -------------------------------------------------------------------------

def site_fails(book, part):
    status, said = book.run("make", "-s", "check-book")
    expect(status != 0 and part in said, f"check-book names {part!r}", said)
    expect(re.search(r"^book: \d+ passed, [1-9]\d* failed", said, re.M),
           "the closing line counts it", said)


def broken_anchor_is_caught(book):
    book.change("book/01-one.md", "[the run](#run)", "[the run](#walk)")
    site_fails(book, "a link leads to no place of its page: #walk")


def broken_anchor_of_another_page_is_caught(book):
    book.change("book/01-one.md", "[the run](#run)", "[the run](index.md#walk)")
    site_fails(book, "index.html#walk")


def broken_link_is_caught(book):
    book.change("book/01-one.md", "[the run](#run)", '<a href="seven.html">seven</a>')
    site_fails(book, "a link leads nowhere: seven.html")


def malformed_outside_link_is_caught(book):
    book.change("book/01-one.md", "[the run](#run)", "[the run](https:/man7.org)")
    site_fails(book, "not a well-formed link")


def missing_image_is_caught(book):
    book.change("book/01-one.md", "[the run](#run)", "so ![a cat](cat.png) it")
    site_fails(book, "cat.png")


def doubled_id_is_caught(book):
    book.change("book/01-one.md", "{#run}", "{#fig-one}")
    site_fails(book, 'the id "fig-one" stands twice')


def unused_diagram_is_caught(book):
    book.write("diagrams/01-spare.dot", DIAGRAM)
    site_fails(book, "no page shows this diagram")


def page_that_does_not_build_is_counted_as_failed(book):
    book.change("book/01-one.md", "one.c#say", "one.c#sey")
    site_fails(book, "book/01-one.md:7")


# ---- console blocks: the comparison --------------------------------------------------

def changed_output_is_caught(book):
    book.page("$ echo two", "two")
    book.passes()
    book.page("$ echo two", "three")
    book.is_caught("book/01-one.md:5: the run differs", "-three", "+two")


def missing_and_surplus_lines_are_caught(book):
    book.page("$ printf 'a\\nb\\n'", "a", "b")
    book.passes()
    book.page("$ printf 'a\\nb\\n'", "a")
    book.is_caught("+b")
    book.page("$ printf 'a\\nb\\n'", "a", "b", "c")
    book.is_caught("-c")


def changed_status_is_caught(book):
    book.page("$ sh -c 'exit 3'", "$ echo $?", "3")
    book.passes()
    book.page("$ sh -c 'exit 3'", "$ echo $?", "4")
    book.is_caught("+3")


def messages_of_stderr_are_seen_in_order(book):
    book.page("$ echo a; ls /nonexistent; echo b", "a",
              "ls: cannot access '/nonexistent': No such file or directory", "b")
    book.passes()


def masked_pid_is_accepted(book):
    book.page("$ echo $$", "4242", attributes='vary="pid"')
    book.passes()


def unmasked_pid_is_caught(book):
    book.page("$ echo $$", "4242")
    book.is_caught("-4242")


def two_pids_that_should_be_equal_are_caught(book):
    book.page("$ echo $$", "4242", "$ sh -c 'echo $PPID'", "4242", attributes='vary="pid"')
    book.passes()
    book.page("$ echo $$", "4242", "$ sh -c 'echo $$'; true", "4242",
              attributes='vary="pid"')
    book.is_caught("the same value on the page is not the same in the run")


def two_pids_that_should_differ_are_caught(book):
    book.page("$ echo $$", "4242", "$ sh -c 'echo $PPID'", "4243", attributes='vary="pid"')
    book.is_caught("the same value on the page is not the same in the run")


def identity_holds_across_elided_lines(book):
    block = ["$ echo $$; seq 500 520; echo $$", "4242", "...", "520", "4242"]
    book.page(*block, attributes='vary="pid"')
    book.passes()
    block[0] = "$ echo $$; seq 500 520; sh -c 'echo $$; true'"
    book.page(*block, attributes='vary="pid"')
    book.is_caught()


def elided_lines_hide_only_themselves(book):
    book.page("$ seq 9", "1", "...", "9")
    book.passes()
    book.page("$ seq 9", "1", "...", "8")
    book.is_caught()
    book.page("$ seq 9", "2", "...")
    book.is_caught()


def namespace_numbers_are_masked_alone(book):
    book.page("$ echo 77; readlink /proc/self/ns/ipc", "77", "ipc:[1]",
              attributes='vary="ns"')
    book.passes()
    book.page("$ echo 77; readlink /proc/self/ns/ipc", "78", "ipc:[1]",
              attributes='vary="ns"')
    book.is_caught("+77")


def expression_masks_what_it_matches(book):
    book.page("$ mktemp -u /tmp/x.XXXXXX", "/tmp/x.abcdef",
              attributes=r'vary="/x\.\w{6}/"')
    book.passes()
    book.page("$ mktemp -u /tmp/y.XXXXXX", "/tmp/x.abcdef",
              attributes=r'vary="/x\.\w{6}/"')
    book.is_caught()


def unknown_class_is_caught(book):
    book.page("$ echo hi", "hi", attributes='vary="pids"')
    book.is_caught("book/01-one.md:3: ", '"pids"')


def wide_line_is_caught(book):
    book.page(f"$ printf '%077d\\n' 0", "0" * 77)
    book.is_caught("77 columns")


def two_prompts_in_one_block_are_caught(book):
    book.page("$ echo a", "a", "# echo b", "b")
    book.is_caught("book/01-one.md:6: one block has one prompt")


# ---- console blocks: the run -----------------------------------------------------------

def processes_with(word):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().split(b"\0")[:2] == [b"sleep", word.encode()]:
                    found.append(pid)
        except OSError:
            pass
    return found


def hanging_block_is_ended(book):
    began = time.monotonic()
    book.page("$ sleep 98765.25", "$ echo on", "on")
    book.is_caught("line 4: ended after 1 seconds", bound=1)
    expect(time.monotonic() - began < 15, "the end after about a second")
    expect(not processes_with("98765.25"), "no process is left")


def block_that_ignores_signals_is_ended(book):
    book.page("$ trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; sleep 98766.25'")
    book.is_caught("ended after 1 seconds", bound=1)
    expect(not processes_with("98766.25"), "no process is left")


def daemon_of_a_block_is_ended(book):
    book.page("$ setsid sh -c 'sleep 98767.25 & sleep 98767.25 &' >/dev/null 2>&1",
              "$ echo on", "on")
    book.passes()
    expect(not processes_with("98767.25"), "no process is left")


def interrupted_check_ends_its_blocks(book):
    book.page("$ setsid sleep 98769.25 & sleep 98769.25")
    book.run("make", "-s", "programs")
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        check = subprocess.Popen([sys.executable, "tests/book/console.py", "check",
                                  "book/01-one.md"], cwd=book.folder,
                                 stdout=subprocess.DEVNULL)
        wait_for(lambda: len(processes_with("98769.25")) == 2, "both processes run")
        check.send_signal(signum)
        check.wait(20)
        wait_for(lambda: not processes_with("98769.25"), "no process is left")


def wait_for(condition, what):
    until = time.monotonic() + 15
    while not condition():
        expect(time.monotonic() < until, what)
        time.sleep(0.05)


def endless_output_is_ended(book):
    book.page("$ yes", "y")
    book.is_caught("endless output", bound=20)


def block_that_kills_its_shell_is_caught(book):
    book.page("$ kill -9 $$", "$ echo on", "on")
    book.is_caught("line 4: the shell is gone")


def block_that_exits_is_caught(book):
    book.page("$ echo a", "a", "$ exit 0")
    book.is_caught("line 6: the shell is gone")


def block_that_replaces_its_shell_is_caught(book):
    book.page("$ exec sleep 98768.25")
    book.is_caught("the shell is gone")
    expect(not processes_with("98768.25"), "no process is left")


def block_that_loses_its_output_is_caught(book):
    book.page("$ exec >/dev/null 2>&1", "$ echo a", "a")
    book.is_caught("-a")


def syntax_error_shows_as_output(book):
    book.page("$ echo )", "never this")
    book.is_caught("syntax error", "-never this")


def missing_command_reads_as_in_a_terminal(book):
    book.page("$ no-such-command", "bash: no-such-command: command not found",
              "$ echo $?", "127")
    book.passes()


def file_left_behind_is_caught(book):
    book.page("$ touch here")
    book.is_caught("left behind in build/chapters/01-one: here")


def commands_see_three_descriptors(book):
    book.page("$ ls /proc/self/fd | tr '\\n' ' '; echo", "0 1 2 3")
    book.passes()


def block_of_root_runs_as_root_and_does_no_harm(book):
    before = os.uname().nodename
    book.page("# id -u", "0", "# hostname spoilt; hostname", "spoilt",
              "# mount -t tmpfs none /mnt; echo $?", "0")
    book.passes()
    expect(os.uname().nodename == before, "the machine keeps its name")
    with open("/proc/mounts", encoding="utf-8") as file:
        expect(" /mnt tmpfs" not in file.read(), "no mount leaks out")


def host_has_one_name_in_all_pages(book):
    book.page("# uname -n", "debian")
    book.passes()
    book.page("# uname -n", os.uname().nodename + "x", attributes='vary="host"')
    book.is_caught()


# ---- update, list, play -----------------------------------------------------------------

def update_writes_what_the_run_printed(book):
    book.page("$ echo two", "three", "$ echo $$", "4242", attributes='vary="pid"')
    status, said = book.console("update", "book/01-one.md")
    expect(status != 0, "update says that the program is not built", said)
    book.run("make", "-s", "programs")
    status, said = book.console("update", "book/01-one.md")
    expect(status == 0, "update works", said)
    text = book.read("book/01-one.md")
    expect("\ntwo\n" in text and "three" not in text, "the new output", text)
    book.passes()
    book.console("update", "book/01-one.md")
    expect(book.read("book/01-one.md") == text, "a page that is right stays", text)


def update_keeps_elided_lines(book):
    book.page("$ seq 9", "1", "...", "9", "$ echo b", "a")
    book.run("make", "-s", "programs")
    book.console("update", "book/01-one.md")
    text = book.read("book/01-one.md")
    expect("1\n...\n9\n$ echo b\nb\n" in text, "the three dots and the new line", text)


def list_names_each_block(book):
    status, said = book.console("list", "book/01-one.md")
    expect(status == 0 and "book/01-one.md:15  2 commands  $ ./one" in said,
           "the block with its line", said)


def play_without_a_terminal_runs_through(book):
    book.run("make", "-s", "programs")
    status, said = book.console("play", "book/01-one.md")
    expect(status == 0, "status 0", said)
    expect("The first" in said and "A run" in said and "$ ./one\n1\n" in said,
           "headings, commands, output", said)
    expect("\033" not in said, "no colours", said)


def play_goes_forth_and_back_and_quits(book):
    book.page("$ n=1; echo n=$n", "n=1", "$ n=$((n + 1)); echo n=$n", "n=2",
              "$ n=$((n + 1)); echo n=$n", "n=3")
    book.run("make", "-s", "programs")
    # Enter, Enter; a step back undoes the second; Enter runs it again.
    said = play_with_keys(book, "\n\nb\n\nq")
    expect(re.findall(r"^n=\d", said, re.M) == ["n=1", "n=2", "n=2", "n=3"],
           "n=1 n=2 (back) n=2 n=3", said)


def play_with_keys(book, keys):
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(book.folder)
        os.environ["NO_COLOR"] = "1"
        os.execv(sys.executable, [sys.executable, "tests/book/console.py", "play",
                                  "book/01-one.md"])
    said, keys, until = b"", list(keys), time.monotonic() + 20
    while time.monotonic() < until:
        # A key each time it has fallen silent at a prompt.
        ready, _, _ = select.select([terminal], [], [], 0.4)
        if ready:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            said += piece
        elif keys:
            os.write(terminal, keys.pop(0).encode())
    os.close(terminal)
    os.waitpid(pid, 0)
    return said.decode().replace("\r\n", "\n")


# ---- main ---------------------------------------------------------------------------------

def run(name, test):
    folder = tempfile.mkdtemp(prefix="a book ")
    try:
        test(Project(folder))
        return "ok", []
    except Failure as failure:
        return "FAIL", str(failure).splitlines()
    except (OSError, subprocess.SubprocessError) as error:
        return "FAIL", [f"{name}: {error}"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    tests = {name: test for name, test in globals().items()
             if callable(test) and getattr(test, "__code__", None)
             and test.__code__.co_varnames[:test.__code__.co_argcount] == ("book",)}
    count, tally = collections.Counter(), os.environ.get("WITNESS_TALLY")
    for name in sys.argv[1:] or tests:
        status, details = run(name, tests[name])
        count[status] += 1
        print(f"{status:<4} {name}", *("       " + line for line in details),
              sep="\n" if details else "", flush=True)
        if tally:
            with open(tally, "a", encoding="utf-8") as file:
                print("pass" if status == "ok" else status, "pipeline", name, "",
                      sep="\t", file=file)
    print(f"pipeline: {count['ok']} passed, {count['FAIL']} failed, 0 skipped")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
