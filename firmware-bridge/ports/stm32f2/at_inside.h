/* What the driver's two files share: at.c (what to do) and at_line.c (what came). */
#ifndef AT_INSIDE_H
#define AT_INSIDE_H

#include "at.h"

enum at_command {
    COMMAND_NONE,
    COMMAND_STEP,   /* of the bring-up */
    COMMAND_RESYNC, /* AT+CMEE? */
    COMMAND_POLL,   /* AT+USORF=h,0 */
    COMMAND_READ,   /* AT+USORF=h,1024 */
    COMMAND_SEND,   /* AT+USOST */
    COMMAND_ERROR,  /* AT+USOER */
    COMMAND_NAME,   /* AT+UDNSRN */
    COMMAND_USAGE,  /* AT+UGCNTRD */
    COMMAND_SIGNAL, /* AT+CSQ */
};

/* How far down something begins again. */
enum at_rung { RUNG_MODEM, RUNG_PDP, RUNG_SOCKET, RUNG_NONE };

/* at.c: the final result of the command in flight. */
void at_finish(struct at *a, bool ok, uint64_t now_us);
/* at.c: the modem says that it has lost this. */
void at_lose(struct at *a, uint8_t rung, uint64_t now_us);
/* at_line.c: the rest of a datagram does not come. */
void at_drop_raw(struct at *a);

#endif
