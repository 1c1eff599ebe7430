-- contents.lua - the order of the parts, and each chapter's one idea.
--
-- A chapter is named by its topic; its number and its title come from its
-- page, and a chapter whose page does not exist yet is not shown.  A page
-- whose topic is not here stops the build.
return {
    {
        "Namespaces",
        { "preflight", "what this machine allows, what blocks the rest, and the remedy" },
        { "ipc", "a first box: message queues that only the inside can see" },
        { "pid", "one process, several numbers, and what it means to be number 1" },
        { "user", "root inside, nobody special outside, and who owns the file on disk" },
        { "inspect", "reading the machine's namespaces out of /proc" },
        { "setns", "walking into a box that somebody else made" },
        { "unshare", "leaving without a child, and namespaces that outlive their processes" },
        { "mount", "a mount table of one's own, and what leaks between two of them" },
        { "rootfs", "why chroot(2) is no wall, and pivot_root(2) is" },
        { "net", "a network card made of nothing, and the wire between two boxes" },
        { "time", "a box with an uptime of its own" },
    },
    {
        "Resources",
        { "cgroup", "how much: memory, tasks, processor time, and how a limit ends a process" },
        { "freezer", "stopping a tree of processes without their noticing" },
        { "delegate", "limits without root" },
    },
    {
        "Confinement",
        { "init", "the duties of process 1" },
        { "caps", "root in pieces, and which pieces to take away" },
        { "seccomp", "a filter in front of every system call" },
        { "lsm", "rules about files that even the owner can not change" },
    },
    {
        "What LXC is said to lack",
        { "overlay", "a hundred containers on one image" },
        { "quota", "how much disk" },
        { "checkpoint", "a process put to sleep on disk, and woken" },
        { "migrate", "a running container moves to another host" },
        { "adopt", "a process that already runs changes its container" },
    },
    {
        "The whole",
        { "vm", "container against virtual machine, measured" },
        { "minibox", "everything at once: a small container manager" },
    },
}
