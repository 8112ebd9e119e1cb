/* The prompt on the first serial line. An invite is pasted as it is; its line goes into the core's
 * buffer, which nobody needs while the device is no member, and is wiped there. */
#include <string.h>

#include "../../app/text.h"
#include "board.h"
#include "chip.h"
#include "device.h"

static void say(const char *s)
{
    for (; *s; s++) {
        if (*s == '\n')
            chip_write(CHIP_CONSOLE, "\r", 1);
        chip_write(CHIP_CONSOLE, s, 1);
    }
}

static void say_number(const char *name, uint64_t n)
{
    char number[24];
    struct text t = {.out = number, .cap = sizeof number - 1};

    say(name);
    text_put_number(&t, n);
    number[t.len] = '\0';
    say(number);
}

static void prompt(struct device *d)
{
    d->line_len = 0;
    d->is_too_long = false;
    say("> ");
}

void console_greet(struct device *d)
{
    say("\ntund device; help lists what can be typed\n");
    if (!d->bridge.is_member)
        say("no member yet: paste the line of `tundctl invite`\n");
    prompt(d);
}

void console_tell(struct device *d, uint64_t now_us)
{
    struct bridge_info info;

    bridge_info(&d->bridge, &info, now_us);
    if (info.state == d->told)
        return;
    d->told = info.state;
    say("\n");
    say(info.name);
    say(" ");
    say(bridge_state_name(info.state));
    say_number(" ", now_us / 1000);
    say(" ms\n");
    prompt(d);
}

static void status(struct device *d)
{
    static const char *const names[] = {[AT_DOWN] = "down", [AT_BRINGUP] = "comes up", [AT_RESYNC] = "out of step",
                                        [AT_UP] = "up"};
    char page[512];
    const struct at_counters *c = &d->at.count;
    size_t len = app_status(&d->app, page, sizeof page - 1, false);

    page[len] = '\0';
    say(page);
    say("modem ");
    say(names[d->at.state]);
    say_number(", signal ", c->signal);
    say_number("\nsent ", c->sent);
    say_number(" received ", c->received);
    say_number(" refused ", c->refused);
    say_number(" resyncs ", c->resyncs);
    say_number(" restarts ", c->restarts);
    say_number("\ncell_sent_bytes ", c->cell_tx);
    say_number("\ncell_received_bytes ", c->cell_rx);
    say_number("\nstack_bytes ", chip_stack_used());
    say_number("\nram_bytes ", sizeof *d);
    say("\n");
}

static void join(struct device *d, const char *text, size_t len, uint64_t now_us)
{
    switch (bridge_join(&d->bridge, text, len, board_unix_time(), now_us)) {
    case 0:
        d->is_drained = false;
        say("joined\n");
        break;
    case TN_EEXIST:
        say("it is a member already: erase first\n");
        break;
    case TN_EEXPIRED:
        say("this invite has expired\n");
        break;
    case TN_ESTATE:
        say("the storage does not take it\n");
        break;
    default:
        say("this is no invite; is the line whole?\n");
    }
}

static void erase(struct device *d, uint64_t now_us)
{
    if (bridge_forget(&d->bridge) != 0 || device_start(d, now_us) != 0) {
        say("the storage does not work\n");
        return;
    }
    say("erased: no member any more\n");
}

static void budget(struct device *d, const char *text, size_t len, uint64_t now_us)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < len && bytes <= UINT32_MAX; i++)
        bytes = text[i] >= '0' && text[i] <= '9' ? 10 * bytes + (uint64_t)(text[i] - '0') : UINT64_MAX;
    if (!len || bytes > UINT32_MAX) {
        say("say how many bytes it may spend in a day: budget 100000; 0 is no limit\n");
        return;
    }
    bridge_set_budget(&d->bridge, (uint32_t)bytes, now_us);
    say("ok\n");
}

static void on_line(struct device *d, const char *line, size_t len, uint64_t now_us)
{
    if (len == 0)
        return;
    if (len == 6 && !memcmp(line, "status", 6))
        status(d);
    else if (len == 9 && !memcmp(line, "erase yes", 9))
        erase(d, now_us);
    else if (len == 5 && !memcmp(line, "erase", 5))
        say("this forgets the keys; say: erase yes\n");
    else if (len >= 7 && !memcmp(line, "budget ", 7))
        budget(d, line + 7, len - 7, now_us);
    else if (len == 4 && !memcmp(line, "stop", 4))
        board_end(0);
    else if (len > 12 && !memcmp(line, "tund-invite-", 12))
        join(d, line, len, now_us);
    else
        say("status      how it is\nbudget N    bytes that it may spend in a day\nerase       forget keys and membership\nstop        reset\n"
            "a pasted invite makes it a member\n");
}

void console_on_byte(struct device *d, uint8_t byte, uint64_t now_us)
{
    bool is_empty = !d->bridge.is_member;
    char *line = is_empty ? (char *)bridge_buffer(&d->bridge) : d->line;
    size_t cap = is_empty ? BRIDGE_DATAGRAM_MAX : sizeof d->line;

    if (byte == '\n' || byte == 0)
        return;
    if (byte != '\r') {
        chip_write(CHIP_CONSOLE, &byte, 1);
        if (d->line_len < cap)
            line[d->line_len++] = (char)byte;
        else
            d->is_too_long = true;
        return;
    }
    say("\n");
    if (d->is_too_long)
        say(is_empty ? "too long\n" : "too long; an invite is for one that is no member: erase first\n");
    else
        on_line(d, line, d->line_len, now_us);
    if (is_empty)
        memset(line, 0, cap);
    prompt(d);
}
