/* How tund-igd is locked up: each thing that it must not do is tried in a child that has entered the
 * sandbox, and what became of the child is looked at from outside. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hexed.h"
#include "tund/gateway/igd_sandbox.h"

#define REFUSED 42 /* exit status: it was said no, as it should be */

static const uint8_t loopback6[16] = {[15] = 1};
static bool is_v6; /* the gateway of the job */

static struct igd_job the_job(void)
{
    struct igd_job job = {.gateway = ip4(127, 0, 0, 1), .own = ip4(127, 0, 0, 1)};

    if (is_v6)
        job.gateway = job.own = tn_addr_v6(loopback6, 0);
    return job;
}

/* Runs `attempt` in the sandbox; the status of waitpid. */
static int in_sandbox(int (*attempt)(void))
{
    const struct igd_job job = the_job();
    int status, keep = dup(STDERR_FILENO);
    pid_t pid = fork();

    assert_true(keep > 2 && pid >= 0);
    if (pid == 0) {
        if (igd_sandbox_enter(keep, &job) != 0)
            _exit(1);
        _exit(attempt());
    }
    close(keep);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_refused(int (*attempt)(void))
{
    int status = in_sandbox(attempt);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), REFUSED);
}

static void assert_killed(int (*attempt)(void), int signal)
{
    int status = in_sandbox(attempt);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signal);
}

static int nothing(void)
{
    return 0;
}

static int open_a_file(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? REFUSED : 0;
}

static int make_other_sockets(void)
{
    const int families[] = {is_v6 ? AF_INET : AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET};

    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (socket(families[i], SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT)
            return 0;
    }
    return REFUSED;
}

static int take_much_memory(void)
{
    void *p = mmap(NULL, IGD_MEMORY_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED && errno == ENOMEM ? REFUSED : 0;
}

static int connect_to6(uint8_t last)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    to.sin6_addr.s6_addr[15] = last;
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
}

static int connect_to(uint32_t ip)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(ip)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
}

static int connect_elsewhere(void)
{
    int err = is_v6 ? connect_to6(2) : connect_to(0x7f000002);

    return err == EACCES ? REFUSED : 0;
}

static int connect_to_the_gateway(void)
{
    int err = is_v6 ? connect_to6(1) : connect_to(0x7f000001); /* nobody listens, and one is told so by the kernel */

    return err == ECONNREFUSED ? REFUSED : 0;
}

static int make_a_udp_socket(void)
{
    return socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0) < 0 ? 1 : 0;
}

static int fork_a_child(void)
{
    return fork() < 0 ? 1 : 0;
}

static int run_a_program(void)
{
    char name[] = "/bin/true", *argv[] = {name, NULL};

    return execv(name, argv);
}

static int signal_the_parent(void)
{
    return kill(1, 0);
}

static int make_memory_executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED;
}

static int burn(void)
{
    volatile bool endless = true;

    while (endless)
        continue;
    return 0;
}

static void one_that_does_nothing_ends_well(void **state)
{
    int status = in_sandbox(nothing);

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void files_other_sockets_memory_and_other_hosts_are_refused(void **state)
{
    assert_refused(open_a_file);
    assert_refused(make_other_sockets);
    assert_refused(take_much_memory);
    assert_refused(connect_elsewhere);
    assert_refused(connect_to_the_gateway);
}

static void an_ipv6_gateway_is_as_alone(void **state)
{
    is_v6 = true;
    assert_refused(make_other_sockets);
    assert_refused(connect_elsewhere);
    assert_refused(connect_to_the_gateway);
    assert_killed(make_a_udp_socket, SIGSYS);
    is_v6 = false;
}

static void what_only_one_that_was_taken_over_would_do_ends_it(void **state)
{
    assert_killed(make_a_udp_socket, SIGSYS);
    assert_killed(fork_a_child, SIGSYS);
    assert_killed(run_a_program, SIGSYS);
    assert_killed(signal_the_parent, SIGSYS);
    assert_killed(make_memory_executable, SIGSYS);
}

static void two_seconds_of_processor_are_the_end(void **state)
{
    struct rusage before, after;
    int status;

    assert_int_equal(getrusage(RUSAGE_CHILDREN, &before), 0);
    status = in_sandbox(burn);
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &after), 0);
    assert_true(WIFSIGNALED(status));
    /* on a busy machine its six seconds may be over before it has had its two */
    if (WTERMSIG(status) == SIGALRM)
        assert_true(after.ru_utime.tv_sec - before.ru_utime.tv_sec <= IGD_CPU_MAX_S);
    else
        assert_int_equal(WTERMSIG(status), SIGKILL);
}

static bool has_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    return at && at[strlen(line)] == '\n';
}

static void it_has_no_user_group_or_capability(void **state)
{
    const struct igd_job job = the_job();
    int ready[2], go[2], status;
    char path[64], text[4096], byte = 0;
    size_t len;
    pid_t pid;
    FILE *f;

    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* what is kept is the one to report on, and 0 the one to wait on */
        if (dup2(go[0], 0) != 0 || igd_sandbox_enter(ready[1], &job) != 0)
            _exit(1);
        _exit(write(ready[1], &byte, 1) == 1 && read(0, &byte, 1) == 1 ? 0 : 1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    assert_non_null(f);
    len = fread(text, 1, sizeof text - 1, f);
    text[len] = '\0';
    fclose(f);
    if (geteuid() == 0) {
        assert_true(has_line(text, "Uid:\t65534\t65534\t65534\t65534"));
        assert_true(has_line(text, "Gid:\t65534\t65534\t65534\t65534"));
        assert_true(has_line(text, "Groups:\t "));
    }
    assert_true(has_line(text, "CapInh:\t0000000000000000"));
    assert_true(has_line(text, "CapPrm:\t0000000000000000"));
    assert_true(has_line(text, "CapEff:\t0000000000000000"));
    assert_true(has_line(text, "CapAmb:\t0000000000000000"));
    assert_true(has_line(text, "NoNewPrivs:\t1"));
    assert_true(has_line(text, "Seccomp:\t2"));
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(ready[0]);
    close(go[0]);
    close(go[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_does_nothing_ends_well),
        cmocka_unit_test(files_other_sockets_memory_and_other_hosts_are_refused),
        cmocka_unit_test(an_ipv6_gateway_is_as_alone),
        cmocka_unit_test(what_only_one_that_was_taken_over_would_do_ends_it),
        cmocka_unit_test(two_seconds_of_processor_are_the_end),
        cmocka_unit_test(it_has_no_user_group_or_capability),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
