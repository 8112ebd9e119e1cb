/* The daemon in a sealed namespace, with a real TUN and real sockets, driven through the
 * userspace API: as text for what it does, through its socket for how it is served. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sealed.h"
#include "tund/daemon.h"
#include "tund/netlink_msg.h"
#include "tund/uapi.h"

#define SOCKET_PATH "/var/run/wireguard/tn0.sock"
#define PRIVATE "private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n"
#define PEER_A "public_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33\n"
#define PEER_B "public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376\n"
#define PEER_C "public_key=662e14fd594556f522604703340351258903b64f35553763f19426ab2a515c58\n"

static struct tund t;
static char answer[8192];

/* The wall clock that the daemon sees: the real one, or one that was never set. */
static bool clock_is_unset;
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    int err = __real_clock_gettime(id, ts);

    if (!err && id == CLOCK_REALTIME && clock_is_unset)
        ts->tv_sec = 1704067199; /* the last second of 2023 */
    return err;
}

static int setup(void **state)
{
    const struct tund_options opt = {
        .ifname = "tn0", .peers = 2, .threads = 2, .foreground = true, .log_level = LOG_LEVEL_ERROR};

    log_init("daemon_test", NULL, LOG_LEVEL_ERROR);
    if (tund_init(&t, &opt) || tund_open(&t)) {
        print_error("%s\n", t.failure);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    tund_free(&t);
    return access(SOCKET_PATH, F_OK) == 0; /* it must be gone */
}

static const char *ask(const char *request)
{
    struct uapi_text out = {0};

    uapi_handle(&t, request, strlen(request), &out);
    assert_false(out.failed);
    assert_true(out.len < sizeof answer);
    memcpy(answer, out.data, out.len);
    answer[out.len] = 0;
    uapi_text_free(&out);
    return answer;
}

static void expect(const char *request, const char *wanted)
{
    assert_string_equal(ask(request), wanted);
}

static bool has(const char *line)
{
    return strstr(ask("get=1\n\n"), line) != NULL;
}

static int count(const char *what)
{
    int n = 0;

    for (const char *at = ask("get=1\n\n"); (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void get_tells_what_set_said(void **state)
{
    expect("set=1\n" PRIVATE "fwmark=51820\nlisten_port=40123\n" PEER_A
           "preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52\n"
           "endpoint=[2001:db8::7]:5182\npersistent_keepalive_interval=25\n"
           "allowed_ip=10.1.2.0/24\nallowed_ip=fd00::/64\n\n",
           "errno=0\n\n");
    assert_true(has(PRIVATE));
    assert_true(has("listen_port=40123\n"));
    assert_true(has("fwmark=51820\n"));
    assert_true(has(PEER_A "preshared_key=1885"));
    assert_true(has("protocol_version=1\nendpoint=[2001:db8::7]:5182\nlast_handshake_time_sec=0\n"
                    "last_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"
                    "persistent_keepalive_interval=25\n"));
    assert_true(has("allowed_ip=10.1.2.0/24\n"));
    assert_true(has("allowed_ip=fd00::/64\n"));
    assert_true(has("errno=0\n\n"));
    assert_int_equal(t.udp.port, 40123);
}

static void a_malformed_set_changes_nothing(void **state)
{
    uint16_t port = t.udp.port;

    expect("set=1\nlisten_port=40124\n" PRIVATE PEER_A "allowed_ip=10.0.0.0/33\n\n", "errno=-22\n\n");
    expect("set=1\n" PEER_A "endpoint\n\n", "errno=-71\n\n");
    expect("get=2\n\n", "errno=-22\n\n");
    assert_int_equal(t.udp.port, port);
    assert_false(has("private_key"));
    assert_false(has("public_key"));
}

static void a_taken_port_changes_nothing(void **state)
{
    const struct udp_config any = {0};
    const struct udp_handler nobody = {0};
    struct udp other;
    char request[256];

    assert_int_equal(udp_open(&other, &t.loop, &any, &nobody), 0);
    snprintf(request, sizeof request, "set=1\n" PRIVATE "fwmark=7\nlisten_port=%u\n" PEER_A "\n",
             other.port);
    expect(request, "errno=-98\n\n");
    assert_int_equal(t.udp.config.fwmark, 0);
    assert_false(has("private_key"));
    assert_false(has("public_key"));
    udp_close(&other);
}

static void update_only_makes_no_peer_and_changes_one_that_is_there(void **state)
{
    expect("set=1\n" PEER_A "update_only=true\nallowed_ip=10.0.0.0/8\n\n", "errno=0\n\n");
    assert_int_equal(count("public_key="), 0);
    expect("set=1\n" PEER_A "\n", "errno=0\n\n");
    expect("set=1\n" PEER_A "update_only=true\nallowed_ip=10.0.0.0/8\n\n", "errno=0\n\n");
    assert_true(has("allowed_ip=10.0.0.0/8\n"));
}

static void remove_takes_a_peer_away_and_never_makes_one(void **state)
{
    expect("set=1\n" PEER_A PEER_B "\n", "errno=0\n\n");
    assert_int_equal(count("public_key="), 2);
    expect("set=1\n" PEER_A "remove=true\n" PEER_C "remove=true\n\n", "errno=0\n\n");
    assert_int_equal(count("public_key="), 1);
    assert_true(has(PEER_B));
}

static void replace_peers_leaves_only_the_new(void **state)
{
    expect("set=1\n" PEER_A PEER_B "allowed_ip=10.0.0.0/8\n\n", "errno=0\n\n");
    expect("set=1\nreplace_peers=true\n" PEER_C PEER_B "\n", "errno=0\n\n");
    assert_false(has(PEER_A));
    assert_true(has(PEER_B) && has(PEER_C));
    assert_false(has("allowed_ip"));
}

static void more_peers_than_there_is_room_for_change_nothing(void **state)
{
    expect("set=1\n" PRIVATE PEER_A PEER_B PEER_C "\n", "errno=-28\n\n");
    assert_int_equal(count("public_key="), 0);
    assert_false(has("private_key"));
    expect("set=1\n" PEER_A PEER_B PEER_C "update_only=true\n\n", "errno=0\n\n");
    assert_int_equal(count("public_key="), 2);
}

static void an_allowed_ip_moves_and_can_be_taken_away(void **state)
{
    expect("set=1\n" PEER_A "allowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\n" PEER_B
           "allowed_ip=10.0.0.0/8\n\n",
           "errno=0\n\n");
    assert_int_equal(count("allowed_ip=10.0.0.0/8\n"), 1);
    expect("set=1\n" PEER_A "allowed_ip=-10.0.0.0/8\nallowed_ip=-fd00::/8\n\n", "errno=0\n\n");
    assert_int_equal(count("allowed_ip="), 1);
    expect("set=1\n" PEER_B "replace_allowed_ips=true\nallowed_ip=+10.9.0.0/16\n\n", "errno=0\n\n");
    assert_true(has("allowed_ip=10.9.0.0/16\n"));
    assert_int_equal(count("allowed_ip="), 1);
}

static void nobody_is_a_peer_of_himself(void **state)
{
    uint8_t pub[32];
    char request[256], hex[65];

    expect("set=1\n" PRIVATE "\n", "errno=0\n\n");
    assert_true(tn_node_public_key(t.node, pub));
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", pub[i]);
    snprintf(request, sizeof request, "set=1\npublic_key=%s\nallowed_ip=10.0.0.0/8\n\n", hex);
    expect(request, "errno=0\n\n");
    assert_int_equal(count("public_key="), 0);
    /* The peer was there first, then we took its key. */
    expect("set=1\nprivate_key=0000000000000000000000000000000000000000000000000000000000000000\n\n",
           "errno=0\n\n");
    expect(request, "errno=0\n\n");
    assert_int_equal(count("public_key="), 1);
    expect("set=1\n" PRIVATE "\n", "errno=0\n\n");
    assert_int_equal(count("public_key="), 0);
}

static void an_overlay_node_can_be_looked_at_and_not_set(void **state)
{
    t.opt.state_dir = "/nowhere";
    expect("set=1\nlisten_port=1\n\n", "errno=-1\n\n");
    assert_true(has("listen_port="));
    t.opt.state_dir = NULL;
}

/* ---- through the socket ---- */

static void on_deadline(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Lets the daemon's loop run for some time, or until it is told to stop. */
static void run_for(uint64_t ms)
{
    uv_timer_t timer;

    uv_timer_init(&t.loop, &timer);
    uv_timer_start(&timer, on_deadline, ms, 0);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
}

static int dial(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

/* What comes within 10 s up to the first empty line; "" when the connection was closed. */
static const char *listen_to(int fd)
{
    size_t len = 0;

    for (int i = 0; i < 500; i++) {
        ssize_t n;

        run_for(20);
        n = read(fd, answer + len, sizeof answer - 1 - len);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return "";
        if (n > 0)
            len += (size_t)n;
        answer[len] = 0;
        if (strstr(answer, "\n\n"))
            return answer;
    }
    return "nothing";
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void one_connection_carries_several_requests_however_they_are_cut(void **state)
{
    static const char request[] = "set=1\nlisten_port=40125\n\n";
    int fd = dial();

    for (size_t i = 0; i < sizeof request - 1; i++) {
        assert_int_equal(write(fd, request + i, 1), 1);
        run_for(1);
    }
    assert_string_equal(listen_to(fd), "errno=0\n\n");
    say(fd, "get=1\n\n");
    assert_non_null(strstr(listen_to(fd), "listen_port=40125\n"));
    /* Two at once: two answers, in order. */
    say(fd, "set=1\nlisten_port=x\n\nset=1\n\n");
    for (int i = 0; i < 250 && !strstr(answer, "errno=-22\n\nerrno=0\n\n"); i++) {
        ssize_t n;

        run_for(20);
        answer[0] = 0;
        n = recv(fd, answer, sizeof answer - 1, MSG_PEEK);
        answer[n > 0 ? n : 0] = 0;
    }
    assert_string_equal(answer, "errno=-22\n\nerrno=0\n\n");
    close(fd);
}

static void only_so_many_clients_are_served_at_once(void **state)
{
    int fd[34];

    for (int i = 0; i < 34; i++) {
        fd[i] = dial();
        run_for(5);
    }
    say(fd[31], "set=1\n\n");
    assert_string_equal(listen_to(fd[31]), "errno=0\n\n");
    assert_string_equal(listen_to(fd[32]), "");
    assert_string_equal(listen_to(fd[33]), "");
    for (int i = 0; i < 34; i++)
        close(fd[i]);
    run_for(20);
    fd[0] = dial();
    say(fd[0], "set=1\n\n");
    assert_string_equal(listen_to(fd[0]), "errno=0\n\n");
    close(fd[0]);
}

static void half_a_request_is_cut_off_after_a_while(void **state)
{
    int slow = dial(), idle = dial();

    say(slow, "set=1\nlisten");
    assert_string_equal(listen_to(slow), ""); /* within 10 s, or listen_to says "nothing" */
    say(idle, "set=1\n\n");
    assert_string_equal(listen_to(idle), "errno=0\n\n");
    close(slow);
    close(idle);
}

static void the_socket_is_ours_alone(void **state)
{
    struct stat st;

    assert_int_equal(lstat(SOCKET_PATH, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(lstat("/var/run/wireguard", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_second_daemon_of_that_name_is_refused_with_a_sentence(void **state)
{
    struct tund_options opt = t.opt;
    static struct tund second;

    assert_int_equal(tund_init(&second, &opt), 0);
    assert_int_equal(tund_open(&second), -EBUSY);
    assert_non_null(strstr(second.failure, "in use"));
    tund_free(&second);
    assert_int_equal(access(SOCKET_PATH, F_OK), 0);
}

static void a_socket_that_nobody_serves_is_replaced(void **state)
{
    struct tund_options opt = t.opt;
    struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "/var/run/wireguard/tn1.sock"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    static struct tund second;

    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    close(fd);
    strcpy(opt.ifname, "tn1");
    assert_int_equal(tund_init(&second, &opt), 0);
    assert_int_equal(tund_open(&second), 0);
    tund_free(&second);
    assert_int_equal(access(sa.sun_path, F_OK), -1);
}

static void a_taken_udp_port_is_told_with_what_to_do(void **state)
{
    struct tund_options opt = t.opt;
    static struct tund second;

    strcpy(opt.ifname, "tn1");
    opt.port = t.udp.port;
    assert_int_equal(tund_init(&second, &opt), 0);
    assert_int_equal(tund_open(&second), -EADDRINUSE);
    assert_non_null(strstr(second.failure, "--port"));
    tund_free(&second);
}

static void a_clock_that_was_never_set_is_told(void **state)
{
    struct tund_options opt = t.opt;
    static struct tund second;

    strcpy(opt.ifname, "tn1");
    assert_int_equal(tund_init(&second, &opt), 0);
    clock_is_unset = true;
    assert_int_equal(tund_open(&second), -ETIME);
    clock_is_unset = false;
    assert_non_null(strstr(second.failure, "before 2024"));
    tund_free(&second);
    assert_int_equal(nl_link_index("tn1"), 0);
}

/* ---- how it ends ---- */

static void removing_the_socket_ends_the_daemon(void **state)
{
    assert_int_equal(unlink(SOCKET_PATH), 0);
    run_for(5000);
    assert_true(t.stopping);
    assert_int_equal(t.exit_code, 0);
}

static void deleting_the_interface_ends_the_daemon(void **state)
{
    struct ifinfomsg body = {.ifi_index = (int)nl_link_index("tn0")};
    struct nl_msg m;

    nl_msg_init(&m, RTM_DELLINK, 0, &body, sizeof body);
    assert_int_equal(nl_call(&t.nl, &m), 0);
    run_for(5000);
    assert_true(t.stopping);
    assert_int_equal(t.exit_code, 0);
}

static void a_signal_ends_the_daemon(void **state)
{
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    run_for(5000);
    assert_true(t.stopping);
}

static void another_socket_in_the_place_of_ours_is_not_removed(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(unlink(SOCKET_PATH), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    run_for(5000);
    assert_true(t.stopping);
    tund_free(&t);
    assert_int_equal(access(SOCKET_PATH, F_OK), 0);
    close(fd);
    assert_int_equal(unlink(SOCKET_PATH), 0);
    assert_int_equal(setup(state), 0); /* for teardown */
}

static void before_it_is_opened_it_can_be_freed(void **state)
{
    const struct tund_options opt = {.ifname = "tn9", .peers = 2};
    static struct tund other;

    assert_int_equal(tund_init(&other, &opt), 0);
    tund_free(&other);
}

int main(void)
{
#define RUNNING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RUNNING(get_tells_what_set_said),
        RUNNING(a_malformed_set_changes_nothing),
        RUNNING(a_taken_port_changes_nothing),
        RUNNING(update_only_makes_no_peer_and_changes_one_that_is_there),
        RUNNING(remove_takes_a_peer_away_and_never_makes_one),
        RUNNING(replace_peers_leaves_only_the_new),
        RUNNING(more_peers_than_there_is_room_for_change_nothing),
        RUNNING(an_allowed_ip_moves_and_can_be_taken_away),
        RUNNING(nobody_is_a_peer_of_himself),
        RUNNING(an_overlay_node_can_be_looked_at_and_not_set),
        RUNNING(one_connection_carries_several_requests_however_they_are_cut),
        RUNNING(only_so_many_clients_are_served_at_once),
        RUNNING(half_a_request_is_cut_off_after_a_while),
        RUNNING(the_socket_is_ours_alone),
        RUNNING(a_second_daemon_of_that_name_is_refused_with_a_sentence),
        RUNNING(a_socket_that_nobody_serves_is_replaced),
        RUNNING(a_taken_udp_port_is_told_with_what_to_do),
        RUNNING(a_clock_that_was_never_set_is_told),
        RUNNING(removing_the_socket_ends_the_daemon),
        RUNNING(deleting_the_interface_ends_the_daemon),
        RUNNING(a_signal_ends_the_daemon),
        RUNNING(another_socket_in_the_place_of_ours_is_not_removed),
        cmocka_unit_test(before_it_is_opened_it_can_be_freed),
    };

    if (!sealed_enter()) {
        perror("this test needs root or user namespaces");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
