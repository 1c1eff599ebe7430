#!/usr/bin/env python3
"""console.py - the console blocks of the book, run for real.

    console.py check PAGE...    run every block again, and compare
    console.py update PAGE...   write the real output into the pages
    console.py play [--no-pause] PAGE
                                the page as a live demo, a step at a time
    console.py list PAGE...     the blocks

Options before the verb: --build DIR (default: build).

A block is a session of one bash, in build/chapters/NN-topic (the project's
directory for a page without a program of its own).  Lines that begin with
"# " or "$ " were typed, all others came back.  A block typed at "#" runs as
root: directly when we are, else as root of a user namespace.  Where it may,
it runs in mount, UTS, IPC namespaces of its own, so that no page can hurt the
machine.  It has 30 seconds; then it is ended with all its descendants.

Output is compared word by word, after masking what the block's "vary" lists:
    pid   decimal numbers of two digits or more
    ns    the number in ipc:[4026531839]
    num   any decimal number, with its fraction
    time  a time of day, a date, a duration
    host  the machine's name; pages have "debian" for it
    /re/  whatever the regular expression matches
A masked value keeps its identity: where the page has one value twice, the run
must, too; and with pid and ns, what differs on the page differs in the run.
"""
import argparse
import collections
import concurrent.futures
import ctypes
import difflib
import fcntl
import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
import textwrap
import time
import tty

BOUND = float(os.environ.get("BOOK_BOUND", "30"))  # seconds for a block
MOST_OUTPUT = 1 << 20    # bytes of a block
WIDTH, HEIGHT = 76, 25   # what a page has room for
HOST = "debian"          # every page's host name
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

libc = ctypes.CDLL(None, use_errno=True)


class PageError(Exception):
    """A mistake in a page: PAGE:LINE: what is wrong."""


# ---- pages and blocks -----------------------------------------------------------

class Step:
    """One command, and what came back."""

    def __init__(self, prompt, line):
        self.prompt, self.line = prompt, line
        self.typed = []     # as it stands on the page, without the prompt
        self.output = []

    @property
    def command(self):
        return "\n".join(self.typed)


class Block:
    def __init__(self, page, line, heading, attributes):
        self.page, self.line, self.heading = page, line, heading
        self.indent = ""
        self.steps = []
        self.only = attributes.get("only")
        self.vary = attributes.get("vary", "")
        self.end = line     # the line of the closing fence
        if self.only not in (None, "root", "user"):
            raise PageError(f'{page}:{line}: only="{self.only}" is neither root nor user')
        try:
            self.mask = Mask(self.vary)
        except ValueError as error:
            raise PageError(f"{page}:{line}: {error}") from None

    @property
    def where(self):
        return f"{self.page}:{self.line}"

    @property
    def prompt(self):
        return self.steps[0].prompt

    def text(self):
        """The block's lines as the page has them."""
        for step in self.steps:
            yield from (f"{step.prompt} {line}" if i == 0 else line
                        for i, line in enumerate(step.typed))
            yield from step.output


FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*(.*)$")
ATTRIBUTE = re.compile(r'([\w-]+)=(?:"((?:\\.|[^"\\])*)"|(\S+))')


def parse_attributes(text):
    return {name: quoted if bare == "" else bare
            for name, quoted, bare in ATTRIBUTE.findall(text)}


def read_blocks(page):
    """The console blocks of a page, in order."""
    with open(page, encoding="utf-8") as file:
        lines = file.read().split("\n")
    blocks, heading, fence, block = [], "", None, None
    for number, line in enumerate(lines, 1):
        match = FENCE.match(line)
        if fence is None:
            if match:
                fence = match[2]
                info = match[3]
                if re.match(r"\{[^}]*\.console\b", info):
                    block = Block(page, number, heading,
                                  parse_attributes(info.strip("{} ")))
                    block.indent = match[1]
            elif re.match(r"#{1,4} ", line):
                heading = re.sub(r"\s*\{[^}]*\}\s*$", "", line.lstrip("# "))
        elif match and match[2].startswith(fence) and not match[3]:
            if block:
                if not block.steps:
                    raise PageError(f"{block.where}: a console block without a command")
                block.end = number
                blocks.append(block)
            fence = block = None
        elif block:
            add_line(block, number, line.removeprefix(block.indent))
    if fence is not None:
        raise PageError(f"{page}:{len(lines)}: a code block is never closed")
    return blocks


def add_line(block, number, line):
    steps = block.steps
    if steps and not steps[-1].output and steps[-1].typed[-1].endswith("\\"):
        steps[-1].typed.append(line)
    elif re.match(r"[#$] ", line):
        if steps and steps[0].prompt != line[0]:
            raise PageError(f"{block.page}:{number}: one block has one prompt: "
                            f'"{steps[0].prompt}" before, "{line[0]}" here')
        steps.append(Step(line[0], number))
        steps[-1].typed.append(line[2:])
    elif not steps:
        raise PageError(f"{block.page}:{number}: output before the first command")
    else:
        steps[-1].output.append(line)


# ---- masks, and the comparison -----------------------------------------------------

class Mask:
    """What may vary from run to run: cuts a line into text and values."""

    CLASSES = {
        "ns": r"(?<=:\[)\d+(?=\])",
        "time": r"\d{4}-\d\d-\d\d|\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
                r"|\d+(?:\.\d+)?\s?(?:ns|us|µs|ms|s)\b",
        "num": r"(?<![\d.])\d+(?:\.\d+)?(?!\d)",
        "pid": r"(?<!\w)\d{2,}(?!\w)",
    }
    ONE_TO_ONE = ("pid", "ns")

    def __init__(self, vary):
        self.names = []
        parts = []
        words = re.findall(r"/(?:\\.|[^/\\])+/|\S+", vary)
        order = ["host", *self.CLASSES]
        # The sharper ones first: a /re/ before a class, ns before num.
        words.sort(key=lambda w: order.index(w) if w in order else -1)
        for word in words:
            if word == "host":
                expression = rf"\b(?:{HOST}|{re.escape(os.uname().nodename)})\b"
            elif word in self.CLASSES:
                expression = self.CLASSES[word]
            elif len(word) > 2 and word[0] == word[-1] == "/":
                expression = word[1:-1]
                if re.compile(expression).groups:
                    expression = re.sub(r"(?<!\\)\((?!\?)", "(?:", expression)
            else:
                raise ValueError(f'vary="{vary}": "{word}" is neither a class nor a /re/')
            try:
                re.compile(expression)
            except re.error as error:
                raise ValueError(f'vary="{vary}": {word}: {error}') from None
            parts.append(f"(?P<m{len(self.names)}>{expression})")
            self.names.append(word)
        self.pattern = re.compile("|".join(parts)) if parts else None

    def cut(self, line, on_page):
        """[text, (class, value), text, ...]"""
        pieces, end = [], 0
        for match in self.pattern.finditer(line) if self.pattern else ():
            if match.start() == match.end():
                continue
            name = self.names[int(match.lastgroup[1:])]
            value = match[0]
            if name == "host":
                if on_page and value != HOST:
                    continue    # true here, and nowhere else
                value = HOST
            pieces += [line[end:match.start()], (name, value)]
            end = match.end()
        pieces.append(line[end:])
        if len(pieces) > 1:
            # A longer number moves its neighbours: let blanks give way.
            pieces = [re.sub(r" {2,}", " ", p) if isinstance(p, str) else p
                      for p in pieces]
            if pieces[0].isspace():
                pieces[0] = ""
        return pieces


class Names:
    """Which value of the run stands for which value of the page."""

    def __init__(self, forth=None, back=None):
        self.forth, self.back = forth or {}, back or {}

    def with_pair(self, name, page, run):
        """A copy that has this pair too; None when it contradicts."""
        if self.forth.get((name, page), run) != run:
            return None
        if name in Mask.ONE_TO_ONE and self.back.get((name, run), page) != page:
            return None
        return Names({**self.forth, (name, page): run}, {**self.back, (name, run): page})


def match_line(page, run, mask, names):
    """The names after these two lines; None when they differ."""
    ours, theirs = mask.cut(page.rstrip(), True), mask.cut(run.rstrip(), False)
    if len(ours) != len(theirs):
        return None
    for a, b in zip(ours, theirs):
        if isinstance(a, str):
            if a != b:
                return None
        elif a[0] != b[0]:
            return None
        else:
            names = names.with_pair(a[0], a[1], b[1])
            if names is None:
                return None
    return names


def match_lines(page, run, mask, names):
    """As match_line, for many; a line "..." is any number of lines."""
    i = 0
    while i < len(page) and page[i] != "...":
        if i >= len(run):
            return None
        names = match_line(page[i], run[i], mask, names)
        if names is None:
            return None
        i += 1
    if i == len(page):
        return names if i == len(run) else None
    for skip in range(i, len(run) + 1):
        matched = match_lines(page[i + 1:], run[skip:], mask, names)
        if matched is not None:
            return matched
    return None


# ---- processes -------------------------------------------------------------------

def become_subreaper():
    """From now on, orphaned descendants become our children."""
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def descendants(of):
    children = collections.defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            children[int(fields[1])].append(int(name))
    found, queue = [], [of]
    while queue:
        more = children[queue.pop()]
        found += more
        queue += more
    return found


def end_descendants():
    """Ends and reaps every process below us.  Needs become_subreaper()."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        below = descendants(os.getpid())
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for pid in below:
                try:
                    os.kill(pid, signum)
                except (ProcessLookupError, PermissionError):
                    pass
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        select.select([], [], [], 0.005)
    raise RuntimeError(f"could not end these processes: {descendants(os.getpid())}")


class Hung(Exception):
    """The block's time is over."""


class Gone(Exception):
    """The block's shell ended before its last command did."""


# Reads commands from descriptor 9, reports each one's status on 8; while a command
# runs, both are closed, so that it sees 0, 1 and 2 only.
LOOP = r"""
__status() { return "$1"; }
__s=0
while IFS= read -r -d '' -u 9 __command; do
    __status "$__s"
    eval "$__command" 8>&- 9<&-
    __s=$?
    printf '%d\n' "$__s" >&8
done
"""
LOCATION = re.compile(r"^bash: (?:eval: )?line \d+: ")


def is_closed(path):
    """Is there a directory on the way to PATH that not everybody may pass?"""
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            return True
    return False


# A clone below a closed /root is shown to other users of a block at another place:
# the mount is gone with the block's mount namespace.
OPEN_PLACE = 'mount --bind "$1" /mnt && cd "/mnt${PWD#"$1"}"'


def namespaces(block):
    """The command that the block's shell is started under."""
    project = os.getcwd()
    opened = OPEN_PLACE if os.geteuid() == 0 and is_closed(project) else ":"
    if os.geteuid() == 0:
        rooms = "-uim"
    elif block.prompt == "#":
        rooms = "-Uruim"
    else:
        return []
    return ["unshare", rooms, "--propagation", "private", "--", "sh", "-c",
            f'hostname {HOST} && {opened} && shift && exec "$@"', "sh", project]


def environment():
    """The same for everybody, but for what a user's session manager gives."""
    wanted = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "80",
        "SHELL": "/bin/bash",
    }
    for name in ("HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR",
                 "DBUS_SESSION_BUS_ADDRESS"):
        if name in os.environ:
            wanted[name] = os.environ[name]
    return wanted


class Session:
    """A bash for one block."""

    def __init__(self, block, directory):
        commands, self.commands = os.pipe()
        self.reports, reports = os.pipe()
        # Its other end stays open here, too: it never comes to an end of file.
        self.output, self.also_output = os.pipe()
        shell = [*namespaces(block), "bash", "--norc", "--noprofile", "-c", LOOP, "bash"]
        if os.fork() == 0:
            self.become(shell, directory, commands, reports)
        os.close(commands)
        os.close(reports)
        os.set_blocking(self.output, False)
        self.until = time.monotonic() + BOUND

    def become(self, shell, directory, commands, reports):
        """In the child: the shell, in a session of its own.  Does not return."""
        try:
            for signum in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, signal.SIG_DFL)
            os.setsid()
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os.umask(0o022)
            os.chdir(directory)
            wanted = {0: os.open("/dev/null", os.O_RDONLY), 1: self.also_output,
                      2: self.also_output, 8: reports, 9: commands}
            # First all out of the way, then each into its place.
            high = {fd: fcntl.fcntl(old, fcntl.F_DUPFD, 10) for fd, old in wanted.items()}
            for fd, old in high.items():
                os.dup2(old, fd)
            os.closerange(3, 8)
            os.closerange(10, 4096)
            os.execvpe(shell[0], shell, environment())
        except OSError as error:
            os.write(2, f"{shell[0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def run(self, command, live=None):
        """Types a command; returns the lines that came back."""
        os.write(self.commands, command.encode() + b"\0")
        data, report = b"", b""
        while b"\n" not in report:
            left = self.until - time.monotonic()
            if left <= 0:
                raise Hung(text_of(data))
            ready, _, _ = select.select([self.output, self.reports], [], [], left)
            if self.output in ready:
                data += self.drain(live)
                if len(data) > MOST_OUTPUT:
                    raise Hung(text_of(data))
            elif self.reports in ready:
                piece = os.read(self.reports, 64)
                if not piece:
                    raise Gone(text_of(data + self.drain(live)))
                report += piece
        data += self.drain(live)
        return text_of(data)

    def drain(self, live):
        """What is there to be read now, without waiting."""
        data = b""
        while len(data) < MOST_OUTPUT:
            try:
                piece = os.read(self.output, 65536)
            except BlockingIOError:
                break
            data += piece
        if live and data:
            live(data)
        return data

    def close(self):
        for fd in (self.commands, self.reports, self.output, self.also_output):
            os.close(fd)
        end_descendants()


def text_of(data):
    """Output as lines, without what only our way of running it added."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    return [LOCATION.sub("bash: ", line) for line in lines]


# ---- running a block -----------------------------------------------------------------

def directory_of(page, build):
    name = os.path.basename(page).removesuffix(".md")
    topic = name.partition("-")[2]
    if not os.path.exists(f"chapters/{name}/{topic}.c"):
        return "."
    directory = f"{build}/chapters/{name}"
    if not os.access(f"{directory}/{topic}", os.X_OK):
        raise PageError(f"{page}: {directory}/{topic} is not there: run make build")
    return directory


def real_root():
    """Root of the machine, not of a user namespace."""
    if os.geteuid() != 0:
        return False
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return file.read().split() == ["0", "0", "4294967295"]


USABLE = None


def user_namespaces_work():
    global USABLE  # pylint: disable=global-statement
    if USABLE is None:
        USABLE = subprocess.run(["unshare", "-Uruim", "true"], capture_output=True,
                                timeout=10, check=False).returncode == 0
    return USABLE


def why_skip(block):
    """(reason, remedy) when the block can not run here; else None."""
    if block.only == "root" and not real_root():
        return "needs real root", "run make check-book as root, or in make vm"
    if block.only == "user" and os.geteuid() == 0:
        return "needs an ordinary user", "run make check-book as one"
    if block.prompt == "#" and os.geteuid() != 0 and not user_namespaces_work():
        return ("no user namespaces for an ordinary user",
                "build/chapters/00-preflight/preflight names the layer; or run as root")
    return None


def run_block(block, directory):
    """[lines of each step], and what went wrong (or None)."""
    outputs, wrong = [], None
    before = set(os.listdir(directory))
    session = Session(block, directory)
    try:
        for step in block.steps:
            outputs.append(session.run(step.command))
    except Hung as hung:
        outputs.append(hung.args[0])
        wrong = f"line {step.line}: ended after {BOUND:g} seconds: {step.typed[0]}"
        if sum(map(len, outputs[-1])) > MOST_OUTPUT / 2:
            wrong = f"line {step.line}: endless output: {step.typed[0]}"
    except (Gone, BrokenPipeError) as gone:
        outputs.append(gone.args[0] if isinstance(gone, Gone) else [])
        wrong = f"line {step.line}: the shell is gone: {step.typed[0]}"
    finally:
        session.close()
    left = set(os.listdir(directory)) - before
    if directory != "." and left and not wrong:
        wrong = f"left behind in {directory}: {' '.join(sorted(left))}"
    return outputs, wrong


def match_block(block, outputs):
    names = Names()
    if len(outputs) != len(block.steps):
        return None
    for step, lines in zip(block.steps, outputs):
        names = match_lines(step.output, lines, block.mask, names)
        if names is None:
            return None
    return names


def as_page(block, outputs):
    """The block's text, with other outputs."""
    for step, lines in zip(block.steps, outputs):
        yield from (f"{step.prompt} {line}" if i == 0 else line
                    for i, line in enumerate(step.typed))
        yield from lines


def differing(block, outputs):
    """The outputs, but the page's own where the two agree."""
    names = Names()
    for step, lines in zip(block.steps, outputs):
        after = match_lines(step.output, lines, block.mask, names)
        if after is not None:
            names = after
            yield step.output
        else:
            yield lines


def first_difference(block, outputs):
    """PAGE:LINE where the run leaves the page, and in which way."""
    names = Names()
    for step, lines in zip(block.steps, outputs):
        if "..." in step.output:
            after = match_lines(step.output, lines, block.mask, names)
            if after is None:
                return step.line, None
            names = after
            continue
        for i, line in enumerate(step.output):
            after = match_line(line, lines[i], block.mask, names) \
                if i < len(lines) else None
            if after is None:
                identity = i < len(lines) and match_line(
                    line, lines[i], block.mask, Names())
                return step.line + len(step.typed) + i, bool(identity)
            names = after
        if len(lines) > len(step.output):
            return step.line + len(step.typed) + len(step.output), None
    return block.line, None


def budget(block):
    """Wider or longer than a page has room for?"""
    for offset, line in enumerate(block.text(), 1):
        if len(line) > WIDTH:
            return f"line {block.line + offset}: {len(line)} columns; a page has {WIDTH}"
    height = sum(len(step.output) for step in block.steps)
    if height > HEIGHT:
        return f"{height} lines of output; a page has room for {HEIGHT}"
    return None


def check_block(block, directory):
    """("ok" | "FAIL" | "skip", details)"""
    skip = why_skip(block)
    if skip:
        return "skip", [f"reason: {skip[0]}", f"remedy: {skip[1]}"]
    wide = budget(block)
    if wide:
        return "FAIL", [wide]
    outputs, wrong = run_block(block, directory)
    if wrong is None and match_block(block, outputs) is not None:
        return "ok", []
    details = [wrong] if wrong else []
    if not wrong:
        line, identity = first_difference(block, outputs)
        details.append(f"{block.page}:{line}: " + (
            "the same value on the page is not the same in the run (or the other way round)"
            if identity else "the run differs from the page"))
    shown = [step.output for step in block.steps[:len(outputs)]]
    details += list(difflib.unified_diff(
        list(as_page(block, shown)), list(as_page(block, differing(block, outputs))),
        "expected (the page)", "got (the run)", lineterm="", n=2))[:60]
    return "FAIL", details


# ---- check, update, list ---------------------------------------------------------------

def check_page(page, build):
    """Every block of a page: [(status, where, command, details)]"""
    results = []
    try:
        directory = directory_of(page, build)
        for block in read_blocks(page):
            status, details = check_block(block, directory)
            results.append((status, block.where, block.steps[0].typed[0], details))
    except (PageError, OSError) as error:
        results.append(("FAIL", page, "", [str(error)]))
    return results


def check_elsewhere(page, build):
    """check_page in a process of its own, which alone reaps its orphans."""
    done = subprocess.run(
        [sys.executable, os.path.abspath(__file__), "--build", build, "check", "--json", page],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return [("FAIL", page, "", [f"the check itself ended with {done.returncode}",
                                    *done.stderr.splitlines()])]


def check_pages(pages, build):
    """The results, page by page; two pages at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        try:
            yield from pool.map(lambda page: check_elsewhere(page, build), pages)
        except (KeyboardInterrupt, SystemExit):
            pool.shutdown(wait=False, cancel_futures=True)
            end_descendants()
            raise


def report(status, where, what, details, file=sys.stdout):
    print(f"{status:<4} {where}" + (f"  {what}" if what else ""), file=file)
    for line in details:
        print(f"       {line}", file=file)
    file.flush()


def verb_check(options):
    become_subreaper()
    if options.json:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        print(json.dumps(check_page(options.page[0], options.build)))
        return 0
    tally = collections.Counter()
    for results in check_pages(options.page, options.build):
        for status, where, command, details in results:
            tally[status] += 1
            report(status, where, command, details)
    print(f"console: {tally['ok']} passed, {tally['FAIL']} failed, {tally['skip']} skipped")
    return 1 if tally["FAIL"] else 0


def hide_host(block, lines):
    """The page's host name for the machine's own."""
    if "host" not in block.vary.split():
        return lines
    return [re.sub(rf"\b{re.escape(os.uname().nodename)}\b", HOST, line)
            for line in lines]


def in_this_run(step, names, block):
    """A step's output as the page has it, with this run's values."""
    lines = []
    for line in step.output:
        end, out = 0, ""
        for match in block.mask.pattern.finditer(line) if block.mask.pattern else ():
            name = block.mask.names[int(match.lastgroup[1:])]
            out += line[end:match.start()]
            out += names.forth.get((name, match[0]), match[0])
            end = match.end()
        lines.append(out + line[end:])
    return lines


def update_block(block, outputs):
    """The block's new lines; None when the page already has them."""
    if match_block(block, outputs) is not None:
        return None
    names, new = Names(), []
    for step, lines in zip(block.steps, outputs):
        after = match_lines(step.output, lines, block.mask, names)
        if after is not None and "..." in step.output:
            names = after
            new.append(in_this_run(step, names, block))
        else:
            new.append(hide_host(block, lines))
    return list(as_page(block, new))


def verb_update(options):
    become_subreaper()
    failed = False
    for page in options.page:
        with open(page, encoding="utf-8") as file:
            lines = file.read().split("\n")
        directory = directory_of(page, options.build)
        for block in reversed(read_blocks(page)):
            skip = why_skip(block)
            if skip:
                report("skip", block.where, "", [f"reason: {skip[0]}", f"remedy: {skip[1]}"])
                continue
            outputs, wrong = run_block(block, directory)
            if wrong:
                report("FAIL", block.where, wrong, [])
                failed = True
                continue
            new = update_block(block, outputs)
            if new is None:
                report("same", block.where, block.steps[0].typed[0], [])
                continue
            lines[block.line:block.end - 1] = [
                (block.indent + line).rstrip() for line in new]
            report("new", block.where, block.steps[0].typed[0], [])
        text = "\n".join(lines)
        with open(page, encoding="utf-8") as file:
            if file.read() == text:
                continue
        # Whole or not at all, whatever interrupts us.
        with open(page + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(page + ".new", page)
    return 1 if failed else 0


def verb_list(options):
    for page in options.page:
        for block in read_blocks(page):
            notes = [f'vary="{block.vary}"'] if block.vary else []
            notes += [f'only="{block.only}"'] if block.only else []
            print(f"{block.where}  {len(block.steps)} command"
                  f"{'s' if len(block.steps) > 1 else ''}  "
                  f"{block.prompt} {block.steps[0].typed[0]}"
                  + ("   " + " ".join(notes) if notes else ""))
    return 0


# ---- play -------------------------------------------------------------------------------

class Stage:
    """Where a demo is shown: a terminal, or not."""

    def __init__(self, pause):
        self.coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.pausing = pause and sys.stdin.isatty() and sys.stdout.isatty()

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.coloured else text

    def say(self, text=""):
        print(text, flush=True)

    def heading(self, text):
        plain = re.sub(r"[`*]", "", text)
        self.say("\n" + self.paint("1;36", textwrap.fill(plain, 76)))

    def command(self, step):
        for i, line in enumerate(step.typed):
            prompt = self.paint("32", step.prompt) + " " if i == 0 else ""
            self.say(prompt + self.paint("1", line))

    def live(self, data):
        sys.stdout.flush()
        sys.stdout.buffer.write(re.sub(rb"(?m)^bash: (eval: )?line \d+: ", b"bash: ", data))
        sys.stdout.flush()

    def key(self):
        """next, back or quit: what the lecturer wants."""
        if not self.pausing:
            return "next"
        fd = sys.stdin.fileno()
        saved = termios.tcgetattr(fd)
        try:
            tty.setcbreak(fd)
            while True:
                pressed = os.read(fd, 1)
                if pressed in (b"", b"q", b"\x04"):
                    return "quit"
                if pressed in (b"\n", b"\r", b" ", b"n"):
                    return "next"
                if pressed in (b"b", b"\x7f"):
                    return "back"
        finally:
            termios.tcsetattr(fd, termios.TCSADRAIN, saved)


def play_block(stage, block, directory, at):
    """Plays from step AT; returns next, back or quit; and failed or not."""
    session = None
    try:
        while True:
            if session is None:
                # The step back: a new shell, the earlier commands unseen.
                session = Session(block, directory)
                for step in block.steps[:at]:
                    session.until = time.monotonic() + BOUND
                    session.run(step.command)
            if at == len(block.steps):
                return "next", False
            stage.command(block.steps[at])
            want = stage.key()
            if want == "quit":
                return "quit", False
            if want == "back":
                session.close()
                session = None
                if at == 0:
                    return "back", False
                at -= 1
                stage.say(stage.paint("2", "(one step back)"))
                continue
            session.until = time.monotonic() + BOUND
            session.run(block.steps[at].command, stage.live)
            at += 1
    except (Hung, Gone, BrokenPipeError) as error:
        stage.say(stage.paint("31", f"{block.where}: " + (
            f"ended after {BOUND:g} seconds" if isinstance(error, Hung)
            else "the shell is gone")))
        return "next", True
    finally:
        if session:
            session.close()


def verb_play(options):
    page = options.page[0]
    become_subreaper()
    blocks, directory = read_blocks(page), directory_of(page, options.build)
    stage = Stage(not options.no_pause)
    with open(page, encoding="utf-8") as file:
        title = re.sub(r"\s*\{[^}]*\}\s*$", "", file.readline().lstrip("# "))
    stage.heading(title)
    if stage.pausing:
        stage.say(stage.paint("2", "Enter: next   b: back   q: quit"))
    failed, n, at, heading = False, 0, 0, title
    while n < len(blocks):
        block = blocks[n]
        if block.heading != heading:
            heading = block.heading
            stage.heading(heading)
        else:
            stage.say()
        skip = why_skip(block)
        if skip:
            stage.say(stage.paint("33", f"left out: {skip[0]} ({skip[1]})"))
            n, at = n + 1, 0
            continue
        want, broken = play_block(stage, block, directory, at)
        failed = failed or broken
        if want == "quit":
            break
        if want == "back":
            n = max((i for i in range(n) if not why_skip(blocks[i])), default=n)
            at = len(blocks[n].steps) - 1 if blocks[n] is not block else 0
            stage.say(stage.paint("2", "(one step back)"))
        else:
            n, at = n + 1, 0
    return 1 if failed else 0


def leave_tidily():
    """On a signal, every session is ended with all its descendants."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave(signum, _frame):
        for other in signals:       # a second one must not stop the tidying
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + signum)

    for signum in signals:
        signal.signal(signum, leave)


# ---- main -------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(
        prog="console.py", description=__doc__.partition("\n")[0],
        epilog="See the head of this file.")
    parser.add_argument("--build", default="build")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, verb in (("check", verb_check), ("update", verb_update),
                       ("play", verb_play), ("list", verb_list)):
        sub = verbs.add_parser(name)
        sub.add_argument("page", nargs=1 if name == "play" else "+")
        if name == "play":
            sub.add_argument("--no-pause", action="store_true")
        if name == "check":
            sub.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
        sub.set_defaults(run=verb)
    options = parser.parse_args()

    leave_tidily()
    try:
        return options.run(options)
    except BrokenPipeError:
        return 141
    except (PageError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
