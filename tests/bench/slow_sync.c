/* Preloaded: every fsync and fdatasync takes SYNC_US microseconds longer, as on a memory card. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_as_card(void) {
    const char *us = getenv("SYNC_US");
    if (us) usleep((useconds_t)atol(us));
}

int fsync(int fd) {
    wait_as_card();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    wait_as_card();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
