/*
 * servers.c - a list of servers, read.
 *
 * An entry is HOST, HOST:PORT, [IPV6] or [IPV6]:PORT. An IPv6 address without brackets has several colons, and so no
 * port. A host is a name or an address, and is looked up only when it is needed.
 */
#include "servers_internal.h"

#include "../../../futures/refuse_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT "4730"
#define SPACE " \t\n"
enum { HOST_MAX = 253, PORT_DIGITS = 5, PORT_MAX = 65535 };

struct piece {
    const char *at;
    size_t size;
};

static int refuse(struct piece entry, const char *why)
{
    return soon__refuse(-EINVAL, "the server \"%.*s\" %s", (int)(entry.size < 100 ? entry.size : 100), entry.at, why);
}

static bool is_port(struct piece port)
{
    unsigned number = 0;

    for (size_t i = 0; i < port.size && i < PORT_DIGITS; i++) {
        if (port.at[i] < '0' || port.at[i] > '9')
            return false;
        number = 10 * number + (unsigned)(port.at[i] - '0');
    }
    return port.size <= PORT_DIGITS && number > 0 && number <= PORT_MAX;
}

static bool is_host(struct piece host)
{
    for (size_t i = 0; i < host.size; i++) {
        if ((unsigned char)host.at[i] <= ' ' || strchr("/@[]\"", host.at[i]))
            return false;
    }
    return host.size > 0 && host.size <= HOST_MAX;
}

/* Takes the host off `rest`. What stays is "", or ":PORT". */
static int take_host(struct piece entry, struct piece *rest, struct piece *ret)
{
    const char *end, *first = memchr(entry.at, ':', entry.size);

    *ret = *rest = entry;
    if (*entry.at == '[') {
        end = memchr(entry.at, ']', entry.size);
        if (!end)
            return refuse(entry, "has a bracket that is not closed");
        *ret = (struct piece){entry.at + 1, (size_t)(end - entry.at) - 1};
        rest->at = end + 1;
    } else if (first && !memchr(first + 1, ':', entry.size - (size_t)(first + 1 - entry.at))) {
        ret->size = (size_t)(first - entry.at);
        rest->at = first;
    } else {
        rest->at += entry.size;
    }
    rest->size = entry.size - (size_t)(rest->at - entry.at);
    return is_host(*ret) ? 0 : refuse(entry, "has no host that could be one");
}

static int split(struct piece entry, struct piece *ret_host, struct piece *ret_port)
{
    struct piece rest = {NULL, 0};
    int rc = entry.size > 0 ? take_host(entry, &rest, ret_host) : refuse(entry, "is empty");

    if (rc < 0)
        return rc;
    *ret_port = (struct piece){DEFAULT_PORT, sizeof DEFAULT_PORT - 1};
    if (rest.size == 0)
        return 0;
    *ret_port = (struct piece){rest.at + 1, rest.size - 1};
    if (*rest.at != ':' || !is_port(*ret_port))
        return refuse(entry, "has no port that is a number from 1 to 65535");
    return 0;
}

/* The text up to the next comma, without the space around it. */
static struct piece next_entry(const char **text)
{
    struct piece entry = {*text + strspn(*text, SPACE), 0};
    const char *end = entry.at + strcspn(entry.at, ",");

    *text = *end ? end + 1 : end;
    while (end > entry.at && strchr(SPACE, end[-1]))
        end--;
    entry.size = (size_t)(end - entry.at);
    return entry;
}

static char *put(char **to, struct piece piece)
{
    char *begin = *to;

    memcpy(begin, piece.at, piece.size);
    *to += piece.size;
    return begin;
}

static char *put_string(char **to, struct piece piece)
{
    char *begin = put(to, piece);

    *(*to)++ = '\0';
    return begin;
}

static void add(struct soon__servers *servers, char **to, struct piece host, struct piece port)
{
    struct soon__server *server = &servers->each[servers->count++];
    bool has_colon = memchr(host.at, ':', host.size) != NULL;

    server->host = put_string(to, host);
    server->port = put_string(to, port);
    server->text = put(to, has_colon ? (struct piece){"[", 1} : (struct piece){"", 0});
    put(to, host);
    put(to, has_colon ? (struct piece){"]:", 2} : (struct piece){":", 1});
    put_string(to, port);
}

int soon__servers_parse(struct soon__servers **ret, const char *text)
{
    size_t length = text ? strlen(text) : 0, count = 1;
    struct soon__servers *servers;
    struct piece host = {NULL, 0}, port = {NULL, 0};
    char *to;
    int rc = 0;

    if (length == 0 || text[strspn(text, SPACE)] == '\0')
        return soon__refuse(-EINVAL, "no server is named");
    for (const char *comma = text; (comma = strchr(comma, ',')); comma++)
        count++;
    /* Of each entry host and port twice, of which one may be ours, and up to six bytes between and behind them. */
    servers = malloc(sizeof *servers + count * (sizeof *servers->each + 2 * sizeof DEFAULT_PORT + 6) + 2 * length);
    if (!servers)
        return -ENOMEM;
    servers->count = 0;
    to = (char *)&servers->each[count];
    while (servers->count < count && (rc = split(next_entry(&text), &host, &port)) == 0)
        add(servers, &to, host, port);
    if (rc < 0) {
        soon__servers_free(servers);
        return rc;
    }
    *ret = servers;
    return 0;
}

void soon__servers_free(struct soon__servers *servers)
{
    free(servers);
}
