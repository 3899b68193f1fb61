/*
 * digest.c - sha256sum on all CPUs.
 *
 *     $ printf abc >abc; digest -j 2 abc /dev/null
 *     ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  abc
 *     e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  /dev/null
 *
 * It prints what sha256sum prints. A folder means all its regular files, in the bytewise order of their whole paths;
 * symbolic links in it are not followed, those on the command line are. What cannot be read gets a message and the exit
 * status 1, all else is still done. A terminal on stderr gets a progress bar. SIGINT and SIGTERM end it at once.
 *
 * Worker processes open and hash the files, whose names they are told; with --threads, threads of this one do; with
 * --cluster, processes of other machines, which see the same folders, and where paths are those from the root. What
 * only this process has, such as standard input, a thread of its own reads.
 *
 * files.h says which files, hash.h computes, jobs.h brings the two together, output.h prints; watch.h waits for signals,
 * total.h is for the bar.
 */
#include "hash.h"
#include "jobs.h"
#include "output.h"

#include "../demo.h"

#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

enum {
    STOP_MS = 100 /* how long a stop waits for either pool; less than watch.c waits for all of it */
};

static void usage(FILE *to)
{
    fputs("usage: digest [-j N] [--threads | --processes | --cluster SERVERS] PATH...\n"
          "Prints the SHA-256 of each file, as sha256sum does. A folder means all files in it, - is standard input.\n"
          "  -j N         so many files at once; else one for each CPU\n"
          "  --threads    by threads of this process\n"
          "  --processes  by processes of their own, as it is\n"
          "  --cluster    on all machines that work for this Gearman server: they see the same files\n",
          to);
    exit(to == stdout && fflush(stdout) == 0 ? 0 : 2);
}

static void wrong(const char *what, const char *word)
{
    fprintf(stderr, "digest: %s%s\n", what, word);
    usage(stderr);
}

/* Returns: the workers, 0 if it was not said. The paths begin at argv[optind]. */
static int parse(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"threads", no_argument, NULL, 't'},
                                            {"processes", no_argument, NULL, 'p'},
                                            {"cluster", required_argument, NULL, 'c'},
                                            {0}};
    int option, workers = 0;
    while ((option = getopt_long(argc, argv, "j:", options, NULL)) != -1) {
        if (option == 'h')
            usage(stdout);
        else if (option == 't' || option == 'p')
            demo_kind = option == 't' ? SOON_THREADS : SOON_PROCESSES;
        else if (option == 'c')
            demo_servers = optarg;
        else if (option != 'j') /* getopt_long() has printed it */
            usage(stderr);
        else if ((workers = demo_number(optarg)) < 1)
            wrong("-j needs a number from 1 on, not ", optarg);
    }
    if (optind == argc)
        wrong("no PATH is given", "");
    for (char **path = argv + optind; demo_servers && *path; path++) {
        if (**path != '/' && strcmp(*path, "-") != 0)
            wrong("with --cluster a PATH begins at the root, for other machines work elsewhere: ", *path);
    }
    return workers;
}

/* Reports how it went. Returns: the exit status. */
static int end(struct jobs *jobs, int signal_number)
{
    if (signal_number)
        watch_die_of(signal_number);
    if (!jobs->write_error && !output_end())
        jobs->write_error = errno;
    if (jobs->write_error == EPIPE)
        watch_die_of(SIGPIPE);
    if (jobs->write_error) {
        char text[128];
        snprintf(text, sizeof text, "write error: %s", strerror(jobs->write_error));
        output_message(text);
    }
    return jobs->write_error || jobs->failed ? 1 : 0;
}

static int make_pool(soon_executor **pool, soon_pool_kind kind, int workers, const char *name)
{
    return soon_pool_new(pool, kind,
                         &(soon_pool_options){.workers = workers, .name = name, .initializer = &make_hasher_task});
}

/* The daemons of a cluster have the initializer: soon-workerd --program digest --initializer make_hasher. */
static int make_hashers(soon_executor **pool, int workers)
{
    if (demo_servers)
        return soon_cluster_new(pool, &(soon_cluster_options){.servers = demo_servers, .name = "hash"});
    return make_pool(pool, demo_kind, workers, "hash");
}

/* Writing to a pipe that nobody reads fails with EPIPE, on all threads: then main clears up, and dies of SIGPIPE. */
static void block_sigpipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* The pool, the thread for streams, and the set of their futures. Returns: 0, or a negative code. */
static int start(soon_executor **pool, soon_executor **streams, soon_as_completed **set, struct watch *watch,
                 int workers)
{
    block_sigpipe();
    int rc = make_hashers(pool, workers);
    if (rc == 0)
        rc = make_pool(streams, SOON_THREADS, 1, "stream");
    if (rc == 0)
        rc = soon_as_completed_new(set, NULL, 0, SOON_FOREVER);
    return rc < 0 ? rc : watch_start(watch, *pool, *streams, *set);
}

int main(int argc, char **argv)
{
    output_init(); /* first, as soon_init() opens a file */
    if (soon_init(argc, argv) < 0)
        return 1;
    setlocale(LC_ALL, "");
    int workers = parse(argc, argv);

    soon_executor *pool, *streams;
    soon_as_completed *set;
    struct watch watch;
    struct jobs jobs;
    int rc = start(&pool, &streams, &set, &watch, workers);
    if (rc < 0)
        die(soon_last_error()->message);
    jobs_init(&jobs, pool, streams, workers ? workers : (int)sysconf(_SC_NPROCESSORS_ONLN), set, &watch, argv + optind);
    jobs_run(&jobs);

    /* Only a stop finds anything left to do, and only a worker that is stuck in the system keeps it from ending. */
    bool down = soon_executor_shutdown(streams, SOON_TERMINATE, STOP_MS) == 0 &&
                soon_executor_shutdown(pool, SOON_TERMINATE, STOP_MS) == 0;
    soon_progress_bar_hide();
    int signal_number = watch_signal(&watch);
    if (down) {
        soon_as_completed_free(set);
        soon_executor_free(streams);
        soon_executor_free(pool);
        jobs_fini(&jobs);
    }
    int status = end(&jobs, signal_number);
    if (!down)
        _exit(status);
    return status;
}
