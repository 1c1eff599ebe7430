/*
 * sync.h - the channel between the supervisor and the container.
 *
 * A socket pair of whole messages.  Each message is one step of the story in
 * container.c, by its name; an error travels in it as well.  Nobody has to
 * guess how long the other side needs, and nobody waits for the dead: when
 * all ends of one side are closed, the other side reads the end of file.
 * The last step, "the command runs", is just that: execve(2) closes the
 * descriptor.
 *
 * socketpair(2), unix(7) on SOCK_SEQPACKET
 */
#ifndef SYNC_H
#define SYNC_H

#include "err.h"

enum sync_step {
    SYNC_ENDED,  /* end of file: the other side runs the command, or died */
    SYNC_PLACED, /* to the child: your IDs are mapped, your groups entered */
    SYNC_FAILED  /* to the supervisor: an error, and the end */
};

struct sync {
    int supervisor, child; /* descriptors, -1 when closed */
};

int sync_open(struct sync *sync, struct error *error);

/* Each side keeps its own end only. */
void sync_keep(struct sync *sync, int *end);

/* Says that STEP is done.  Never waits, never raises SIGPIPE. */
int sync_tell(int end, enum sync_step step, struct error *error);

/* Hands ERROR to the supervisor. */
void sync_fail(int end, const struct error *error);

/* Waits for the next step, and says which.  A SYNC_FAILED fills ERROR and
 * returns -1. */
int sync_hear(int end, struct error *error);

/* Has the other side ended?  Does not wait. */
int sync_alone(int end);

#endif
