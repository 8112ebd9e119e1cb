/* An Electron that is a member of the overlay: it answers ping, UDP echo and CoAP, and serves a web page. The invite comes in
 * tund_config.h (tundctl invite --device NAME --out DIR), or is pasted at the serial prompt. */
#include "tund.h"

#if __has_include("tund_config.h")
#include "tund_config.h"
#else
#define TUND_INVITE ""
#endif

SYSTEM_MODE(SEMI_AUTOMATIC); /* the Particle cloud is not needed */
SYSTEM_THREAD(ENABLED);

static Tund tund;
static enum bridge_state told = BRIDGE_EMPTY;
static char line[1024];
static size_t line_len;

void setup()
{
    int err;

    Serial.begin(9600);
    Cellular.on();
    Cellular.connect();
    err = tund.begin(TUND_INVITE);
    if (err == 0 || err == TN_ENOENT)
        err = tund.serve();
    if (!err)
        err = tund.serveWeb();
#ifdef TUND_BUDGET /* tundctl invite --budget; else what the device remembers holds */
    if (!err)
        err = tund.setBudget(TUND_BUDGET);
#endif
    if (err)
        Serial.printlnf("tund: cannot start: %d", err);
}

static void on_line()
{
    int err;

    line[line_len] = 0;
    err = tund.join(line);
    for (size_t i = 0; i < sizeof line; i++)
        line[i] = 0; /* it is a secret until it is used */
    Serial.printlnf(err ? "tund: no invite, or one that cannot be used: %d" : "tund: joined", err);
}

static void read_prompt()
{
    while (Serial.available() > 0) {
        int c = Serial.read();

        if (c == '\r' || c == '\n') {
            if (line_len)
                on_line();
            line_len = 0;
        } else if (line_len + 1 < sizeof line) {
            line[line_len++] = static_cast<char>(c);
        }
    }
}

void loop()
{
    struct bridge_info info;

    read_prompt();
    tund.loop();
    if (!tund.device())
        return;
    bridge_info(tund.device(), &info, Tund::nowUs());
    if (info.state == told)
        return;
    told = info.state;
    Serial.printlnf("tund: %s is %s", info.name, bridge_state_name(told));
}
