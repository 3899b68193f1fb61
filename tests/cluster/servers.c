/*
 * servers.c - lists of servers, as they are written.
 */
#include "../support/futures.h"

#include "../../executor/cluster/both/servers_internal.h"
#include "../../futures/refuse_internal.h"

#include <errno.h>

static const struct {
    const char *text, *host, *port, *shown;
} good[] = {
    {"10.0.0.5", "10.0.0.5", "4730", "10.0.0.5:4730"},
    {"10.0.0.5:1", "10.0.0.5", "1", "10.0.0.5:1"},
    {"  gear.example:65535\t\n", "gear.example", "65535", "gear.example:65535"},
    {"gear", "gear", "4730", "gear:4730"},
    {"::1", "::1", "4730", "[::1]:4730"},
    {"[::1]", "::1", "4730", "[::1]:4730"},
    {"[fe80::1%eth0]:47", "fe80::1%eth0", "47", "[fe80::1%eth0]:47"},
};

static const char *const bad[] = {
    "",      " ",        ",",       "a,",       "a,,b",     ",a",   ":4730",     "a:",
    "a:0",   "a:65536",  "a:4730x", "a:-1",     "[::1",     "[]:1", "[::1]4730", "[::1]:",
    "a b:1", "http://a", "a@b",     "a:999999", "h:004730", "a\tb", "[a]b:1",    "::1]",
};

Test(servers, are_read_with_and_without_ports)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct soon__servers *servers;

        cr_assert_eq(soon__servers_parse(&servers, good[i].text), 0, "%s", good[i].text);
        cr_assert_eq(servers->count, 1);
        cr_assert_str_eq(servers->each[0].host, good[i].host);
        cr_assert_str_eq(servers->each[0].port, good[i].port);
        cr_assert_str_eq(servers->each[0].text, good[i].shown);
        soon__servers_free(servers);
    }
}

Test(servers, keep_their_order)
{
    struct soon__servers *servers;

    cr_assert_eq(soon__servers_parse(&servers, "10.0.0.5:4730, gear.example,[::1]:4731 , ::2"), 0);
    cr_assert_eq(servers->count, 4);
    cr_assert_str_eq(servers->each[0].text, "10.0.0.5:4730");
    cr_assert_str_eq(servers->each[1].text, "gear.example:4730");
    cr_assert_str_eq(servers->each[2].text, "[::1]:4731");
    cr_assert_str_eq(servers->each[3].text, "[::2]:4730");
    soon__servers_free(servers);
    soon__servers_free(NULL);
}

Test(servers, that_are_none_are_refused_with_a_sentence)
{
    struct soon__servers *servers = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(soon__failed(soon__servers_parse(&servers, bad[i]), "parse"), -EINVAL, "\"%s\"", bad[i]);
        cr_assert(strstr(soon_last_error()->message, "server"), "%s", soon_last_error()->message);
        cr_assert_null(servers);
    }
    cr_assert_eq(soon__servers_parse(&servers, NULL), -EINVAL);
}

Test(servers, of_which_one_is_wrong_are_refused_by_its_text)
{
    struct soon__servers *servers;

    cr_assert_eq(soon__failed(soon__servers_parse(&servers, "a:1, b:x"), "parse"), -EINVAL);
    cr_assert_str_eq(soon_last_error()->message,
                     "parse: the server \"b:x\" has no port that is a number from 1 to 65535");
}

Test(servers, with_names_as_long_as_names_can_be)
{
    struct soon__servers *servers;
    char name[256];

    memset(name, 'a', sizeof name);
    name[253] = '\0';
    cr_assert_eq(soon__servers_parse(&servers, name), 0);
    cr_assert_str_eq(servers->each[0].host, name);
    soon__servers_free(servers);
    name[253] = 'a';
    name[254] = '\0';
    cr_assert_eq(soon__servers_parse(&servers, name), -EINVAL);
}
