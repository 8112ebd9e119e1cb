/* QEMU's netduino2. It has no random generator, no flash controller and no clock tree; these come by
 * semihosting, which is how an emulated or a debugged chip calls its host (ARM, "Semihosting for AArch32
 * and AArch64"). Arguments of the run: storage=FILE, apn=NAME. */
#include <string.h>

#include "board.h"
#include "chip.h"

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, SYS_READ = 6, SYS_SEEK = 10, SYS_TIME = 17, SYS_GET_CMDLINE = 21,
       SYS_EXIT_EXTENDED = 32 };
#define MODE_READ 1 /* "rb" */
#define MODE_UPDATE 3 /* "r+b" */
#define STOPPED 0x20026 /* ADP_Stopped_ApplicationExit */

const uint32_t board_timer_prescaler = 999; /* its TIM2 has 1 GHz */
const uint32_t board_systick_hz = 120000000;
const uint32_t board_usart1_brr = 0, board_usart3_brr = 0, board_usart3_cr3 = 0; /* it knows no baud rate */

static char arguments[128];

static int call(int operation, const void *block)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_init(void)
{
    uint32_t block[2] = {(uint32_t)arguments, sizeof arguments};

    if (call(SYS_GET_CMDLINE, block) != 0)
        arguments[0] = '\0';
}

/* The value of "name=" among the arguments, copied to `out`; "" when it is not there. */
static void argument(const char *name, char *out, size_t cap)
{
    size_t len = strlen(name), n = 0;

    for (const char *p = arguments; *p; p++) {
        if (strncmp(p, name, len) != 0 || (p != arguments && p[-1] != ' '))
            continue;
        for (p += len; *p && *p != ' ' && n < cap - 1; p++)
            out[n++] = *p;
        break;
    }
    out[n] = '\0';
}

static int open_file(const char *path, uint32_t mode)
{
    uint32_t block[3] = {(uint32_t)path, mode, strlen(path)};

    return call(SYS_OPEN, block);
}

/* Reads or writes; 0 when all of it went. */
static int transfer(int operation, int file, uint32_t at, const void *data, size_t len)
{
    uint32_t seek[2] = {(uint32_t)file, at};
    uint32_t block[3] = {(uint32_t)file, (uint32_t)data, len};
    int left = file < 0 || (at && call(SYS_SEEK, seek) < 0) ? -1 : call(operation, block);
    uint32_t handle = (uint32_t)file;

    if (file >= 0)
        call(SYS_CLOSE, &handle);
    return left;
}

int board_entropy(uint8_t *out, size_t len)
{
    return transfer(SYS_READ, open_file("/dev/urandom", MODE_READ), 0, out, len);
}

static int open_storage(uint32_t mode)
{
    char path[120];

    argument("storage=", path, sizeof path);
    return *path ? open_file(path, mode) : -1;
}

static int storage_read(void *ctx, uint32_t at, void *out, size_t len)
{
    (void)ctx;
    return transfer(SYS_READ, open_storage(MODE_READ), at, out, len);
}

static int storage_write(void *ctx, uint32_t at, const void *data, size_t len)
{
    (void)ctx;
    return transfer(SYS_WRITE, open_storage(MODE_UPDATE), at, data, len);
}

const struct bridge_storage board_storage = {storage_read, storage_write, NULL};

uint64_t board_unix_time(void)
{
    return (uint32_t)call(SYS_TIME, NULL);
}

void board_apn(char *out, size_t cap)
{
    argument("apn=", out, cap);
}

void board_end(int status)
{
    uint32_t block[2] = {STOPPED, (uint32_t)status};

    call(SYS_EXIT_EXTENDED, block);
    for (;;)
        chip_sleep();
}
