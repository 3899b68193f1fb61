/*
 * scribble.c - a task that writes what it likes over all that its worker shares with the parent.
 */
#include "storm.h"

#include "../../executor/processes/both/wire_internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

static void *find_mapping(const char *rights, size_t wanted)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, to;
    char line[512], has[8];
    void *found = NULL;

    while (maps && !found && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, has) == 3 && !strcmp(has, rights) &&
            to - from == ((wanted + 4095) & ~4095ul))
            found = (void *)from;
    }
    if (maps)
        fclose(maps);
    return found;
}

static void send_garbage(struct dice *d)
{
    struct soon__message message = {.magic = SOON__CHANNEL_MAGIC,
                                    .kind = one_in(d, 2) ? SOON__MESSAGE_DESCRIPTORS : below(d, 4),
                                    .version = SOON__CHANNEL_VERSION,
                                    .table_size = roll(d) >> below(d, 64),
                                    .function_count = (uint32_t)roll(d),
                                    .slot = below(d, 80),
                                    .sequence = roll(d) >> below(d, 60)};
    int fds[6] = {open("/dev/zero", O_RDWR), memfd_create("x", MFD_ALLOW_SEALING), 1, 2, open("/", O_RDONLY), 0};
    struct iovec iov = {&message, one_in(d, 4) ? below(d, sizeof message) : sizeof message};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof fds)];
    } control = {0};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    unsigned count = below(d, 7);

    if (one_in(d, 2))
        (void)!ftruncate(fds[1], 5 << 20);
    if (one_in(d, 2))
        fcntl(fds[1], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    if (count) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    (void)sendmsg(SOON__FD_CONTROL, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    for (int i = 0; i < 5; i++) {
        if (i != 2 && i != 3)
            close(fds[i]);
    }
}

static void forge_reply(struct dice *d, struct soon__replies *replies, const struct soon__requests *requests,
                        uint64_t at)
{
    struct soon__reply *reply = &replies->reply[at % SOON__REPLIES];
    uint32_t slot = below(d, SOON__SLOTS);
    static const uint64_t sizes[] = {
        0, 1, 4, 8, 16, 17, 48, 49, 4096, 4 << 20, 16 << 20, (16 << 20) + 1, UINT64_MAX, UINT64_MAX - 15};

    reply->slot = one_in(d, 8) ? below(d, 100) : slot;
    reply->sequence = one_in(d, 8) ? roll(d) : requests->request[slot].sequence;
    reply->result_size = sizes[below(d, 14)];
    reply->payload_size = one_in(d, 2) ? 0 : sizes[below(d, 14)];
    reply->message_size = one_in(d, 2) ? 0 : (uint32_t)sizes[below(d, 14)];
    reply->offset = one_in(d, 2) ? 0 : sizes[below(d, 14)];
    reply->first = one_in(d, 2) ? 0 : below(d, 100);
    reply->count = one_in(d, 2) ? 1 : roll(d) >> below(d, 64);
    reply->kind = below(d, 5);
    reply->flags = one_in(d, 2) ? 0 : below(d, 512) | (one_in(d, 4) ? below(d, 16) << SOON__REPLY_BESIDE_SENT_AT : 0);
    reply->code = one_in(d, 2) ? 0 : -(int)below(d, 6000);
    reply->raised = (int)roll(d);
    atomic_store(&reply->number, one_in(d, 10) ? roll(d) : at + 1);
}

SOON_TASK_DEFINE(rave)
{
    struct dice d = {arg->ticket * UINT64_C(977) + (uint64_t)arg->n};
    struct soon__replies *replies = find_mapping("rw-s", sizeof *replies);
    const struct soon__requests *requests = find_mapping("r--s", sizeof *requests);
    unsigned char *area = find_mapping("rw-s", SOON__REPLY_AREA);
    uint64_t published = 0, one = 1;

    count_start(task, arg->ticket);
    if (!replies || !requests || !area)
        _exit(98);
    for (int i = 0; i < SOON__REPLIES; i++)
        published = replies->reply[i].number > published ? replies->reply[i].number : published;
    for (int i = 0; i < 400; i++) {
        switch (below(&d, 9)) {
        case 0:
            ((uint32_t *)replies)[below(&d, sizeof *replies / 4)] = (uint32_t)(roll(&d) >> below(&d, 64));
            break;
        case 1:
            send_garbage(&d);
            break;
        case 2:
        case 3:
        case 4:
            forge_reply(&d, replies, requests, published);
            published += !one_in(&d, 12);
            break;
        case 5:
            replies->claims[below(&d, SOON__SLOTS)] =
                one_in(&d, 2)
                    ? roll(&d)
                    : soon__slot_word(requests->request[below(&d, SOON__SLOTS)].sequence - below(&d, 3), below(&d, 4));
            break;
        case 6:
            memset(area + below(&d, SOON__REPLY_AREA - 4096), (int)roll(&d), 4096);
            break;
        case 7: {
            struct soon__status *s = &replies->status[below(&d, SOON__SLOTS)];

            s->items_finished = roll(&d) >> below(&d, 64);
            s->items_first = roll(&d) >> below(&d, 64);
            s->items_offset = roll(&d) >> below(&d, 64);
            s->item = roll(&d) >> below(&d, 64);
            s->started_ns = (int64_t)(roll(&d) >> below(&d, 64));
            s->progress_sequence = (uint32_t)roll(&d);
            break;
        }
        default:
            (void)!write(SOON__FD_BELL, &one, sizeof one);
            if (one_in(&d, 20))
                fcntl(SOON__FD_BELL, F_SETFL, below(&d, 2) ? O_NONBLOCK : 0);
            if (one_in(&d, 40))
                nap_us(300);
        }
    }
    (void)!write(SOON__FD_BELL, &one, sizeof one);
    if (arg->n % 2)
        nap_us(3000);
    _exit(7);
}
