/*
 * sync.c - named steps over a socket pair.  See sync.h.
 */
#include "sync.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct message {
    enum sync_step step;
    struct error error;
};

int sync_open(struct sync *sync, struct error *error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
        return fail_call(error, NULL, "socketpair");
    sync->supervisor = pair[0];
    sync->child = pair[1];
    return 0;
}

void sync_keep(struct sync *sync, int *end)
{
    int *other = end == &sync->child ? &sync->supervisor : &sync->child;

    close_descriptor(other);
    *other = -1;
}

int sync_tell(int end, enum sync_step step, struct error *error)
{
    struct message message = {.step = step};

    if (send(end, &message, sizeof(message), MSG_NOSIGNAL) == -1)
        return fail_call(error, NULL, "send to the container's init");
    return 0;
}

void sync_fail(int end, const struct error *error)
{
    struct message message = {.step = SYNC_FAILED, .error = *error};

    /* A supervisor that is gone needs no reason. */
    (void)send(end, &message, sizeof(message), MSG_NOSIGNAL);
}

int sync_hear(int end, struct error *error)
{
    struct message message;
    ssize_t length;

    /* When the other side ends without having read all, the kernel says so
     * once, with ECONNRESET, before it hands out what that side sent. */
    do
        length = recv(end, &message, sizeof(message), 0);
    while (length == -1 && (errno == EINTR || errno == ECONNRESET));
    if (length == -1)
        return fail_call(error, NULL, "recv from the other side");
    if (length == 0)
        return SYNC_ENDED;
    if (message.step == SYNC_FAILED) {
        *error = message.error;
        return -1;
    }
    return message.step;
}

int sync_alone(int end)
{
    char byte;

    return recv(end, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}
