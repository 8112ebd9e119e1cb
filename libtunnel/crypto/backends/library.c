/* How it works: dlopen without giving the library's symbols to anybody else (RTLD_LOCAL). */
#include "backends_priv.h"

#include <dlfcn.h>
#include <string.h>

void *tn_library_open(const char *file, bool own_first, const struct tn_symbol *symbol,
                      size_t count)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | (own_first ? RTLD_DEEPBIND : 0));

    for (size_t i = 0; library && i < count; i++) {
        void *found = dlsym(library, symbol[i].name);

        if (!found) {
            dlclose(library);
            return NULL;
        }
        memcpy(symbol[i].at, &found, sizeof found); /* POSIX: an object pointer holds a function's */
    }
    return library;
}

void tn_library_close(void *library)
{
    if (library)
        dlclose(library);
}
