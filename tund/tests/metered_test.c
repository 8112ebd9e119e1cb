/* Which links are paid for by the byte. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tund/metered.h"

static char sysfs[] = "/tmp/tund-metered-XXXXXX";

static void add_link(const char *name, const char *uevent)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", sysfs, name);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/uevent", sysfs, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(uevent, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void remove_link(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s/uevent", sysfs, name);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/%s", sysfs, name);
    assert_int_equal(rmdir(path), 0);
}

static void unless_told_a_cellular_modem_is_metered(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(sysfs));
    add_link("wwp0s20", "DEVTYPE=wwan\nINTERFACE=wwp0s20\nIFINDEX=5\n");
    add_link("wlan0", "DEVTYPE=wlan\nINTERFACE=wlan0\nIFINDEX=3\n");
    add_link("eth0", "INTERFACE=DEVTYPE=wwan\nIFINDEX=2\n");
    assert_true(metered_link(NULL, "wwp0s20", sysfs));
    assert_false(metered_link(NULL, "wlan0", sysfs));
    assert_false(metered_link(NULL, "eth0", sysfs));
    assert_false(metered_link(NULL, "gone0", sysfs));
    assert_false(metered_link("none", "wwp0s20", sysfs));
    remove_link("wwp0s20");
    remove_link("wlan0");
    remove_link("eth0");
    assert_int_equal(rmdir(sysfs), 0);
}

static void links_are_metered_that_were_named(void **state)
{
    (void)state;
    assert_true(metered_link("", "eth0", METERED_SYSFS));
    assert_true(metered_link("usb0", "usb0", METERED_SYSFS));
    assert_true(metered_link("wlan0,usb0", "usb0", METERED_SYSFS));
    assert_true(metered_link("wlan0,usb0", "wlan0", METERED_SYSFS));
    assert_false(metered_link("wlan0,usb0", "usb", METERED_SYSFS));
    assert_false(metered_link("wlan0,usb0", "usb01", METERED_SYSFS));
    assert_false(metered_link("usb0", "eth0", METERED_SYSFS));
}

static void names_have_commas_between_and_are_not_empty(void **state)
{
    (void)state;
    assert_true(metered_is_value("none"));
    assert_true(metered_is_value("usb0"));
    assert_true(metered_is_value("usb0,wlan0"));
    assert_true(metered_is_value("fifteen-letters"));
    assert_false(metered_is_value(""));
    assert_false(metered_is_value(",usb0"));
    assert_false(metered_is_value("usb0,"));
    assert_false(metered_is_value("usb0,,wlan0"));
    assert_false(metered_is_value("usb0,sixteen-letters-"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unless_told_a_cellular_modem_is_metered),
        cmocka_unit_test(links_are_metered_that_were_named),
        cmocka_unit_test(names_have_commas_between_and_are_not_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
