/* A device as a process on Linux: a UDP socket for a modem, a file for an EEPROM. */
#ifndef HOST_H
#define HOST_H

#include "../../app/app.h"

struct host_device {
    char dir[256];
    struct bridge *bridge; /* heap */
    struct bridge_storage storage;
    struct app app;
    int fd, probe_fd, state_fd;
    uint64_t resolve_at_us; /* when the coordinator's name is looked up next; UINT64_MAX: not */
    enum bridge_state told; /* the state that was last printed */
    bool is_silent;         /* no line for each change of state */
};

/* Microseconds, going on while the machine sleeps. */
uint64_t host_now(void);
/* Opens the device that lives in `dir`: its storage in dir/state, made where there is none; without
 * keys it redeems dir/invite. `port`: local UDP port, 0 any. 0, or a negative errno with a sentence
 * on standard error; host_close either way. */
int host_open(struct host_device *d, const char *dir, uint16_t port, bool is_silent);
void host_close(struct host_device *d);
/* What came on the sockets; then whatever is to be sent. */
void host_receive(struct host_device *d, uint64_t now_us);
/* What is due, and what is to be sent. */
void host_tick(struct host_device *d, uint64_t now_us);
uint64_t host_next_deadline(const struct host_device *d);

#endif
