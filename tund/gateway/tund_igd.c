/* tund-igd: UPnP for tund, in a process of its own. It does one job, writes one answer (igdmsg.h) to
 * standard output, and ends. tund starts it; it is of no use to people. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "igd_pinhole.h"
#include "igd_sandbox.h"
#include "igd_soap.h"
#include "igd_ssdp.h"
#include "igd_words.h"

enum { EXIT_DONE = 0, EXIT_CANNOT = 1, EXIT_WRONG_USAGE = 2 };

static const char help[] =
    "Usage: tund-igd JOB   (twelve words, see igd_words.h)\n"
    "Does one UPnP job for tund at the default gateway, in a sandbox, and writes the answer to\n"
    "standard output. It is started by tund, and of no use to people: see tundctl portmap.\n";

static void do_job(const struct igd_job *job, const char *location, struct igd_answer *out)
{
    if (tn_addr_is_v4(&job->gateway))
        igd_soap_run(job, location, out);
    else
        igd_pinhole_run(job, location, out);
}

static void run(const struct igd_job *job, int fd, struct igd_answer *out)
{
    struct ssdp_found found;

    if (job->location[0]) {
        do_job(job, job->location, out);
        return;
    }
    ssdp_search(fd, job, &found);
    memset(out, 0, sizeof *out);
    out->status = found.foreign ? IGD_FOREIGN : IGD_NO_ANSWER;
    for (unsigned i = 0; i < found.count; i++) {
        do_job(job, found.location[i], out);
        if (out->status != IGD_BAD_DESCRIPTION)
            return;
    }
}

static bool write_all(const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, data, len);

        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct igd_answer answer;
    static uint8_t out[IGD_ANSWER_MAX];
    struct igd_job job;
    size_t len;
    int fd;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("tund-igd " TUND_VERSION);
        return EXIT_DONE;
    }
    if (igd_words_read(&job, argc - 1, argv + 1) != 0) {
        fputs(help, stderr);
        return EXIT_WRONG_USAGE;
    }
    fd = ssdp_open(&job);
    if (fd < 0 || igd_sandbox_enter(fd, &job) != 0)
        return EXIT_CANNOT;
    run(&job, fd, &answer);
    if (igdmsg_encode(&answer, out, sizeof out, &len) != 0 || !write_all(out, len))
        _exit(EXIT_CANNOT);
    _exit(EXIT_DONE);
}
