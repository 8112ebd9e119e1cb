/* The file of members' places: what was written is called after the next start, what is not whole is not.
 * The server's members, and the socket that calls go to, are this test's. */
#include <time.h>

#include "coord_store_fixture.h"

#include "tund/coord_places.h"
#include "tund/log.h"

#define MEMBERS_MAX 8
#define CALLS_MAX 64

static struct tn_server_place live[MEMBERS_MAX];
static uint32_t live_count;
static struct {
    uint8_t way;
    struct tn_addr to;
    uint32_t index;
} called[CALLS_MAX];
static unsigned call_count;

bool __wrap_tn_server_place_next(const struct tn_server *s, uint32_t *slot, struct tn_now now,
                                 struct tn_server_place *out);
bool __wrap_tn_server_place_next(const struct tn_server *s, uint32_t *slot, struct tn_now now,
                                 struct tn_server_place *out)
{
    if (*slot == live_count)
        return false;
    *out = live[(*slot)++];
    return true;
}

bool __wrap_tn_server_has(const struct tn_server *s, const uint8_t client_public[32],
                          struct tn_now now);
bool __wrap_tn_server_has(const struct tn_server *s, const uint8_t client_public[32],
                          struct tn_now now)
{
    for (uint32_t i = 0; i < live_count; i++) {
        if (!memcmp(live[i].client_public, client_public, 32))
            return true;
    }
    return false;
}

void __wrap_coord_net_send(struct coord_net *n, uint8_t way, const struct tn_addr *to,
                           const void *data, size_t len);
void __wrap_coord_net_send(struct coord_net *n, uint8_t way, const struct tn_addr *to,
                           const void *data, size_t len)
{
    const uint8_t *echo;

    assert_true(call_count < CALLS_MAX);
    assert_true(tn_ctl_lost_decode(data, len, &called[call_count].index, &echo));
    assert_null(echo);
    called[call_count].way = way;
    called[call_count++].to = *to;
}

static struct tn_now clock_now(void)
{
    return (struct tn_now){.us = uv_hrtime() / 1000};
}

/* ---- one run of a coordinator ---- */

struct run {
    struct state state;
    struct coord_net net;
    struct coord_places places;
    uv_loop_t loop;
};

static const struct temp_dir *dir;

static void begin(struct run *r)
{
    struct why w = {""};

    memset(r, 0, sizeof(*r));
    call_count = 0;
    r->net.udp_count = r->net.way_count = 2;
    r->net.way[1].socket = 1;
    assert_int_equal(state_open(&r->state, dir->path, true, &w), 0);
    assert_int_equal(uv_loop_init(&r->loop), 0);
    assert_int_equal(coord_places_open(&r->places, &r->loop, &r->state, NULL, &r->net, MEMBERS_MAX,
                                       clock_now, &w), 0);
}

static void step(struct run *r)
{
    const struct timespec tick = {.tv_nsec = 1000000};

    (void)uv_run(&r->loop, UV_RUN_NOWAIT); /* UV_RUN_ONCE would wait for the next round as well */
    nanosleep(&tick, NULL);
}

/* So many rounds of calls are over. */
static void run_rounds(struct run *r, unsigned rounds)
{
    while (r->places.round < rounds)
        step(r);
}

static void end(struct run *r)
{
    coord_places_close(&r->places);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&r->loop), 0);
    state_close(&r->state);
}

static void make_members(uint32_t count)
{
    memset(live, 0, sizeof(live));
    for (uint32_t i = 0; i < count; i++) {
        live[i].client_public[0] = (uint8_t)(i + 1);
        live[i].index = 0x1000 + i;
        live[i].addr = tn_addr_v4((const uint8_t[]){55, 2, 0, (uint8_t)(i + 1)}, (uint16_t)(700 + i));
        live[i].port = i % 2;
    }
    live_count = count;
}

static void write_members(uint32_t count)
{
    struct run r;

    begin(&r);
    make_members(count);
    end(&r);
}

/* ---- tests ---- */

static int set_up(void **state)
{
    static struct temp_dir d;

    log_init("test", NULL, LOG_LEVEL_SILENT);
    temp_make(&d);
    dir = &d;
    live_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    temp_remove(dir);
    return 0;
}

static void who_was_there_is_called_and_who_is_back_is_not(void **state)
{
    struct run r;

    write_members(4);
    live[0] = live[2]; /* the third is back already */
    live_count = 1;
    begin(&r);
    run_rounds(&r, 1);
    assert_int_equal(call_count, 3);
    assert_int_equal(called[1].index, 0x1001);
    assert_int_equal(called[1].way, 1);
    assert_int_equal(called[1].to.port, 701);
    assert_int_equal(called[2].index, 0x1003);
    make_members(3); /* and now all but the last are: it is called in two more rounds */
    run_rounds(&r, 3);
    assert_int_equal(call_count, 5);
    assert_int_equal(called[4].index, 0x1003);
    end(&r);
}

static void it_is_written_while_all_goes_on(void **state)
{
    struct run r, later;

    begin(&r);
    make_members(2);
    while (r.places.written_len != 14 + 2 * 72)
        step(&r);
    live_count = 0;
    begin(&later); /* as after a kill: the first never closed */
    run_rounds(&later, 1);
    assert_int_equal(call_count, 2);
    end(&later);
    end(&r);
}

static void a_way_by_an_own_address_is_found_again(void **state)
{
    const struct tn_addr own = tn_addr_v4((const uint8_t[]){55, 1, 0, 10}, 0);
    struct run r;

    begin(&r);
    make_members(1);
    live[0].port = coord_net_way(&r.net, 1, &own);
    assert_int_equal(live[0].port, 2);
    end(&r);
    live_count = 0;
    begin(&r);
    run_rounds(&r, 1);
    assert_int_equal(call_count, 1);
    assert_int_equal(r.net.way[called[0].way].socket, 1);
    assert_true(tn_addr_same_ip(&r.net.way[called[0].way].local, &own));
    end(&r);
}

static void who_does_not_come_back_is_forgotten_after_eight_starts(void **state)
{
    struct run r;

    write_members(1);
    live_count = 0;
    for (int i = 0; i < 8; i++) {
        begin(&r);
        run_rounds(&r, 1);
        assert_int_equal(call_count, 1);
        end(&r);
    }
    begin(&r);
    run_rounds(&r, 1);
    assert_int_equal(call_count, 0);
    end(&r);
}

static void assert_not_used(const char *path, const uint8_t *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    struct run r;

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    begin(&r);
    assert_int_equal(r.places.count, 0);
    end(&r);
}

static void a_file_that_is_not_whole_is_not_used(void **state)
{
    uint8_t data[400];
    char path[128];
    size_t len;
    FILE *f;

    write_members(2);
    live_count = 0;
    temp_file(dir, COORD_PLACES_FILE, path);
    f = fopen(path, "rb");
    assert_non_null(f);
    len = fread(data, 1, sizeof(data), f);
    fclose(f);
    assert_int_equal(len, 14 + 2 * 72 + 16);
    for (size_t cut = 0; cut < len; cut++)
        assert_not_used(path, data, cut);
    for (size_t bit = 0; bit < len * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_not_used(path, data, len);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_was_there_is_called_and_who_is_back_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_written_while_all_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_way_by_an_own_address_is_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_come_back_is_forgotten_after_eight_starts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_whole_is_not_used, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
