/* How tund-igd is locked up. The XML parser and HTTP client in it are a library's, and read
 * what any router sends, so it is taken for lost from the beginning:
 *
 *   who        user nobody where that can be had, no groups, no capabilities, no new privileges, not dumpable
 *   how much   64 MiB of address space, 2 s of processor, 6 s of time, 16 descriptors, no file bytes
 *   what       a seccomp filter: memory, time, and sockets that exist or are TCP over the gateway's family. Files are
 *              refused (libraries ask for some), everything else ends the process
 *   with whom  connect() is our own (igd_connect.c), as a filter cannot look behind a pointer */
#include "igd_sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "igd_connect.h"

#define NOBODY 65534
#define DESCRIPTORS_MAX 16

static int close_others(int keep)
{
    if (keep < 3)
        return -EINVAL;
    if (keep > 3 && syscall(SYS_close_range, 3u, (unsigned)keep - 1, 0u) != 0)
        return -errno;
    return syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0u) != 0 ? -errno : 0;
}

/* What a daemon that is not root may have been given; root's went with its user. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        syscall(SYS_capset, &head, none) != 0)
        return -errno;
    return 0;
}

/* Where root may not become another (a unit that leaves it no such power), it stays root by name: without
 * capabilities, and with a filter that knows no file and no other process. */
static int drop_privileges(void)
{
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
                           setresuid(NOBODY, NOBODY, NOBODY) != 0) && errno != EPERM)
        return -errno;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -EPERM;
    return drop_capabilities();
}

static int limit(void)
{
    static const struct {
        int what;
        rlim_t most;
    } rows[] = {
        {RLIMIT_AS, IGD_MEMORY_MAX}, {RLIMIT_CPU, IGD_CPU_MAX_S}, {RLIMIT_NOFILE, DESCRIPTORS_MAX},
        {RLIMIT_FSIZE, 0},           {RLIMIT_CORE, 0},            {RLIMIT_NPROC, 0},
        {RLIMIT_MEMLOCK, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rlimit r = {.rlim_cur = rows[i].most, .rlim_max = rows[i].most};

        if (setrlimit((__rlimit_resource_t)rows[i].what, &r) != 0)
            return -errno;
    }
    alarm(IGD_WALL_MAX_S);
    return 0;
}

static const int allowed[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
    SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(fcntl), SCMP_SYS(lseek),
};
/* Asked for by libc in passing; it goes on without. */
static const int refused[] = {
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(stat),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(readlink), SCMP_SYS(uname), SCMP_SYS(getpid),
    SCMP_SYS(ioctl),
};

static int add_rules(scmp_filter_ctx filter, int family)
{
    int err = 0;

    for (size_t i = 0; !err && i < sizeof allowed / sizeof allowed[0]; i++)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; !err && i < sizeof refused / sizeof refused[0]; i++)
        err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
    if (!err) /* connect() of IPv6 comes from an address of ours (igd_connect.c) */
        err = seccomp_rule_add(filter, family == AF_INET6 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EACCES),
                               SCMP_SYS(bind), 0);
    if (!err) /* memory, but none that could be run */
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
    if (!err)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
    if (!err)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                               SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0),
                               SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM));
    if (!err) /* the other family, Unix, netlink and UDP: no such thing here */
        err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                               SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)family, 0));
    return err;
}

static int filter_calls(int family)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int err;

    if (!filter)
        return -ENOMEM;
    err = add_rules(filter, family);
    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}

int igd_sandbox_enter(int keep, const struct igd_job *job)
{
    int err;

    igd_connect_only(job);
    err = close_others(keep);
    if (!err)
        err = limit();
    if (!err)
        err = drop_privileges();
    return err ? err : filter_calls(tn_addr_is_v4(&job->gateway) ? AF_INET : AF_INET6);
}
