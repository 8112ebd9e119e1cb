/* Where the user said nothing, a cellular modem is metered: the kernel's drivers for those name their kind in `uevent`
 * (DEVTYPE=wwan). A telephone on USB or Wi-Fi looks like any other link: that is for the user to say. */
#include "metered.h"

#include <stdio.h>
#include <string.h>

#define IFNAME_LEN 15u

static bool is_named(const char *names, const char *ifname)
{
    size_t len = strlen(ifname);

    while (*names) {
        size_t word = strcspn(names, ",");

        if (word == len && !memcmp(names, ifname, len))
            return true;
        names += word + (names[word] == ',');
    }
    return false;
}

static bool is_modem(const char *ifname, const char *sysfs)
{
    char path[256], line[128];
    bool found = false;
    FILE *f;

    if ((size_t)snprintf(path, sizeof path, "%s/%s/uevent", sysfs, ifname) >= sizeof path)
        return false;
    f = fopen(path, "re");
    if (!f)
        return false; /* it has gone meanwhile */
    while (!found && fgets(line, sizeof line, f))
        found = !strcmp(line, "DEVTYPE=wwan\n");
    fclose(f);
    return found;
}

bool metered_link(const char *said, const char *ifname, const char *sysfs)
{
    if (!said)
        return is_modem(ifname, sysfs);
    if (!strcmp(said, "none"))
        return false;
    return !*said || is_named(said, ifname);
}

bool metered_is_value(const char *said)
{
    if (!*said)
        return false;
    while (*said) {
        size_t word = strcspn(said, ",");

        if (!word || word > IFNAME_LEN || (said[word] == ',' && !said[word + 1]))
            return false;
        said += word + (said[word] == ',');
    }
    return true;
}
