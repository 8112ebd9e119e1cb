/* The device on the bare chip: the core, the example application, the modem and the prompt. */
#ifndef DEVICE_H
#define DEVICE_H

#include "../../app/app.h"
#include "at.h"
#include "inside.h"

struct device {
    struct bridge bridge;
    struct app app;
    struct at at;
    bool is_drained;        /* the core has said that there is no more to send */
    uint64_t resolve_at_us; /* when the coordinator's name is looked up next; UINT64_MAX: not */
    enum bridge_state told; /* what the console was last told */
    /* the prompt */
    char line[24];
    uint16_t line_len;
    bool is_too_long;
};

/* Begins, from what is stored. 0; nonzero: no entropy, or the storage does not work. */
int device_start(struct device *d, uint64_t now_us);
/* One turn of the loop: whatever has come, is due, or is to be sent. */
void device_turn(struct device *d, uint64_t now_us);

/* console.c: a byte that was typed. */
void console_on_byte(struct device *d, uint8_t byte, uint64_t now_us);
void console_greet(struct device *d);
/* A line for whoever looks: the state changed. */
void console_tell(struct device *d, uint64_t now_us);

#endif
